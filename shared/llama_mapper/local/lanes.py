"""A lane takes entries off one queue and works on many at once; one that waits for its retry holds nobody up.

Entries with a key are the exception: those of one key are worked on one after the other, in the queue's order.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine

from redis.exceptions import RedisError, ResponseError

from llama_mapper.chassis.logs import get_logger

from .streams import Entry, Queue

log = get_logger(__name__)

START = "0-0"
READ_AT_ONCE = 64
STORE_PAUSE_SECONDS = 0.5


Work = Callable[[Entry], Coroutine[None, None, None]]
"""Brings one entry to its outcome and settles it; an entry it leaves is taken up again by the next start."""

KeyOf = Callable[[Entry], str | None]
"""The key whose entries keep their order; None for an entry that keeps none."""


def no_key(_: Entry) -> None:
    """No entry keeps an order."""


class Lane:
    """Hands each entry of *queue* to *work*, at most *backlog* unfinished ones at a time.

    Entries that wait for an earlier one of their key come on top of the backlog, so that one key's long wait leaves
    room for every other key; beyond as many again, only the ids of those that wait are kept in memory.
    """

    def __init__(self, name: str, queue: Queue, work: Work, backlog: int, key_of: KeyOf = no_key) -> None:
        self._name = name
        self._queue = queue
        self._work = work
        self._backlog = backlog
        self._key_of = key_of
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lines: dict[str, deque[Entry]] = {}
        self._waiting: set[str] = set()
        self._finished: set[str] = set()
        self._reader: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        self._reader = asyncio.create_task(self._run())

    async def stop(self, drain_seconds: float) -> int:
        """Read no more, let work in progress end within *drain_seconds*; returns how many entries were left."""
        self._stopping = True  # the store's client can swallow a cancellation while it connects
        if self._reader:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if not self._tasks:
            return len(self._waiting)
        _, late = await asyncio.wait(self._tasks.values(), timeout=drain_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late) + len(self._waiting)

    async def _run(self) -> None:
        """Take up what an earlier run left unfinished, then what is new."""
        cursor: str | None = START
        while not self._stopping:
            self._finished.clear()
            try:
                entries, cursor = await self._next(cursor, await self._room())
            except RedisError as error:
                await self._pause(error)
                if isinstance(error, ResponseError):  # NOGROUP: the store came back empty
                    await self._reopen()
                cursor = START  # the lost answer may have held entries, which are now this consumer's
                continue
            for entry in entries:
                self._take(entry)

    async def _next(self, cursor: str | None, count: int) -> tuple[list[Entry], str | None]:
        if cursor is None:
            return await self._queue.read(count), None
        following, entries = await self._queue.claim(cursor, count)
        return entries, None if following == START else following

    async def _room(self) -> int:
        while len(self._tasks) >= self._backlog:
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        return min(READ_AT_ONCE, self._backlog - len(self._tasks))

    async def _reopen(self) -> None:
        try:
            await self._queue.open()
        except RedisError as error:
            log.warning("store.failed", extra={"trigger": self._name, "reason": type(error).__name__})

    async def _pause(self, error: RedisError) -> None:
        log.warning("store.failed", extra={"trigger": self._name, "reason": type(error).__name__})
        await asyncio.sleep(STORE_PAUSE_SECONDS)

    def _take(self, entry: Entry) -> None:
        """Begin with *entry*, or let it wait for its key's turn; one that is known already came twice."""
        # An entry can be settled while the answer that still has it is under way.
        if entry.id in self._tasks or entry.id in self._waiting or entry.id in self._finished:
            return
        key = self._key_of(entry)
        if key is not None and (line := self._lines.get(key)) is not None:
            line.append(entry if len(self._waiting) < self._backlog else entry.bare())
            self._waiting.add(entry.id)
            return
        if key is not None:
            self._lines[key] = deque()
        self._begin(entry, key)

    def _begin(self, entry: Entry, key: str | None) -> None:
        task = asyncio.create_task(self._bring(entry), name=entry.id)
        self._tasks[entry.id] = task
        task.add_done_callback(lambda ended: self._done(ended, key))

    async def _bring(self, entry: Entry) -> None:
        found: Entry | None = entry
        while found and not found.fields:  # its turn came, and only its id was kept
            try:
                found = await self._queue.find(entry.id)
            except RedisError as error:
                await self._pause(error)
        if found:
            await self._work(found)

    def _done(self, task: asyncio.Task[None], key: str | None) -> None:
        self._tasks.pop(task.get_name(), None)
        self._finished.add(task.get_name())
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery.crashed", extra={"trigger": self._name}, exc_info=error)
        if key is None or self._stopping:
            return
        line = self._lines[key]
        if line:
            following = line.popleft()
            self._waiting.discard(following.id)
            self._begin(following, key)
        else:
            del self._lines[key]
