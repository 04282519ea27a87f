"""Ask a second time where the first answer is slow to come: the first good one counts, the other call is given up.

Only for calls that may be made twice. A budget bounds what that costs: where everything is slow, hedging would double
the load just when the detector can bear it least.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from pydantic import Field, model_validator

from llama_mapper.contracts.problems import Problem
from llama_mapper.contracts.wire import Wire

T = TypeVar("T")

SEEN = 512
"""How many latencies are kept; a percentile is taken from them."""
ENOUGH = 50
"""Fewer say nothing of a tail: nothing is hedged until then."""
SAVED = 10.0
"""Most hedges that a quiet time may save up."""


class Hedge(Wire):
    """When to ask a second time; one of the two."""

    after_seconds: float | None = Field(default=None, gt=0, le=60)
    percentile: float | None = Field(default=None, ge=50, le=99.9)
    """Of the latencies seen last."""
    budget: float = Field(default=0.05, gt=0, le=0.5)
    """Second calls, as a share of all."""

    @model_validator(mode="after")
    def _one(self) -> "Hedge":
        if (self.after_seconds is None) == (self.percentile is None):
            raise ValueError("after_seconds or percentile")
        return self


class Budget:
    """Each call earns *share* of a hedge, each hedge costs one; so there are at most ``share * calls``."""

    def __init__(self, share: float) -> None:
        self._share, self._saved = share, 0.0

    def earn(self) -> None:
        self._saved = min(SAVED, self._saved + self._share)

    def spend(self) -> bool:
        # Twenty times 0.05 is a hair below 1.
        if self._saved < 1 - 1e-9:
            return False
        self._saved = max(0.0, self._saved - 1)
        return True


class Hedging:
    """Hedges the calls to one detector; *outcome* is told ``won``, ``lost`` or ``over_budget`` of each hedge."""

    def __init__(self, said: Hedge, outcome: Callable[[str], object]) -> None:
        self._said, self._outcome = said, outcome
        self._budget = Budget(said.budget)
        self._seen: deque[float] = deque(maxlen=SEEN)
        self._after: float | None = said.after_seconds
        self._calls = 0

    async def __call__(self, ask: Callable[[float], Coroutine[Any, Any, T]], seconds: float) -> T:
        """Await ``ask(seconds)``, and a second one with what is left of them where the first takes too long.

        Raises:
            Problem: what the first of the two raised, where neither answered.
        """
        self._budget.earn()
        loop = asyncio.get_running_loop()
        started = loop.time()
        first = loop.create_task(ask(seconds))
        calls = [first]
        try:
            await asyncio.wait(calls, timeout=self._after)
            if not first.done():
                if self._budget.spend():
                    calls.append(loop.create_task(ask(started + seconds - loop.time())))
                else:
                    self._outcome("over_budget")
            winner = await _first_good(calls)
            if len(calls) > 1:
                self._outcome("lost" if winner is first else "won")
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            self._learn(loop.time() - started)
        return winner.result()

    def _learn(self, seconds: float) -> None:
        """Keep a latency; sorting them all for every call would cost more than it tells."""
        self._seen.append(seconds)
        self._calls += 1
        if self._said.percentile is None or len(self._seen) < ENOUGH or self._calls % 16:
            return
        ordered = sorted(self._seen)
        self._after = ordered[min(len(ordered) - 1, math.floor(len(ordered) * self._said.percentile / 100))]


async def _first_good(calls: Sequence["asyncio.Task[T]"]) -> "asyncio.Task[T]":
    """Wait for a call that answers; the first of *calls* where none does."""
    pending = set(calls)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for call in calls:
            if call in done and not isinstance(call.exception(), Problem):
                return call
    return calls[0]
