import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from llama_mapper.local.layout import Part
from llama_mapper.local.readiness import http
from llama_mapper.local.refusal import CannotRun
from llama_mapper.local.state import PartState
from llama_mapper.local.supervisor import Patience, Supervisor

MakePart = Callable[..., Part]
QUICK = Patience(start=20, stop=5, first_pause=0.01, longest_pause=0.05, attempts=2)
DEADLINE_SECONDS = 20.0


class Watcher:
    """Keeps what the supervisor said, and lets a test wait for a state."""

    def __init__(self) -> None:
        self.changes: list[PartState] = []
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, part: PartState, line: str) -> None:
        self.changes.append(part)
        self.lines += [line] if line else []
        self._news.set()

    async def until(self, wanted: Callable[[PartState], bool]) -> PartState:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                for part in self.changes:
                    if wanted(part):
                        return part
                self._news.clear()
                await self._news.wait()

    def order(self, state: str) -> list[str]:
        return [part.name for part in self.changes if part.state == state]


@asynccontextmanager
async def supervised(
    *parts: Part, patience: Patience = QUICK, start: bool = True
) -> AsyncIterator[tuple[Supervisor, Watcher]]:
    watcher = Watcher()
    supervisor = Supervisor(parts, watcher, patience)
    try:
        if start:
            await supervisor.start()
        yield supervisor, watcher
    finally:
        await supervisor.stop()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def lines(journal: Path) -> list[str]:
    return journal.read_text().splitlines()


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while alive(pid):  # noqa: ASYNC110  the kernel tells nobody but the parent
            await asyncio.sleep(0.01)


async def test_every_part_is_ready_after_start(make_part: MakePart) -> None:
    async with supervised(make_part("first"), make_part("second")) as (supervisor, _):
        assert [part.state for part in supervisor.states] == ["ready", "ready"]
        assert all(part.ready_seconds is not None and part.pid for part in supervisor.states)


async def test_a_part_starts_after_what_it_needs(make_part: MakePart) -> None:
    async with supervised(make_part("store"), make_part("broker", needs=("store",))) as (_, watcher):
        moments = [(part.name, part.state) for part in watcher.changes]
        assert moments.index(("store", "ready")) < moments.index(("broker", "starting"))


async def test_nobody_waits_for_a_part_that_is_not_awaited(make_part: MakePart) -> None:
    slow = replace(make_part("model", optional=True), awaited=False, probe=http(1))  # nobody answers there
    async with supervised(make_part("mapper"), slow) as (supervisor, _):
        states = {part.name: part.state for part in supervisor.states}
        assert states["mapper"] == "ready"
        assert states["model"] in ("waiting", "starting")


async def test_stopping_keeps_the_reverse_order(make_part: MakePart, journal: Path) -> None:
    parts = [make_part(name) for name in ("one", "two", "three")]
    async with supervised(*parts) as (supervisor, watcher):
        await supervisor.stop()
        assert watcher.order("stopped") == ["three", "two", "one"]
        assert [line for line in lines(journal) if line.startswith("end")] == [
            f"end {part.port}" for part in reversed(parts)
        ]


async def test_stopping_leaves_no_process_and_no_grandchild(make_part: MakePart, journal: Path) -> None:
    async with supervised(make_part("one", "--with-child"), make_part("two")) as (supervisor, _):
        await supervisor.stop()
        pids = [int(line.split()[1]) for line in lines(journal) if not line.startswith("end")]
        assert len(pids) == 3
        for pid in pids:
            await until_dead(pid)


async def test_a_part_deaf_to_sigterm_is_killed_and_said_so(make_part: MakePart) -> None:
    patience = Patience(start=20, stop=0.2)
    async with supervised(make_part("deaf", "--deaf"), patience=patience) as (supervisor, watcher):
        pid = supervisor.states[0].pid
        assert pid
        await supervisor.stop()
        assert not alive(pid)
        assert watcher.lines == ["deaf did not stop in time and was killed"]


async def test_a_crashed_part_is_started_again_and_said_so(make_part: MakePart) -> None:
    async with supervised(make_part("mapper")) as (supervisor, watcher):
        first = supervisor.states[0].pid
        assert first
        os.kill(first, signal.SIGKILL)
        again = await watcher.until(lambda part: part.state == "ready" and part.pid != first)
        assert again.restarts == 1
        assert watcher.lines[0].startswith("mapper was ended by SIGKILL; starting it again in 0.01 s")


async def test_a_crash_leaves_the_other_parts_alone(make_part: MakePart) -> None:
    async with supervised(make_part("mapper"), make_part("record")) as (supervisor, watcher):
        mapper, record = (part.pid for part in supervisor.states)
        assert mapper
        os.kill(mapper, signal.SIGKILL)
        await watcher.until(lambda part: part.name == "mapper" and part.state == "ready" and part.restarts == 1)
        assert supervisor.states[1].pid == record
        assert supervisor.states[1].restarts == 0


async def test_a_required_part_that_never_starts_is_given_up_with_its_log_named(make_part: MakePart) -> None:
    broken = make_part("detect", "--broken")
    with pytest.raises(CannotRun, match=r"detect did not start: it exited with status 7; see .*detect.log"):
        async with supervised(broken):
            pass


async def test_a_required_part_is_tried_again_before_it_is_given_up(make_part: MakePart) -> None:
    async with supervised(make_part("detect", "--broken"), start=False) as (supervisor, watcher):
        with pytest.raises(CannotRun):
            await supervisor.start()
        assert watcher.order("starting") == ["detect", "detect"]


@pytest.mark.parametrize("fault", [{"absent": "its main.py is not there"}, {"flag": "--broken"}])
async def test_an_optional_part_that_cannot_start_is_a_warning(make_part: MakePart, fault: dict[str, str]) -> None:
    flags = [fault["flag"]] if "flag" in fault else []
    console = make_part("console", *flags, optional=True, absent=fault.get("absent", ""))
    async with supervised(make_part("mapper"), console) as (supervisor, watcher):
        assert [part.state for part in supervisor.states] == ["ready", "absent"]
        assert watcher.lines[0].startswith("console is left out: ")


async def test_a_required_part_that_is_absent_stops_the_start_before_any_process(make_part: MakePart) -> None:
    async with supervised(make_part("mapper"), make_part("detect", absent="its main.py is not there"), start=False) as (
        supervisor,
        watcher,
    ):
        with pytest.raises(CannotRun, match=r"detect cannot be started: its main.py is not there"):
            await supervisor.start()
        assert watcher.changes == []


async def test_a_command_that_does_not_exist_is_given_up_at_once(make_part: MakePart, tmp_path: Path) -> None:
    part = replace(make_part("valkey"), command=(str(tmp_path / "nowhere"),))
    with pytest.raises(CannotRun, match=r"valkey did not start: it cannot be started \(No such file"):
        async with supervised(part):
            pass


async def test_stop_during_start_ends_what_was_started(make_part: MakePart) -> None:
    silent = make_part("silent")
    async with supervised(silent, start=False) as (supervisor, watcher):
        start = asyncio.create_task(supervisor.start())
        part = await watcher.until(lambda part: part.state == "starting")
        assert part.pid
        start.cancel()
        await supervisor.stop()
        assert not alive(part.pid)


async def test_a_part_that_is_too_slow_is_given_up(make_part: MakePart) -> None:
    part = replace(make_part("slow"), command=("sleep", "60"))
    patience = Patience(start=0.05, stop=5, attempts=1)
    with pytest.raises(CannotRun, match=r"slow did not start: it was not ready within 0.05 s"):
        async with supervised(part, patience=patience):
            pass


@pytest.mark.parametrize("turns", [1, 50])
async def test_hurry_kills_what_does_not_listen_also_while_it_is_being_stopped(make_part: MakePart, turns: int) -> None:
    async with supervised(make_part("deaf", "--deaf"), patience=Patience(start=20, stop=60)) as (supervisor, _):
        stop = asyncio.create_task(supervisor.stop())
        for _ in range(turns):  # 50 turns of the loop are enough to be waiting for the child
            await asyncio.sleep(0)
        supervisor.hurry()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await stop
