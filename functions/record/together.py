"""Calls that come while one is under way are made together, as the next one.

The embedded engine takes one call at a time and pays for each as a file of its own, whatever it holds; a server does
the same by itself (``async_insert``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from llama_mapper.contracts.problems import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 500


class Together(Generic[Item, Result]):
    """Hands *work* up to ``MOST`` items at once and gives each caller the result in its item's place."""

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._round: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """Return what *work* made of *item*.

        Raises:
            Unavailable: *work* failed with this item alone, too. Its other faults reach the whole batch.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._round is None:
            self._round = asyncio.create_task(self._until_none_waits())
        return await future

    async def _until_none_waits(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                if not await self._try(batch):
                    for one in batch:  # what one item is refused for must not fail the others
                        await self._try([one], last=True)
        finally:
            self._round = None

    async def _try(self, batch: Sequence[tuple[Item, "asyncio.Future[Result]"]], *, last: bool = False) -> bool:
        # Gathered, so that a fault of ours is an answer too: whoever waits must not wait for ever.
        (outcome,) = await asyncio.gather(self._work([item for item, _ in batch]), return_exceptions=True)
        if isinstance(outcome, Unavailable) and not last and len(batch) > 1:
            return False
        results: Sequence[Result | BaseException] = (
            [outcome] * len(batch) if isinstance(outcome, BaseException) else outcome
        )
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)
        return True


def _settle(future: "asyncio.Future[Result]", outcome: Result | BaseException) -> None:
    if future.done():  # its caller went away
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
