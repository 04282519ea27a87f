"""How many calls one detector is given at once: a call waits for its turn as long as it may, a crowd is sent away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llama_mapper.chassis import metrics
from llama_mapper.contracts.problems import DetectorOverloaded

QUEUE = 3
"""Who stands further behind would wait three calls long: most deadlines are over by then."""


class Slots:
    """*limit* calls at once to *name*; ``QUEUE`` times as many may wait."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._most = name, (1 + QUEUE) * limit
        self._slots = asyncio.Semaphore(limit)
        self._admitted = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Stand in the queue, as one call whatever its parts.

        Raises:
            DetectorOverloaded: as many are at it and waiting as may.
        """
        if self._admitted >= self._most:
            raise self._overloaded()
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @asynccontextmanager
    async def taken(self, seconds: float) -> AsyncIterator[None]:
        """Take a slot, waiting *seconds* for one.

        Raises:
            DetectorOverloaded: none became free.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise self._overloaded() from None
        try:
            yield
        finally:
            self._slots.release()

    def _overloaded(self) -> DetectorOverloaded:
        metrics.FALLBACKS.labels("detector.overloaded").inc()
        return DetectorOverloaded(f"{self._name} has as many calls as it takes", retry_after_seconds=1)
