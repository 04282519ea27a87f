"""Breakers on a real Valkey, which replicas share, and what becomes of them while it is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from purgatory import AsyncCircuitBreakerFactory
from redis.asyncio import Redis

from functions.orchestrate.detectors.breakers import PREFIX, breakers, close
from llama_mapper.chassis import metrics
from llama_mapper.chassis.calls import Transient, insist
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.free_ports import free_port

pytestmark = pytest.mark.usefixtures("redis")


@asynccontextmanager
async def replica(url: str | None, **said: float) -> AsyncIterator[AsyncCircuitBreakerFactory]:
    made = breakers(url, **said)  # type: ignore[arg-type]
    yield made
    await close(made)


class Detector:
    def __init__(self, *, well: bool = False) -> None:
        self.well = well
        self.asked = 0

    async def __call__(self, seconds: float) -> str:
        self.asked += 1
        if not self.well:
            raise Transient("detector")
        return "answer"


async def ask(detector: Detector, replica: AsyncCircuitBreakerFactory) -> str:
    try:
        return await insist("model", detector, replica, seconds=5.0, attempts=1)
    except Unavailable as problem:
        return problem.detail


RESTING, SILENT = "model is resting after failures", "model does not answer"


async def test_five_failures_seen_by_two_replicas_open_the_breaker_of_a_third(url: str) -> None:
    detector = Detector()
    async with replica(url) as first, replica(url) as second, replica(url) as third:
        assert [await ask(detector, one) for one in (first, second, first, second, first)] == [SILENT] * 5
        assert [await ask(detector, one) for one in (first, second, third)] == [RESTING] * 3
        assert detector.asked == 5


async def test_after_its_rest_a_good_call_closes_it_for_all(redis: Redis, url: str) -> None:
    detector = Detector()
    async with replica(url) as first, replica(url) as second:
        for _ in range(5):
            await ask(detector, first)
        assert await ask(detector, second) == RESTING
        long_ago = '{"state": "opened", "opened_at": %f}' % (time.time() - 31)
        await redis.set(f"{PREFIX}model", long_ago)
        detector.well = True
        assert [await ask(detector, one) for one in (second, first)] == ["answer", "answer"]
        assert await redis.get(f"{PREFIX}model:failures") is None


async def test_after_its_rest_a_bad_call_opens_it_again_at_once(redis: Redis, url: str) -> None:
    detector = Detector()
    async with replica(url) as first, replica(url) as second:
        await redis.set(f"{PREFIX}model", '{"state": "opened", "opened_at": 1}')
        assert [await ask(detector, one) for one in (first, second)] == [SILENT, RESTING]


async def test_failures_are_forgotten_with_the_window(redis: Redis, url: str) -> None:
    detector = Detector()
    async with replica(url, window_seconds=60.0) as first:
        for _ in range(4):
            await ask(detector, first)
        assert 0 < await redis.pttl(f"{PREFIX}model:failures") <= 60_000
        await redis.delete(f"{PREFIX}model:failures")  # what its end of life does
        assert [await ask(detector, first) for _ in range(5)] == [SILENT] * 5
        assert await ask(detector, first) == RESTING


async def test_every_key_has_an_end(redis: Redis, url: str) -> None:
    async with replica(url) as first:
        for _ in range(6):
            await ask(Detector(), first)
    keys = [key async for key in redis.scan_iter("*")]
    assert len(keys) == 2
    assert all([await redis.ttl(key) > 0 for key in keys])


def counted() -> float:
    return metrics.REGISTRY.get_sample_value("llama_mapper_fallbacks_total", {"name": "breakers.memory"}) or 0.0


async def test_while_redis_is_away_the_replicas_own_breaker_counts() -> None:
    before, detector = counted(), Detector()
    async with replica(f"redis://127.0.0.1:{free_port()}/0") as alone:
        assert [await ask(detector, alone) for _ in range(6)] == [SILENT] * 5 + [RESTING]
        assert detector.asked == 5
    assert counted() > before


@pytest.mark.parametrize("shared", [True, False])
async def test_what_a_caller_gives_up_is_neither_failure_nor_success(url: str, *, shared: bool) -> None:
    detector = Detector()

    async def endless(seconds: float) -> str:
        await asyncio.Event().wait()
        return "never"

    async with replica(url if shared else None) as first:
        for _ in range(4):
            await ask(detector, first)
        call = asyncio.create_task(insist("model", endless, first, seconds=60.0))
        for _ in range(1000 if shared else 3):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert [await ask(detector, first), await ask(detector, first)] == [SILENT, RESTING]
