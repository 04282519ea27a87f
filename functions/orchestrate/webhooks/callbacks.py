"""Callbacks: after its end a job is posted to where it was asked to be, signed, and again until it is taken.

What is due waits in Redis, so a restart goes on where it was. A receiver that answers 410, or an address that may not
be called, ends it at once; one that never answers ends it after the last try. Such callbacks are kept and can be
sent again. The receiver may get one twice: ``webhook-id`` is the same.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from llama_mapper.chassis import correlation, metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.jobs import Callback, DeadCallbacks
from llama_mapper.contracts.problems import NotFound, Unavailable
from llama_mapper.identity.keys import utc_now
from llama_mapper.identity.reaching import reached

from ..jobs.records import ENDED, PREFIX, Names, Record, id_prefix, named
from ..jobs.scripts import LEASE
from ..jobs.store import DUE, TOMBSTONE_SECONDS, RedisJobs
from .sending import NotSent, Sender
from .signing import WebhookSecrets, sign
from .targets import TargetRefused, Targets

log = get_logger(__name__)

LEASE_SECONDS = 60.0
"""Longer than a sending may take; a process that dies leaves its callback to another after it."""
GONE = 410
KEPT_SECONDS = 2 * 86_400
"""How old a job may be whose dead callback is still kept; the job itself is gone by then."""


Hosts = Callable[[TenantId], Awaitable[Sequence[str] | None]]
"""Those that a tenant allows now; None where it leaves that to the settings. Raises Unavailable."""


async def any_host(_: TenantId) -> None:
    """No tenant says anything."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a callback is sent at most, and the pauses between: *first_seconds*, each three times the last."""

    attempts: int = 5
    first_seconds: float = 15.0
    look_seconds: float = 1.0
    at_once: int = 4

    def pause(self, attempt: int) -> float:
        """Seconds after attempt number *attempt*, a fifth more or less: callbacks that failed together come apart."""
        return self.first_seconds * 3.0 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


class Webhooks:
    def __init__(
        self,
        redis: "Redis",
        jobs: RedisJobs,
        secrets: WebhookSecrets,
        targets: Targets,
        sender: Sender,
        patience: Patience,
        hosts: Hosts = any_host,
    ) -> None:
        self._redis = redis
        self._jobs = jobs
        self._secrets = secrets
        self._targets = targets
        self._sender = sender
        self._patience = patience
        self._hosts = hosts
        self._loop: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        if self._loop is None or self._loop.done():
            self._loop = asyncio.get_running_loop().create_task(self._work(), context=Context())
            self._loop.add_done_callback(_over)

    async def aclose(self) -> None:
        self._closing = True
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self._sender.aclose()

    async def dead(self, tenant_id: TenantId) -> DeadCallbacks:
        with reached("the store of callbacks"):
            kept: dict[bytes, bytes] = await cast(Awaitable[Any], self._redis.hgetall(_dead(tenant_id)))
        found = [Callback.model_validate_json(one) for one in kept.values()]
        return DeadCallbacks(callbacks=tuple(sorted(found, key=lambda one: one.ended_at, reverse=True)))

    async def again(self, names: Names) -> None:
        """Send a dead callback again, with all its tries.

        Raises:
            NotFound: it is not among the tenant's dead ones.
        """
        with reached("the store of callbacks"):
            if not await self._redis.hdel(_dead(names.tenant_id), names.job_id):
                raise NotFound("no such dead callback; GET /api/v1/webhooks/dead lists them")
            await self._redis.zadd(DUE, {names.member: 0})
        self.start()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._patience.at_once):
                group.create_task(self._look())

    async def _look(self) -> None:
        while not self._closing:
            try:
                now = int(time.time() * 1000)
                until = now + int(LEASE_SECONDS * 1000)
                member = await self._redis.eval(LEASE, 1, DUE, now, until)
                if member:
                    await self._one(named(member))
                    continue
            except (RedisError, Unavailable, ValueError, TypeError):
                log.info("callbacks.waiting", extra={"store": "callbacks"})
            await asyncio.sleep(self._patience.look_seconds)

    async def _one(self, names: Names) -> None:
        try:
            record = await self._jobs.record(names)
        except NotFound:
            await self._redis.zrem(DUE, names.member)
            return
        if record.job.status not in ENDED:
            await self._redis.zrem(DUE, names.member)
            return
        correlation.adopt(record.correlation_id, record.trace)
        attempt = await self._redis.incr(_tries(names))
        await self._redis.expire(_tries(names), TOMBSTONE_SECONDS)
        outcome, final = await self._sent(names, record)
        metrics.CALLBACKS.labels(_kind(outcome)).inc()
        if outcome.startswith("2"):
            await self._settled(names)
        elif final or attempt >= self._patience.attempts:
            await self._bury(names, attempt, outcome)
        else:
            due = int((time.time() + self._patience.pause(attempt)) * 1000)
            await self._redis.zadd(DUE, {names.member: due})

    async def _sent(self, names: Names, record: Record) -> tuple[str, bool]:
        """Send it once; what came of that, and whether sending it again is of no use."""
        url = self._jobs.callback(names, record)
        if url is None:
            return "address.lost", True
        body = record.job.model_dump_json().encode()
        try:
            among = await self._hosts(names.tenant_id)
        except Unavailable:
            return "no_policy", False
        try:
            keys = (await self._secrets.of(names.tenant_id)).signing(utc_now())
            target = await self._targets.resolve(url, names.tenant_id, among)
            status = await self._sender.send(target, sign(keys, names.job_id, utc_now(), body), body)
        except TargetRefused as refused:
            return str(refused), True
        except NotSent as error:
            return str(error), False
        except OSError:
            return "no_address", False
        except Unavailable:
            return "no_secret", False
        return str(status), status == GONE

    async def _settled(self, names: Names) -> None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(DUE, names.member)
            pipe.delete(_tries(names))
            await pipe.execute()

    async def _bury(self, names: Names, attempts: int, outcome: str) -> None:
        log.warning("callback.dead", extra={"reason": _kind(outcome)})
        metrics.CALLBACKS.labels("dead").inc()
        dead = Callback(job_id=names.job_id, attempts=attempts, outcome=outcome, ended_at=utc_now())
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(DUE, names.member)
            pipe.delete(_tries(names))
            pipe.hset(_dead(names.tenant_id), names.job_id, dead.model_dump_json())
            pipe.expire(_dead(names.tenant_id), KEPT_SECONDS)
            pipe.hkeys(_dead(names.tenant_id))
            kept: list[bytes] = (await pipe.execute())[-1]
        oldest = id_prefix(utc_now() - timedelta(seconds=KEPT_SECONDS)).encode()
        if past := [one for one in kept if one < oldest]:
            await self._redis.hdel(_dead(names.tenant_id), *past)


def _over(task: "asyncio.Task[None]") -> None:
    """What nobody foresaw is a line in the log; the next readiness probe begins again."""
    if not task.cancelled() and (error := task.exception()):
        log.error("callbacks.crashed", exc_info=error)


def _kind(outcome: str) -> str:
    """For a label: a status by its class, so that no receiver makes series."""
    return f"{outcome[0]}xx" if outcome[:1].isdigit() else outcome


def _tries(names: Names) -> str:
    return f"{PREFIX}:callbacks:tries:{names.member}"


def _dead(tenant_id: TenantId) -> str:
    return f"{PREFIX}:callbacks:dead:{tenant_id}"
