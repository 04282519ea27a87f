"""A lane takes entries off one queue and works on many at once; one that waits for its retry holds nobody up."""

import asyncio
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


class Lane:
    """Hands each entry of *queue* to *work*, at most *backlog* unfinished ones at a time."""

    def __init__(self, name: str, queue: Queue, work: Work, backlog: int) -> None:
        self._name = name
        self._queue = queue
        self._work = work
        self._backlog = backlog
        self._tasks: dict[str, asyncio.Task[None]] = {}
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
            return 0
        _, late = await asyncio.wait(self._tasks.values(), timeout=drain_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late)

    async def _run(self) -> None:
        """Take up what an earlier run left unfinished, then what is new."""
        cursor: str | None = START
        while not self._stopping:
            try:
                entries, cursor = await self._next(cursor, await self._room())
            except RedisError as error:
                log.warning("store.failed", extra={"trigger": self._name, "reason": type(error).__name__})
                await asyncio.sleep(STORE_PAUSE_SECONDS)
                if isinstance(error, ResponseError):  # NOGROUP: the store came back empty
                    await self._reopen()
                cursor = START  # the lost answer may have held entries, which are now this consumer's
                continue
            for entry in entries:
                if entry.id not in self._tasks:
                    task = asyncio.create_task(self._work(entry), name=entry.id)
                    self._tasks[entry.id] = task
                    task.add_done_callback(self._done)

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

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task.get_name(), None)
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery.crashed", extra={"trigger": self._name}, exc_info=error)
