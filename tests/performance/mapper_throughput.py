"""Labels a second of the mapper against bare vLLM with the same prompts, and against its own rules and cache.

usage: PYTHONPATH=inference-services/mapper .venv/bin/python -m tests.performance.mapper_throughput URL [labels a row]

Bare vLLM and the mapper take turns, PART labels each, so that both meet the same machine. Each bare call has a cache
salt, so that neither finds the other's prompts in the server's prefix cache. The budget is lifted where answers are
compared; the last rows say what comes of it.
"""

import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.models import RANKER
from llama_mapper.contracts.prompt import ANSWER_TOKENS, choices
from llama_mapper.taxonomy import load
from llama_mapper.taxonomy.embedding import Kept
from llama_mapper.taxonomy.ranking import TreeRanker
from llama_mapper.taxonomy.retrieval import Index
from mapper_serving.candidates import Question, Questions, entries
from mapper_serving.settings import Settings
from mapper_serving.vocabulary import Vocabularies, read_all
from tests.performance.serving import ADAPTER, VECTORS, mapper

PART = 20
SALTS = count()
Ask = Callable[[int], Awaitable[None]]


@dataclass
class Row:
    """What one way of asking took: seconds of each call, seconds in all, labels, and how they were answered."""

    name: str
    taken: list[float] = field(default_factory=list)
    seconds: float = 0.0
    labels: int = 0
    methods: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return self.labels / self.seconds

    def line(self, against: "Row") -> str:
        p50, p95 = statistics.median(self.taken), statistics.quantiles(self.taken, n=20)[-1]
        by_model = f"{self.methods['model'] / self.labels:.2f}" if self.methods else "–"
        return (
            f"| {self.name} | {self.labels} | {self.rate:.1f} | {self.rate / against.rate:.2f} "
            f"| {p50 * 1000:.1f} | {p95 * 1000:.1f} | {by_model} |"
        )


def unseen(number: int, seed: int = 20261123) -> list[VendorFinding]:
    """Findings of a vendor nobody curated: the taxonomy's aliases in dress."""
    chance = random.Random(seed)
    aliases = sorted({alias for label in load().labels for alias in label.aliases})
    found: dict[str, None] = {}
    while len(found) < number:
        separator = chance.choice("_-. /")
        words = [chance.choice(("cust", "acme", "det", "policy", "rule")), *chance.choice(aliases).split()]
        found[separator.join([*words, chance.choice(("v2", "found", "hit", "score", "flag"))])[:120]] = None
    return [VendorFinding(detector="vendor-nobody-curated", detector_version="1", label=label) for label in found]


async def clients(number: int, row: Row, indexes: Sequence[int], ask: Ask, labels: int = 1) -> None:
    """Call *ask* with each of *indexes*, *number* at once, and add to *row*."""
    left = iter(indexes)

    async def client() -> None:
        for index in left:
            started = time.perf_counter()
            await ask(index)
            row.taken.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(number)))
    row.seconds += time.perf_counter() - started
    row.labels += labels * len(indexes)


def bare(http: httpx.AsyncClient, url: str, asked: Sequence[Question]) -> Ask:
    async def ask(index: int) -> None:
        body = {
            "model": "mapper-llm",
            "prompt": asked[index].prompt,
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
            "logprobs": 20,
            "structured_outputs": {"choice": choices(len(asked[index].found))},
            "cache_salt": f"bare {next(SALTS)}",
        }
        (await http.post(f"{url}/v1/completions", json=body)).raise_for_status()

    return ask


def one(http: httpx.AsyncClient, url: str, findings: Sequence[VendorFinding], row: Row) -> Ask:
    async def ask(index: int) -> None:
        answer = await http.post(f"{url}/api/v1/map", json=body(findings[index]))
        row.methods[answer.raise_for_status().json()["method"]] += 1

    return ask


def batch(http: httpx.AsyncClient, url: str, findings: Sequence[VendorFinding], row: Row) -> Ask:
    async def ask(index: int) -> None:
        items = [body(finding) for finding in findings[index : index + PART]]
        answer = await http.post(f"{url}/api/v1/map/batch", json={"items": items})
        row.methods.update(result["mapping"]["method"] for result in answer.raise_for_status().json()["results"])

    return ask


def body(finding: VendorFinding) -> dict[str, Any]:
    return finding.model_dump(exclude_none=True) | {"threshold": 0.0}  # whatever the model says counts as said


async def compare(predictor: str, url: str, number: int, questions: Questions, rows: list[Row]) -> None:
    """One client, eight clients and batches, each beside bare vLLM at as many clients."""
    findings = unseen(3 * number)
    asked = [questions.ask(finding) for finding in findings]
    async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=64)) as http:
        for turn, (at_once, name) in enumerate([(1, "one label, 1 client"), (8, "one label, 8 clients"), (32, "")]):
            raw = Row(f"bare vLLM, {at_once} clients" if at_once > 1 else "bare vLLM, 1 client")
            ours = Row(f"mapper, {name or f'batches of {PART}'}")
            for start in range(turn * number, (turn + 1) * number, PART):
                part = range(start, start + PART)
                await clients(at_once, raw, part, bare(http, predictor, asked))
                if name:
                    await clients(at_once, ours, part, one(http, url, findings, ours))
                else:
                    await clients(1, ours, [start], batch(http, url, findings, ours), PART)
            rows += [raw, ours]
        again = Row("mapper from its cache, 1 client")
        await clients(1, again, range(number), one(http, url, findings, again))
        rows.append(again)


async def curated(url: str, number: int, vocabularies: Vocabularies, rows: list[Row]) -> None:
    """Words that a rule knows, one by one and in batches."""
    known = [(v.detector, word) for v in vocabularies.all for word in v.labels if v.versions == ("*",)]
    chosen = random.Random(1).sample(known, number)
    findings = [VendorFinding(detector=detector, label=word) for detector, word in chosen]
    async with httpx.AsyncClient(timeout=600) as http:
        single, together = Row("mapper by rule, 1 client"), Row(f"mapper by rule, batches of {PART}")
        await clients(1, single, range(number), one(http, url, findings, single))
        await clients(1, together, range(0, number, PART), batch(http, url, findings, together), PART)
    rows += [single, together]


async def in_budget(url: str, number: int, rows: list[Row]) -> None:
    """Fresh labels under the default budget: what is not answered by the model in time is answered by rules."""
    findings = unseen(5 * number)[3 * number :]
    async with httpx.AsyncClient(timeout=600) as http:
        for turn, at_once in enumerate((1, 8)):
            row = Row(f"mapper in its budget, {at_once} client{'s' if at_once > 1 else ''}")
            part = range(turn * number, (turn + 1) * number)
            await clients(at_once, row, part, one(http, url, findings, row))
            rows.append(row)


def main(predictor: str, number: int) -> None:
    vocabularies = Vocabularies(read_all(Settings().vocabularies))
    index = Index(entries(vocabularies.all, load()), Kept(VECTORS))
    questions = Questions(index, vocabularies, TreeRanker.read(index, ADAPTER / RANKER))
    rows: list[Row] = []
    with mapper(predictor, MAPPER_BUDGET_SECONDS="60") as url:
        asyncio.run(compare(predictor, url, number, questions, rows))
        asyncio.run(curated(url, number, vocabularies, rows))
    with mapper(predictor) as url:
        asyncio.run(in_budget(url, number, rows))
    print("| what | labels | labels/s | times bare | p50 ms | p95 ms | by the model |\n|---|---|---|---|---|---|---|")
    against = rows[0]
    for row in rows:
        against = row if row.name.startswith("bare") else against
        print(row.line(against if row.name.startswith(("bare", "mapper, ")) else rows[0]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)
