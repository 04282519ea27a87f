"""The queue of jobs: a Redis stream a priority, read by one group of workers.

An entry stays until its job has ended. Its worker has a lease on it and renews it while it works; what a dead worker
held is taken over by whoever asks next after the lease.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from llama_mapper.contracts.identifiers import JobId, TenantId
from llama_mapper.contracts.orchestration import Priority

from .records import PREFIX, PRIORITIES, Names

GROUP = "workers"
SHARES: dict[Priority, int] = {"critical": 8, "high": 4, "normal": 2, "low": 1}
"""Of 15 jobs taken while all wait, so many of each: the low ones come slowly, and always."""
BLOCK_MILLISECONDS = 1000
IDLE_CONSUMER_MILLISECONDS = 3_600_000


def stream_of(priority: Priority) -> str:
    return f"{PREFIX}:queue:{priority}"


STREAMS = tuple(stream_of(priority) for priority in PRIORITIES)


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry that this worker has a lease on."""

    stream: str
    entry: str
    names: Names


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is in one priority's queue, waiting or being worked on; age in seconds, of the oldest."""

    priority: Priority
    depth: int
    age_seconds: float


def turns() -> list[Priority]:
    """Fifteen turns, each priority spread evenly over its own (smooth weighted round robin)."""
    credit = dict.fromkeys(SHARES, 0)
    order: list[Priority] = []
    for _ in range(sum(SHARES.values())):
        for priority, share in SHARES.items():
            credit[priority] += share
        best = max(PRIORITIES, key=lambda one: credit[one])
        credit[best] -= sum(SHARES.values())
        order.append(best)
    return order


class JobQueue:
    """*redis* must wait longer for an answer than ``BLOCK_MILLISECONDS``; *worker* names this process."""

    def __init__(self, redis: "Redis", worker: str, lease_seconds: float) -> None:
        self._redis = redis
        self._worker = worker
        self._lease_ms = int(lease_seconds * 1000)
        self._turns = cycle(turns())
        self._look_again = 0.0

    async def open(self) -> None:
        """Make streams and groups unless they are there; forget workers that are long gone and hold nothing."""
        for stream in STREAMS:
            try:
                await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
            for one in await self._redis.xinfo_consumers(stream, GROUP):
                if one["pending"] == 0 and one["idle"] > IDLE_CONSUMER_MILLISECONDS:
                    await self._redis.xgroup_delconsumer(stream, GROUP, one["name"])

    async def take(self) -> Taken | None:
        """Take one job: one that its worker left, else the next by priority; None where none waits."""
        if taken := await self._left():
            return taken
        first = stream_of(next(self._turns))
        for stream in (first, *(one for one in STREAMS if one != first)):
            answer = await self._redis.xreadgroup(GROUP, self._worker, {stream: ">"}, count=1)
            for entry, fields in _entries(answer):
                return _taken(stream, entry, fields)
        return None

    async def marks(self) -> dict[str, str]:
        """Where each stream ends now, for ``wait``."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream in STREAMS:
                pipe.xinfo_stream(stream)
            infos = cast(list[dict[str, Any]], await pipe.execute())
        return {stream: bytes(info["last-generated-id"]).decode() for stream, info in zip(STREAMS, infos, strict=True)}

    async def wait(self, marks: dict[str, str]) -> None:
        """Return when a job came after *marks*, or after a while."""
        given = cast(dict[Any, Any], marks)
        await self._redis.xread(given, count=1, block=BLOCK_MILLISECONDS)

    async def renew(self, taken: Taken) -> None:
        await self._redis.xclaim(
            taken.stream, GROUP, self._worker, min_idle_time=0, message_ids=[taken.entry], justid=True
        )

    async def done(self, taken: Taken) -> None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(taken.stream, GROUP, taken.entry)
            pipe.xdel(taken.stream, taken.entry)
            await pipe.execute()

    async def waiting(self) -> tuple[Waiting, ...]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream in STREAMS:
                pipe.xlen(stream)
                pipe.xrange(stream, count=1)
            found = await pipe.execute()
        pairs = zip(PRIORITIES, found[::2], found[1::2], strict=True)
        return tuple(Waiting(priority, int(depth), _age(oldest)) for priority, depth, oldest in pairs)

    async def _left(self) -> Taken | None:
        """Looked for twice a lease: each look costs four questions."""
        if time.monotonic() < self._look_again:
            return None
        for stream in STREAMS:
            answer = await self._redis.xautoclaim(stream, GROUP, self._worker, self._lease_ms, count=1)
            for entry, fields in answer[1]:
                if fields:
                    return _taken(stream, entry, fields)
        self._look_again = time.monotonic() + self._lease_ms / 2000
        return None


def _entries(answer: Any) -> Sequence[tuple[bytes, dict[bytes, bytes]]]:
    """Those of the only stream asked; the client answers a list, or a mapping in RESP3."""
    if isinstance(answer, dict):
        return [entry for entries in answer.values() for part in entries for entry in part]
    return [entry for _, entries in answer or () for entry in entries]


def _taken(stream: str, entry: bytes, fields: dict[bytes, bytes]) -> Taken:
    names = Names(TenantId(fields[b"tenant"].decode()), JobId(fields[b"id"].decode()))
    return Taken(stream, entry.decode(), names)


def _age(oldest: Sequence[tuple[bytes, Any]]) -> float:
    if not oldest:
        return 0.0
    return max(0.0, time.time() - int(oldest[0][0].split(b"-")[0]) / 1000)
