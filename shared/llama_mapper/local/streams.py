"""Where events wait: Redis streams, each read by one consumer group, an entry gone with its outcome.

Every Trigger has a stream of its own, so that an outcome (a reply to hand on, a dead letter to keep) and the end of
the entry are one transaction, and no entry outlives its outcome because another Trigger is slow.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from .cloud_events import Event

# One broker owns the streams, so a restarted one is the same consumer and may take everything unfinished at once.
CONSUMER = "broker"
BLOCK_MILLISECONDS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream; its id is the time of arrival in milliseconds, and a counter."""

    id: str
    fields: Mapping[bytes, bytes]

    @property
    def event(self) -> Event:
        return Event(json.loads(self.fields[b"attributes"]), self.fields[b"data"])

    @property
    def hops(self) -> int:
        """How often a reply may still re-enter the broker in this event's chain."""
        return int(self.fields[b"hops"])

    def text(self, name: str) -> str:
        return self.fields[name.encode()].decode()

    def bare(self) -> "Entry":
        """Return the entry without its fields, which ``Queue.find`` reads again."""
        return Entry(self.id, {})


def pack(event: Event, hops: int, **more: str) -> dict[Any, Any]:
    return {"attributes": json.dumps(dict(event.attributes)), "data": event.data, "hops": hops, **more}


class Queue:
    """The stream at *key*, as its one reader sees it."""

    def __init__(self, redis: Redis, key: str, group: str = "deliver") -> None:
        self._redis = redis
        self.key = key
        self._group = group

    async def open(self) -> None:
        """Make stream and group, unless they are there."""
        try:
            await self._redis.xgroup_create(self.key, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def claim(self, start: str, count: int) -> tuple[str, list[Entry]]:
        """Take over up to *count* unfinished entries from id *start*; returns where to go on, ``0-0`` at the end."""
        answer = await self._redis.xautoclaim(self.key, self._group, CONSUMER, 0, start_id=start, count=count)
        return answer[0].decode(), entries_of(answer[1])

    async def read(self, count: int) -> list[Entry]:
        """Wait a moment for new entries and take up to *count*."""
        answer = await self._redis.xreadgroup(
            self._group, CONSUMER, {self.key: ">"}, count=count, block=BLOCK_MILLISECONDS
        )
        return [entry for _, entries in cast(Any, answer) or () for entry in entries_of(entries)]

    async def find(self, entry_id: str) -> Entry | None:
        """Return the entry with its fields; None where it is no longer there."""
        found = entries_of(await self._redis.xrange(self.key, entry_id, entry_id))
        return found[0] if found else None

    async def depth(self) -> int:
        """How many entries have no outcome yet."""
        return int(await self._redis.xlen(self.key))

    def append(self, pipe: Pipeline, event: Event, hops: int) -> None:
        pipe.xadd(self.key, pack(event, hops))

    def finish(self, pipe: Pipeline, entry_id: str, *, keep: bool = False) -> None:
        """Settle the entry; it goes unless it is to be kept."""
        pipe.xack(self.key, self._group, entry_id)
        if not keep:
            pipe.xdel(self.key, entry_id)


def entries_of(raw: Any) -> list[Entry]:
    """Type what the client returns; an entry deleted since has no fields and is left out."""
    return [Entry(entry_id.decode(), fields) for entry_id, fields in raw if fields]
