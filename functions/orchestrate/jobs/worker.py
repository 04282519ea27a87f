"""Runs jobs in orchestrate's own process, in the background: begun lazily, bounded, each under a lease.

A job runs at least once. A worker that dies leaves its job to another after the lease; one that was only slow finds
that it is no longer the owner, and its answer is dropped. A job that ended three workers is at fault, and fails.
"""

import asyncio
import secrets
import time
from contextvars import Context
from dataclasses import dataclass

from opentelemetry.trace import SpanKind
from redis.asyncio import Redis
from redis.exceptions import RedisError

from llama_mapper.chassis import correlation, metrics, tracing
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.orchestration import OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import Gone, InternalError, NotFound, Problem, RequestTimeout, Unavailable

from ..accounting import count
from ..service import Orchestrator
from .queue import BLOCK_MILLISECONDS, JobQueue, Taken
from .records import ENDED, Record
from .run import Progress, TooLate, judge
from .store import RedisJobs

log = get_logger(__name__)

MEASURE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How many jobs at once, for how long one may take, how often it may be begun, and how long a lease is."""

    concurrency: int = 4
    job_seconds: float = 30.0
    attempts: int = 3
    lease_seconds: float = 15.0
    beat_seconds: float = 0.5
    """How often a running job says how far it is, and hears whether it was cancelled."""
    rest_seconds: float = 1.0
    """While the store does not answer."""


# How an answer of another shape than the store's own fails.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)


class JobWorker:
    def __init__(self, redis_url: str, jobs: RedisJobs, orchestrator: Orchestrator, pace: Pace) -> None:
        wait = BLOCK_MILLISECONDS / 1000 + 2
        self._redis = Redis.from_url(redis_url, socket_timeout=wait, socket_connect_timeout=2)
        self._queue = JobQueue(self._redis, secrets.token_hex(8), pace.lease_seconds)
        self._jobs = jobs
        self._orchestrator = orchestrator
        self._pace = pace
        self._loop: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False

    def start(self) -> None:
        """Begin, unless this has begun or this process runs no jobs."""
        if self._pace.concurrency and (self._loop is None or self._loop.done()):
            # An empty context: jobs must not take over the ids of the request that happens to be at hand.
            self._loop = asyncio.get_running_loop().create_task(self._work(), context=Context())
            self._loop.add_done_callback(_logged)

    async def aclose(self) -> None:
        """Stop; what was running is another worker's after the lease."""
        self._closing = True
        for tasks in ([self._loop] if self._loop else [], self._running):  # first the one that makes the others
            ending = list(tasks)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        await self._redis.aclose()

    async def _work(self) -> None:
        slots = asyncio.Semaphore(self._pace.concurrency)
        is_open, measured = False, 0.0
        while not self._closing:
            await slots.acquire()
            try:
                if not is_open:
                    await self._queue.open()
                    is_open = True
                if time.monotonic() - measured > MEASURE_SECONDS:
                    await self._measure()
                    measured = time.monotonic()
                taken = await self._next()
                if taken is None:
                    slots.release()
                    continue
            except (RedisError, *UNREADABLE):  # gone, or emptied: then the groups have to be made again
                is_open = False
                slots.release()
                log.info("jobs.waiting", extra={"store": "jobs"})
                await asyncio.sleep(self._pace.rest_seconds)
                continue
            task = asyncio.create_task(self._one(taken), context=Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda done: _over(done, slots))

    async def _next(self) -> Taken | None:
        """Take a job, or wait a while for one to come; what comes between looking and waiting is not missed."""
        if taken := await self._queue.take():
            return taken
        marks = await self._queue.marks()
        if taken := await self._queue.take():
            return taken
        await self._queue.wait(marks)
        return None

    async def _measure(self) -> None:
        for waiting in await self._queue.waiting():
            metrics.JOBS_WAITING.labels(waiting.priority).set(waiting.depth)
            metrics.JOBS_AGE.labels(waiting.priority).set(waiting.age_seconds)

    async def _one(self, taken: Taken) -> None:
        """Run what was taken, to its end. Where the store goes away meanwhile, the lease ends and it is run again."""
        try:
            await self._run(taken)
            if await self._ended(taken):  # else it is another worker's by now
                await self._queue.done(taken)
        except (RedisError, Unavailable):
            log.info("job.left", extra={"store": "jobs"})

    async def _ended(self, taken: Taken) -> bool:
        try:
            return (await self._jobs.record(taken.names)).job.status in ENDED
        except NotFound:
            return True

    async def _run(self, taken: Taken) -> None:
        owner = secrets.token_hex(8)
        attempt = await self._jobs.begin(taken.names, owner)
        try:
            record = await self._jobs.record(taken.names)
        except NotFound:
            return
        if attempt == 0:  # ended, or cancelled while it waited
            return
        correlation.adopt(record.correlation_id, record.trace)
        attributes: tracing.Attributes = {"messaging.operation.type": "process", "messaging.destination.name": "jobs"}
        with tracing.span("run job", SpanKind.CONSUMER, attributes, parent=record.trace):
            try:
                if attempt > self._pace.attempts:
                    raise InternalError("the job's worker ended each time it was run")
                request = await self._jobs.content(taken.names)
                if request is None:
                    raise Gone("the job waited longer than its content is kept, or its key is lost")
                await self._judged(taken, record, request, owner)
            except TooLate:
                metrics.JOBS.labels("dropped").inc()
            except Problem as problem:
                if await self._jobs.fail(taken.names, owner, problem.document(record.correlation_id)):
                    metrics.JOBS.labels("failed").inc()
                    log.info("job.failed", extra={"error_code": problem.error_code})

    async def _judged(self, taken: Taken, record: Record, request: OrchestrateRequest, owner: str) -> None:
        progress, started = Progress(), time.monotonic()
        seconds = self._pace.job_seconds

        async def commit() -> bool:
            return await self._jobs.commit(taken.names, owner)

        judging = asyncio.create_task(judge(self._orchestrator, record, request, seconds, progress, commit))
        beating = asyncio.create_task(self._beat(taken, owner, progress, judging))
        try:
            await asyncio.wait({judging}, timeout=seconds + 1)  # what the deadlines inside have overlooked
            if not judging.done():
                raise RequestTimeout(f"the job took longer than {seconds:g} s")
            if judging.cancelled():
                raise TooLate
            answer = judging.result()
        finally:
            judging.cancel()
            await asyncio.gather(judging, beating, return_exceptions=True)
        if await self._jobs.succeed(taken.names, owner, answer):
            count(answer)
            metrics.JOBS.labels("succeeded").inc()
            metrics.JOB_SECONDS.labels(record.priority).observe(time.monotonic() - started)

    async def _beat(
        self, taken: Taken, owner: str, progress: Progress, judging: "asyncio.Task[OrchestrateResponse]"
    ) -> None:
        """Renew the lease, say how far the job is, and end it where it is no longer ours.

        Ends with *judging*, and is not cancelled: in the middle of an answer of the store a cancellation can be lost.
        """
        while True:
            await asyncio.wait({judging}, timeout=self._pace.beat_seconds)
            if judging.done():
                return
            try:
                if not await self._jobs.report(taken.names, owner, progress.value):
                    judging.cancel()
                    return
                await self._queue.renew(taken)
            except (RedisError, Unavailable):
                log.info("job.unreported", extra={"store": "jobs"})


def _over(task: "asyncio.Task[None]", slots: asyncio.Semaphore) -> None:
    """What nobody foresaw is a line in the log; the job is begun again after the lease, as often as jobs may be."""
    slots.release()
    _logged(task)


def _logged(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("job.crashed", exc_info=error)
