"""Jobs on a real store, with the orchestrator's parts as a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from functions.orchestrate.jobs.records import ENDED, Names, Order
from functions.orchestrate.jobs.store import Keeping, RedisJobs
from functions.orchestrate.jobs.worker import JobWorker, Pace
from functions.orchestrate.service import Orchestrator
from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import CorrelationId, DetectorId, JobId, TenantId
from llama_mapper.contracts.jobs import Job
from llama_mapper.contracts.orchestration import OrchestrateRequest, Priority
from tests.fakes.orchestration import DEMO, SayingDetect

CONTENT = "canary-4711 write to someone@example.org"
KEYSET = new_keyset()
QUICK = Pace(concurrency=2, job_seconds=5.0, lease_seconds=0.4, beat_seconds=0.02, rest_seconds=0.02)


def order(tenant_id: TenantId = DEMO, priority: Priority = "normal", callback: str | None = None) -> Order:
    request = OrchestrateRequest(content=CONTENT, priority=priority, detector_types=(DetectorId("words"),))
    return Order(tenant_id, request, True, CorrelationId("correlation-1"), callback=callback)


def names(job: Job | JobId, tenant_id: TenantId = DEMO) -> Names:
    return Names(tenant_id, job if isinstance(job, str) else job.id)


def store(redis: Redis, keeping: Keeping | None = None, keyset: str = KEYSET) -> RedisJobs:
    return RedisJobs(redis, Sealer(keyset), keeping or Keeping())


@dataclass
class WaitingDetect(SayingDetect):
    """Says that it was asked, and answers when it is let."""

    asking: asyncio.Event = field(default_factory=asyncio.Event)
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]:
        self.asking.set()
        await self.let.wait()
        return await SayingDetect.detect(self, content, detectors, seconds, tenant_id)


@asynccontextmanager
async def working(
    url: str, jobs: RedisJobs, orchestrator: Orchestrator, pace: Pace = QUICK
) -> AsyncIterator[JobWorker]:
    worker = JobWorker(url, jobs, orchestrator, pace)
    worker.start()
    try:
        yield worker
    finally:
        await worker.aclose()


async def until(jobs: RedisJobs, one: Names, holds: Callable[[Job], bool] = lambda job: job.status in ENDED) -> Job:
    """The job as it is once *holds*."""
    async with asyncio.timeout(15):
        while not holds(job := (await jobs.record(one)).job):  # noqa: ASYNC110 - the store has no event to wait for
            await asyncio.sleep(0.01)
    return job


async def held_by(redis: Redis) -> str:
    """Everything that the store holds, names and values of whatever type."""
    read: dict[Any, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"stream": redis.xrange,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
    }
    return repr([(key, await read[await redis.type(key)](key)) async for key in redis.scan_iter("*")])
