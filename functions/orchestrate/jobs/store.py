"""Jobs in Redis: the record in clear, content (the claim check), answer and callback sealed for tenant and job."""

import math
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer, Unsealable
from llama_mapper.contracts.identifiers import JobId, TenantId
from llama_mapper.contracts.jobs import Job, JobList, JobStatus
from llama_mapper.contracts.orchestration import OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import Conflict, Gone, NotFound, ProblemDocument, RateLimited
from llama_mapper.identity.keys import utc_now
from llama_mapper.identity.reaching import reached

from . import scripts as job_scripts
from .queue import stream_of
from .records import ENDED, PREFIX, Names, Order, Record, id_prefix, new_id, stamp, to_fields, to_record

DUE = f"{PREFIX}:callbacks:due"
TOMBSTONE_SECONDS = 86_400
"""How long after its end of life a job still says that there was one."""
POLL_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept, in seconds, and how many jobs of one tenant may wait or run."""

    job_seconds: int = 86_400
    content_seconds: int = 3_600
    most_open: int = 1_000


class RedisJobs:
    """Raises (all methods): Unavailable, where the store does not answer."""

    def __init__(self, redis: "Redis", sealer: Sealer, keeping: Keeping) -> None:
        self._redis = redis
        self._sealer = sealer
        self._keeping = keeping

    async def submit(self, order: Order) -> Job:
        """Keep the job and put it into its queue, in one step.

        Raises:
            RateLimited: too many of the tenant's jobs have not ended.
        """
        created = utc_now()
        expires = created + timedelta(seconds=self._keeping.job_seconds)
        names = Names(order.tenant_id, new_id(created))
        priority = order.request.priority
        fields: dict[str, str | bytes] = dict(to_fields(order, priority, created, expires))
        if order.callback:
            fields["callback"] = self._sealed(names, "callback", order.callback.encode())
        given = [
            self._keeping.most_open,
            int(created.timestamp()),
            math.ceil(expires.timestamp()),
            self._keeping.content_seconds,
            self._keeping.job_seconds + TOMBSTONE_SECONDS,
            self._sealed(names, "content", order.request.model_dump_json().encode()),
            names.job_id,
            names.tenant_id,
            id_prefix(created - timedelta(seconds=self._keeping.job_seconds + TOMBSTONE_SECONDS)),
            *(part for pair in fields.items() for part in pair),
        ]
        keys = [names.job, names.claim, names.index, names.open, stream_of(priority)]
        if not await self._run(job_scripts.SUBMIT, keys, given):
            raise RateLimited("too many of the tenant's jobs have not ended", retry_after_seconds=POLL_SECONDS)
        return to_record(names, {n.encode(): v if isinstance(v, bytes) else v.encode() for n, v in fields.items()}).job

    async def record(self, names: Names) -> Record:
        """Raises NotFound where the tenant has no such job, or no longer."""
        with reached("the store of jobs"):
            fields = await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(names.job))
        if b"expires" not in fields:
            raise NotFound("no such job; GET /api/v1/jobs lists them")
        return to_record(names, fields)

    async def list(self, tenant_id: TenantId, count: int, before: JobId | None) -> JobList:
        """The tenant's jobs, newest first, at most *count*, those older than *before*."""
        index = Names(tenant_id, JobId("")).index
        with reached("the store of jobs"):
            ids: Any = await self._redis.zrange(
                index, f"({before}" if before else "+", "-", desc=True, bylex=True, offset=0, num=count + 1
            )
            wanted = [Names(tenant_id, JobId(one.decode())) for one in ids[:count]]
            async with self._redis.pipeline(transaction=False) as pipe:
                for names in wanted:
                    pipe.hgetall(names.job)
                found: list[dict[bytes, bytes]] = await pipe.execute()
        kept = zip(wanted, found, strict=True)
        jobs = tuple(to_record(names, fields).job for names, fields in kept if b"expires" in fields)
        return JobList(jobs=jobs, next_cursor=wanted[-1].job_id if len(ids) > count else None)

    async def content(self, names: Names) -> OrchestrateRequest | None:
        """What is to be judged; None where it is no longer kept, or was sealed with a key that is lost."""
        with reached("the store of jobs"):
            sealed: Any = await self._redis.get(names.claim)
        plain = self._opened(names, "content", sealed)
        return OrchestrateRequest.model_validate_json(plain) if plain else None

    def callback(self, names: Names, record: Record) -> str | None:
        plain = self._opened(names, "callback", record.callback)
        return plain.decode() if plain else None

    async def result(self, names: Names) -> OrchestrateResponse:
        """Return the answer.

        Raises:
            NotFound: no such job.
            Conflict: it has not ended, or failed; its problem says why.
            Gone: it was cancelled, or its answer has expired.
        """
        job = (await self.record(names)).job
        if job.status not in ENDED:
            raise Conflict("the job has not ended yet", retry_after_seconds=POLL_SECONDS)
        if job.status == "failed":
            raise Conflict("the job failed and has no result; its problem says why")
        if job.status == "cancelled":
            raise Gone("the job was cancelled and has no result")
        with reached("the store of jobs"):
            sealed: Any = await self._redis.get(names.result)
        plain = self._opened(names, "result", sealed)
        if plain is None:
            raise Gone("the job's result has expired")
        return OrchestrateResponse.model_validate_json(plain)

    async def begin(self, names: Names, owner: str) -> int:
        """Take the job over; returns the number of this attempt, 0 where nothing is left to do."""
        return await self._run(job_scripts.BEGIN, [names.job], [owner, stamp()])

    async def report(self, names: Names, owner: str, progress: float) -> bool:
        """Say how far it is; False where it was cancelled or taken over."""
        return bool(await self._run(job_scripts.REPORT, [names.job], [owner, stamp(), f"{progress:.3f}"]))

    async def commit(self, names: Names, owner: str) -> bool:
        """Rule out that it is cancelled from now on; False where it was."""
        return bool(await self._run(job_scripts.COMMIT, [names.job], [owner]))

    async def succeed(self, names: Names, owner: str, answer: OrchestrateResponse) -> bool:
        sealed = self._sealed(names, "result", answer.model_dump_json().encode())
        return await self._end(names, owner, "succeeded", result=sealed) == 1

    async def fail(self, names: Names, owner: str, problem: ProblemDocument) -> bool:
        return await self._end(names, owner, "failed", problem=problem.model_dump_json()) == 1

    async def cancel(self, names: Names) -> Job:
        """End the job unjudged, and forget its content.

        Raises:
            NotFound: no such job.
            Conflict: it has ended, or its event is on the way already.
        """
        await self.record(names)
        ended = await self._end(names, "", "cancelled")
        if ended == 0:
            raise Conflict("the job has ended already")
        if ended < 0:
            raise Conflict("the job is about to end", retry_after_seconds=POLL_SECONDS)
        return (await self.record(names)).job

    async def _end(self, names: Names, owner: str, status: JobStatus, problem: str = "", result: bytes = b"") -> int:
        keys = [names.job, names.claim, names.result, names.open, DUE]
        due = int(time.time() * 1000)
        given = [owner, status, stamp(), problem, result, self._keeping.job_seconds, due, names.job_id, names.member]
        return await self._run(job_scripts.END, keys, given)

    async def _run(self, script: str, keys: Sequence[str], given: Sequence[Any]) -> int:
        with reached("the store of jobs"):
            return int(await self._redis.eval(script, len(keys), *keys, *given))

    def _sealed(self, names: Names, what: str, plain: bytes) -> bytes:
        return self._sealer.seal(plain, names.tenant_id, "job", names.job_id, what)

    def _opened(self, names: Names, what: str, sealed: bytes | None) -> bytes | None:
        try:
            return self._sealer.open(sealed, names.tenant_id, "job", names.job_id, what) if sealed else None
        except Unsealable:
            return None
