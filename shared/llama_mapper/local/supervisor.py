"""Keep the parts running: start by need, restart what crashes, stop in reverse order within a deadline."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import processes
from .layout import Part
from .refusal import CannotRun
from .state import PartState

Listener = Callable[[PartState, str], None]
"""Told of every change: the part's new state, and a line for a person (empty where the state says all)."""

FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.03, 0.25


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds.

    ``start`` is from spawn to ready (a first start compiles bytecode and reads models); ``stop`` is for all parts
    together, SIGKILL follows. Pauses before a restart double from ``first_pause`` to ``longest_pause`` and begin anew
    when a part was ready for ``steady``. A part that was never ready is given up after ``attempts`` processes.
    """

    start: float = 120.0
    stop: float = 10.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    steady: float = 30.0
    attempts: int = 3


class Supervisor:
    """Runs *parts*, given in the order of their start: what a part needs comes before it."""

    def __init__(self, parts: Sequence[Part], listener: Listener, patience: Patience | None = None) -> None:
        self._parts = tuple(parts)
        self._listener = listener
        self._patience = patience or Patience()
        self._states = {p.name: PartState(name=p.name, port=p.port, optional=p.optional) for p in parts}
        self._settled: dict[str, asyncio.Future[bool]] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def states(self) -> tuple[PartState, ...]:
        return tuple(self._states.values())

    async def start(self) -> None:
        """Start everything; return when every awaited part is ready, or optional and given up. All go on being kept.

        Raises:
            CannotRun: a required part did not become ready; the others may be running, so call ``stop``.
        """
        for part in self._parts:
            if part.absent and not part.optional:
                raise CannotRun(f"{part.name} cannot be started: {part.absent}")
        self._settled = {part.name: asyncio.get_running_loop().create_future() for part in self._parts}
        self._keepers = [asyncio.create_task(self._keep(part)) for part in self._parts]
        await asyncio.gather(*(self._settled[part.name] for part in self._parts if part.awaited))

    async def stop(self) -> None:
        """Stop all in reverse order. May be called at any moment, also while ``start`` waits."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(f for f in self._settled.values() if f.done()), return_exceptions=True)
        deadline = time.monotonic() + self._patience.stop
        for part in reversed(self._parts):
            child = self._children.get(part.name)
            if child is not None:  # and stays there while it is being stopped, for ``hurry``
                gently = await processes.stop(child, deadline - time.monotonic())
                del self._children[part.name]
                line = "" if gently else f"{part.name} did not stop in time and was killed"
                self._change(part, line, state="stopped", pid=None)

    def hurry(self) -> None:
        """Kill what still runs; ``stop`` then returns at once."""
        for child in self._children.values():
            processes.kill(child)

    async def _keep(self, part: Part) -> None:
        """Start *part* and start it again whenever it ends, until it is given up or this task is cancelled."""
        if part.absent:
            return self._give_up(part, part.absent)
        if part.needs:
            await asyncio.wait([self._settled[need] for need in part.needs])
        pause, tries = self._patience.first_pause, 0
        while True:
            tries += 1
            try:
                why, ready_for = await self._one_life(part)
            except OSError as error:
                return self._give_up(part, f"it cannot be started ({error.strerror})")
            never_ready = not self._settled[part.name].done()
            if never_ready and (part.optional or tries >= self._patience.attempts):
                return self._give_up(part, f"it {why}")
            if ready_for > self._patience.steady:
                pause = self._patience.first_pause
            line = f"{part.name} {why}; starting it again in {pause:g} s (log: {part.log})"
            restarts = self._states[part.name].restarts + 1
            self._change(part, line, state="restarting", pid=None, ready_seconds=None, restarts=restarts)
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._patience.longest_pause)

    async def _one_life(self, part: Part) -> tuple[str, float]:
        """Run one process of *part* to its end; returns how it ended and for how many seconds it was ready."""
        spawned = time.monotonic()
        child = await processes.spawn(part.command, environment=part.environment, log=part.log, cwd=part.cwd)
        self._children[part.name] = child
        self._change(part, state="starting", pid=child.pid, since=time.time())
        ready_at = None
        if await self._until_ready(part, child):
            ready_at = time.monotonic()
            self._change(part, state="ready", ready_seconds=round(ready_at - spawned, 3))
            if not self._settled[part.name].done():
                self._settled[part.name].set_result(True)
            why = processes.how_it_ended(await child.wait())
        elif child.returncode is None:
            why = f"was not ready within {self._patience.start:g} s"
        else:
            why = processes.how_it_ended(child.returncode)
        await processes.stop(child, 1.0)
        del self._children[part.name]
        return why, time.monotonic() - ready_at if ready_at else 0.0

    async def _until_ready(self, part: Part, child: asyncio.subprocess.Process) -> bool:
        deadline, pause = time.monotonic() + self._patience.start, FIRST_POLL_SECONDS
        while child.returncode is None and time.monotonic() < deadline:
            if await part.probe.answers():
                return child.returncode is None
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, LAST_POLL_SECONDS)
        return False

    def _give_up(self, part: Part, why: str) -> None:
        settled = self._settled[part.name]
        if part.optional:
            line = f"{part.name} is left out: {why}. Everything else works without it."
            self._change(part, line, state="absent", pid=None, note=why)
            settled.set_result(False)
        else:
            self._change(part, state="failed", pid=None, note=why)
            if not settled.done():
                settled.set_exception(CannotRun(f"{part.name} did not start: {why}; see {part.log}"))

    def _change(self, part: Part, line: str = "", **changes: object) -> None:
        self._states[part.name] = self._states[part.name].model_copy(update=changes)
        self._listener(self._states[part.name], line)
