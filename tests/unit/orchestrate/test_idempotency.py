import asyncio
from collections.abc import AsyncIterator

import fakeredis
import pytest

from functions.orchestrate.entrance.idempotency import Answered, Idempotency, KeptAnswers
from functions.orchestrate.entrance.kept_answers import MemoryAnswers, RedisAnswers
from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Conflict, InvalidRequest, Problem, Unavailable, Unprocessable

DEMO, OTHER = TenantId("demo"), TenantId("other")
SEALER = Sealer(new_keyset())
ROUTE = "/api/v1/orchestrate"


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeptAnswers]:
    if request.param == "memory":
        yield MemoryAnswers()
        return
    async with fakeredis.FakeAsyncRedis() as redis:
        yield RedisAnswers(redis)


@pytest.fixture
def idempotency(store: KeptAnswers) -> Idempotency:
    return Idempotency(store, SEALER, b"s" * 32)


class Work:
    """Counts how often it was done; its first answers are *problems*."""

    def __init__(self, *problems: Problem) -> None:
        self.times = 0
        self._problems = list(problems)

    async def __call__(self) -> bytes:
        self.times += 1
        await asyncio.sleep(0)
        if self._problems:
            raise self._problems.pop(0)
        return b"answer %d" % self.times


async def test_a_request_that_comes_twice_is_done_once(idempotency: Idempotency) -> None:
    work = Work()
    first = await idempotency.once("order-1", DEMO, ROUTE, b"body", work)
    again = await idempotency.once('"order-1"', DEMO, ROUTE, b"body", work)
    assert (first, again) == (Answered(b"answer 1", replayed=False), Answered(b"answer 1", replayed=True))
    assert work.times == 1


async def test_without_a_key_it_is_done_each_time(idempotency: Idempotency) -> None:
    work = Work()
    for number in (1, 2):
        assert await idempotency.once(None, DEMO, ROUTE, b"body", work) == Answered(b"answer %d" % number, False)


@pytest.mark.parametrize(
    ("key", "tenant", "route"), [("order-2", DEMO, ROUTE), ("order-1", OTHER, ROUTE), ("order-1", DEMO, "/another")]
)
async def test_another_key_tenant_or_route_is_another_request(
    idempotency: Idempotency, key: str, tenant: TenantId, route: str
) -> None:
    work = Work()
    await idempotency.once("order-1", DEMO, ROUTE, b"body", work)
    assert not (await idempotency.once(key, tenant, route, b"body", work)).replayed


async def test_the_same_key_with_another_body_can_never_work(idempotency: Idempotency) -> None:
    await idempotency.once("order-1", DEMO, ROUTE, b"body", Work())
    with pytest.raises(Unprocessable):
        await idempotency.once("order-1", DEMO, ROUTE, b"another body", Work())


async def test_of_two_at_once_one_is_done_and_one_is_told_to_wait(idempotency: Idempotency) -> None:
    work = Work()
    both = (idempotency.once("order-1", DEMO, ROUTE, b"body", work) for _ in range(2))
    results = await asyncio.gather(*both, return_exceptions=True)
    assert [one.replayed for one in results if isinstance(one, Answered)] == [False]
    (refused,) = (one for one in results if isinstance(one, Conflict))
    assert (work.times, refused.retry_after_seconds) == (1, 1)


async def test_after_a_problem_the_same_key_may_try_again(idempotency: Idempotency) -> None:
    work = Work(Unavailable("not now"))
    with pytest.raises(Unavailable):
        await idempotency.once("order-1", DEMO, ROUTE, b"body", work)
    assert await idempotency.once("order-1", DEMO, ROUTE, b"body", work) == Answered(b"answer 2", replayed=False)


async def test_a_caller_who_goes_away_does_not_block_the_key(idempotency: Idempotency) -> None:
    async def forever() -> bytes:
        await asyncio.Event().wait()
        return b""

    gone = asyncio.ensure_future(idempotency.once("order-1", DEMO, ROUTE, b"body", forever))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert not (await idempotency.once("order-1", DEMO, ROUTE, b"body", Work())).replayed


@pytest.mark.parametrize("key", ["", '""', "two words", 'quote"inside', "a" * 256, "tab\t", "ä"])
async def test_what_is_no_key_is_refused(idempotency: Idempotency, key: str) -> None:
    with pytest.raises(InvalidRequest):
        await idempotency.once(key, DEMO, ROUTE, b"body", Work())


async def test_the_store_holds_neither_key_nor_body_nor_answer() -> None:
    async with fakeredis.FakeAsyncRedis() as redis:
        idempotency = Idempotency(RedisAnswers(redis), SEALER, b"s" * 32)
        await idempotency.once("canary-key", DEMO, ROUTE, b"canary body", Work())
        names = await redis.keys("*")
        held = repr([names, [await redis.get(name) for name in names]])
    assert len(held) > 64
    assert "canary" not in held
    assert "answer" not in held


async def test_an_answer_sealed_with_a_lost_key_is_not_replayed(store: KeptAnswers, idempotency: Idempotency) -> None:
    await idempotency.once("order-1", DEMO, ROUTE, b"body", Work())
    other = Idempotency(store, Sealer(new_keyset()), b"s" * 32)
    with pytest.raises(Unprocessable, match="new Idempotency-Key"):
        await other.once("order-1", DEMO, ROUTE, b"body", Work())


async def test_without_the_store_each_request_is_answered() -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    async with fakeredis.FakeAsyncRedis(server=server) as redis:
        idempotency = Idempotency(RedisAnswers(redis), SEALER, b"s" * 32)
        assert await idempotency.once("order-1", DEMO, ROUTE, b"body", Work()) == Answered(b"answer 1", False)
