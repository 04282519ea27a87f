"""Who may ask the predictor when: so many calls at once, equal ones once, and nobody waits longer than they said.

See docs/decisions/0012-bounded-calls.md.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextvars import ContextVar
from typing import Generic, NamedTuple, TypeVar

from llama_mapper.contracts.problems import RequestTimeout

Answer = TypeVar("Answer")

HURRY_SECONDS = 5.0
"""Whoever has less time than that is in a hurry."""
SLOW_SECONDS = 2.5
"""Longer than that a call should not take even where nobody is in a hurry."""
MAX_LATE = 1_000
# One late call halves the room, and ten times as many in time as there is room for add one: where two at once are too
# many, that is tried once in ten calls (TCP's additive increase, multiplicative decrease). Patient calls prove less.
_GROWTH, _PATIENT_GROWTH = 0.1, 0.02


class _Wait(NamedTuple):
    since: float
    seconds: float | None


_WAIT: ContextVar[_Wait | None] = ContextVar("wait", default=None)


@contextlib.contextmanager
def waiting(seconds: float | None = None) -> Iterator[None]:
    """Say that whoever asks inside the block waits from now on: for *seconds*, or for the predictor's own budget."""
    token = _WAIT.set(_Wait(time.monotonic(), seconds))
    try:
        yield
    finally:
        _WAIT.reset(token)


class Turns(Generic[Answer]):
    """At most *size* calls at once, and no more than still let a hurried one come in time.

    How many these are is found by trying: on two cores two calls at once take as long as one after the other, on a GPU
    thirty take as long as one. A call that has begun is never broken off because its caller went: the server has spent
    the work already, and its answer is kept for the next who asks the same.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = float(size)
        self._under_way = self._patient = 0
        self._waiting = {True: 0, False: 0}  # by hurried
        self._hurried_last = False
        self._shrunk = -math.inf
        self._waiters: list[asyncio.Future[None]] = []
        self._running: dict[tuple[Hashable, bool], asyncio.Task[Answer]] = {}
        self._slow: set[asyncio.Task[Answer] | None] = set()
        self._late: dict[Hashable, Answer] = {}

    async def ask(self, key: Hashable, call: Callable[[], Awaitable[Answer]], seconds: float) -> Answer:
        """Return what *call* gives, or what an equal call is giving already.

        Args:
            key: equal for calls that give the same answer.
            seconds: longest wait of a caller that has not said another; from now, or from when they began to wait.

        Raises:
            RequestTimeout: no turn, or no answer, within the time.
        """
        if key in self._late:
            return self._late.pop(key)
        wait = _WAIT.get() or _Wait(time.monotonic(), None)
        left = wait.since + (seconds if wait.seconds is None else wait.seconds) - time.monotonic()
        hurried = left < HURRY_SECONDS
        task = self._running.get((key, hurried))
        if task is None:
            task = asyncio.get_running_loop().create_task(self._run(call, left, hurried))
            self._running[key, hurried] = task
            task.add_done_callback(lambda _: self._running.pop((key, hurried), None))
        try:
            async with asyncio.timeout(left):
                return await asyncio.shield(task)
        except (TimeoutError, asyncio.CancelledError) as gone:
            task.add_done_callback(lambda done: self._keep(key, done))
            if isinstance(gone, asyncio.CancelledError):
                raise
            if hurried:
                self._too_late(task)
            raise RequestTimeout("the predictor did not answer in time") from None

    async def _run(self, call: Callable[[], Awaitable[Answer]], left: float, hurried: bool) -> Answer:
        async with self._turn(left / 2 if hurried else left, hurried):  # the other half is for the answer
            began = time.monotonic()
            answer = await call()
        if not hurried and time.monotonic() - began > SLOW_SECONDS:
            self._shrink(began)
        elif asyncio.current_task() not in self._slow:
            growth = _GROWTH if hurried else _PATIENT_GROWTH
            self._room = min(float(self._size), self._room + growth / self._room)
        return answer

    def _too_late(self, task: "asyncio.Task[Answer]") -> None:
        """Make less room, once for each call and without waiting for its end: until then many more could begin."""
        if task not in self._slow:
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)
            self._shrink(math.inf)

    def _shrink(self, began: float) -> None:
        """Make less room, unless the call *began* before that was last done: it says nothing of the room there is."""
        if began >= self._shrunk:
            self._shrunk = time.monotonic()
            self._room = max(1.0, self._room / 2)

    @contextlib.asynccontextmanager
    async def _turn(self, seconds: float, hurried: bool) -> AsyncIterator[None]:
        self._waiting[hurried] += 1
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                while not self._free(hurried):
                    self._waiters.append(asyncio.get_running_loop().create_future())
                    await self._waiters[-1]
        except TimeoutError:
            raise RequestTimeout("the predictor is busy") from None
        finally:
            self._waiting[hurried] -= 1
            self._wake()
        self._under_way += 1
        self._patient += not hurried
        self._hurried_last = hurried
        try:
            yield
        finally:
            self._under_way -= 1
            self._patient -= not hurried
            self._wake()

    def _wake(self) -> None:
        """Let all look again whether it is their turn, in the order in which they came."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _free(self, hurried: bool) -> bool:
        """Whether there is a turn. Patient callers leave one to those in a hurry; where both wait they take turns."""
        room = int(self._room)
        for_patient = self._under_way == 0 or (self._patient < room - 1 and self._under_way < self._size)
        if hurried:
            theirs = for_patient and self._waiting[False] and self._hurried_last
            return self._under_way < room and not theirs
        return for_patient and (self._hurried_last or not self._waiting[True])

    def _keep(self, key: Hashable, done: "asyncio.Task[Answer]") -> None:
        if done.cancelled() or done.exception():
            return
        if len(self._late) >= MAX_LATE:
            del self._late[next(iter(self._late))]  # the oldest
        self._late[key] = done.result()
