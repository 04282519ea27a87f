"""The health monitor with real servers, and replicas that agree by way of a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from redis.asyncio import Redis

from functions.orchestrate.detectors.condition import Condition, Pace
from functions.orchestrate.detectors.health import PREFIX, HealthMonitor
from functions.orchestrate.detectors.probes import Probe, probing
from llama_mapper.chassis import metrics
from llama_mapper.contracts.problems import ErrorCode
from tests.fakes.free_ports import free_port
from tests.fakes.subscriber import Answer, Received, listening

GOOD, BAD = Answer(200), Answer(503, body=b"canary someone@example.org")


@asynccontextmanager
async def monitor(probe: Probe, redis_url: str | None = None, pace: Pace | None = None) -> AsyncIterator[HealthMonitor]:
    made = HealthMonitor({"model": probe}, pace, redis_url)
    yield made
    await made.aclose()


class Saying:
    """Gives its errors in turn, then is well; counts how often it is asked."""

    def __init__(self, *errors: ErrorCode | None) -> None:
        self._errors = list(errors)
        self.asked = 0

    async def __call__(self) -> ErrorCode | None:
        self.asked += 1
        return self._errors.pop(0) if self._errors else None


async def test_a_server_that_fails_goes_out_and_comes_back() -> None:
    answers = [BAD, BAD, BAD, GOOD, GOOD, GOOD]

    async def behave(_: Received) -> Answer:
        return answers.pop(0)

    async with listening(behave) as server, httpx.AsyncClient() as client:
        health = HealthMonitor({"model": probing(client, server.url + "/health")})
        statuses = [(await health.look("model")).status for _ in range(6)]
        condition = health.condition("model")
    assert statuses == ["degraded", "degraded", "unhealthy", "unhealthy", "unhealthy", "healthy"]
    assert (condition.failures, condition.last_error) == (0, "UNAVAILABLE")
    assert {one.path for one in server.received} == {"/health"}
    assert {one.body for one in server.received} == {b""}


async def test_the_task_starts_with_the_first_question_probes_and_ends() -> None:
    arrived = asyncio.Event()

    async def probe() -> ErrorCode | None:
        arrived.set()
        return None

    async with monitor(probe) as health:
        assert health.in_rotation("model")
        await asyncio.wait_for(arrived.wait(), 10)
        task = health._task
        assert task is not None
        health.start()
        assert health._task is task
    assert task.done()


async def test_the_metric_says_who_is_in_rotation() -> None:
    async with monitor(Saying("UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE")) as health:
        for _ in range(3):
            await health.look("model")
        assert metrics.REGISTRY.get_sample_value("llama_mapper_detector_in_rotation", {"detector": "model"}) == 0
        assert not health.in_rotation("model")
        assert health.in_rotation("another")


async def test_replicas_take_turns_and_agree(redis: Redis, url: str) -> None:
    first, second = Saying("REQUEST_TIMEOUT", "REQUEST_TIMEOUT", "REQUEST_TIMEOUT"), Saying()
    async with monitor(first, url) as one, monitor(second, url) as two:
        for _ in range(3):
            await one.look("model")
            assert (await two.look("model")) == one.condition("model")
            await redis.delete(f"{PREFIX}model:turn")  # what its end of life does
    assert (first.asked, second.asked) == (3, 0)
    kept = Condition.model_validate_json(await redis.get(f"{PREFIX}model") or b"")
    assert (kept.status, kept.failures, kept.last_error) == ("unhealthy", 3, "REQUEST_TIMEOUT")
    assert 0 < await redis.ttl(f"{PREFIX}model") <= 300


async def test_a_replica_that_starts_adopts_what_the_others_know(redis: Redis, url: str) -> None:
    await redis.set(f"{PREFIX}model", Condition(out=True, failures=4, last_error="UNAVAILABLE").model_dump_json())
    await redis.set(f"{PREFIX}model:turn", 1, px=60_000)
    probe = Saying()
    async with monitor(probe, url) as health:
        await health.look("model")
        assert not health.in_rotation("model")
    assert probe.asked == 0


@pytest.mark.parametrize("kept", [None, b"no condition", b'{"out": 5}'])
async def test_without_redis_or_with_nonsense_in_it_each_probes_for_itself(
    redis: Redis, url: str, kept: bytes | None
) -> None:
    address = f"redis://127.0.0.1:{free_port()}/0" if kept is None else url
    if kept is not None:
        await redis.set(f"{PREFIX}model", kept)
    async with monitor(Saying("UNAVAILABLE"), address) as health:
        assert (await health.look("model")).failures == 1
