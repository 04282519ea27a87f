"""One run from start to stop: lock, ports, signals, and the state others read."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from . import state
from .directory import RunDirectory
from .layout import Part
from .ports import in_use, is_free
from .refusal import CannotRun
from .state import PartState, Phase, RunState
from .supervisor import Patience, Supervisor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Screen(Protocol):
    """Where a person watches."""

    def changed(self, part: PartState) -> None:
        """A part has a new state."""

    def say(self, line: str) -> None:
        """Something a person should know."""

    def up(self, run: RunState) -> None:
        """Everything that will start has started."""

    def stopping(self) -> None:
        """The end began."""


class Plan(Protocol):
    """What to run, and where it keeps its files; ``layout.Layout`` is the real one."""

    @property
    def directory(self) -> RunDirectory: ...

    def parts(self) -> tuple[Part, ...]:
        """Every part, in the order of the start; asked once, when the directory is there."""


class Session:
    """A run of *plan*, shown on *screen*."""

    def __init__(self, plan: Plan, screen: Screen, patience: Patience | None = None) -> None:
        self._plan = plan
        self._screen = screen
        self._patience = patience
        self._started = time.time()
        self._phase: Phase = "starting"
        self._supervisor: Supervisor | None = None

    async def run(self, *, fresh: bool = False) -> None:
        """Start all, stay until a signal, stop all.

        Raises:
            CannotRun: another run has the directory, a port is taken, or a required part does not start.
        """
        directory = self._plan.directory
        directory.create()
        lock = directory.lock()
        try:
            if fresh:
                directory.forget()
            parts = tuple(with_free_port(part) for part in self._plan.parts())
            self._supervisor = Supervisor(parts, self._changed, self._patience)
            self._write()
            await self._serve(self._supervisor)
        finally:
            directory.state.unlink(missing_ok=True)
            os.close(lock)

    async def _serve(self, supervisor: Supervisor) -> None:
        end = asyncio.Event()
        with _signals(end, supervisor):
            start = asyncio.create_task(supervisor.start())
            ended = asyncio.create_task(end.wait())
            try:
                await asyncio.wait([start, ended], return_when=asyncio.FIRST_COMPLETED)
                if start.done():
                    start.result()
                    self._enter("up")
                    self._screen.up(self._state())
                    await ended
            finally:
                start.cancel()
                ended.cancel()
                self._enter("stopping")
                self._screen.stopping()
                await supervisor.stop()

    def _changed(self, part: PartState, line: str) -> None:
        self._write()
        self._screen.changed(part)
        if line:
            self._screen.say(line)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._write()

    def _state(self) -> RunState:
        assert self._supervisor is not None
        return RunState(pid=os.getpid(), phase=self._phase, started=self._started, parts=self._supervisor.states)

    def _write(self) -> None:
        state.write(self._plan.directory.state, self._state())


def with_free_port(part: Part) -> Part:
    """Return *part*, absent where it is optional and somebody else has its port.

    Raises:
        CannotRun: somebody else has the port of a required part.
    """
    if is_free(part.port):
        return part
    if not part.optional:
        raise CannotRun(in_use(part.name, part.port))
    return replace(part, absent=in_use(part.name, part.port))


@contextlib.contextmanager
def _signals(end: asyncio.Event, supervisor: Supervisor) -> Iterator[None]:
    """The first signal asks for the end, a second one does not wait for it."""

    def asked() -> None:
        if end.is_set():
            supervisor.hurry()
        end.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, asked)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
