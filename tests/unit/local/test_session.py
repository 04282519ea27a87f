"""A session as a person has it: a process that gets signals."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llama_mapper.local import background, state
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.layout import Part
from llama_mapper.local.session import with_free_port
from tests.fakes.free_ports import free_port

SCRIPT = Path(__file__).with_name("session_script.py")
SHARED = Path(__file__).parents[3] / "shared"
DEADLINE_SECONDS = 20.0


class Run:
    def __init__(self, place: Path, *flags: str) -> None:
        self.directory = RunDirectory(place / "run")
        self.journal = place / "journal"
        self.ports = [free_port(), free_port()]
        self._flags = flags

    def start(self) -> None:
        command = [sys.executable, str(SCRIPT), str(self.directory.path), str(self.journal), *map(str, self.ports)]
        self.process = subprocess.Popen(
            [*command, *(["--", *self._flags] if self._flags else [])],
            env={"PYTHONPATH": str(SHARED), "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def start_and_wait(self) -> None:
        self.start()
        assert self.line() == "up 2"

    def pids(self) -> list[int]:
        words = [line.split() for line in self.journal.read_text().splitlines()]
        return [int(pid) for kind, pid in words if kind != "end"]

    def end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, errors


def run_of(place: Path, *flags: str) -> Iterator[Run]:
    run = Run(place, *flags)
    yield run
    if run.process.poll() is None:
        run.process.kill()
        run.process.communicate()
    for stream in (run.process.stdout, run.process.stderr):
        if stream and not stream.closed:
            stream.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    yield from run_of(tmp_path)


@pytest.fixture
def deaf_run(tmp_path: Path) -> Iterator[Run]:
    yield from run_of(tmp_path, "--deaf")


def wait_until_dead(pids: list[int]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a process outlived its parent"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_cleanly(run: Run, number: signal.Signals) -> None:
    run.start_and_wait()
    run.process.send_signal(number)
    assert run.end() == (0, "")
    assert run.journal.read_text().splitlines()[-2:] == [f"end {port}" for port in reversed(run.ports)]


def test_a_killed_supervisor_leaves_nothing(run: Run) -> None:
    run.start_and_wait()
    run.process.kill()
    wait_until_dead(run.pids())


def test_a_killed_supervisor_leaves_nothing_that_is_deaf_to_sigterm(deaf_run: Run) -> None:
    deaf_run.start_and_wait()
    deaf_run.process.kill()
    wait_until_dead(deaf_run.pids())


def test_a_second_signal_does_not_wait(deaf_run: Run) -> None:
    deaf_run.start_and_wait()
    deaf_run.process.send_signal(signal.SIGINT)
    assert deaf_run.line() == "stopping"
    # The grace of 60 s would fail the test.
    deaf_run.process.send_signal(signal.SIGINT)
    assert deaf_run.end()[0] == 0
    wait_until_dead(deaf_run.pids())


def test_the_state_names_every_part_while_it_runs(run: Run) -> None:
    run.start_and_wait()
    found = state.read(run.directory)
    assert found is not None
    assert (found.pid, found.phase) == (run.process.pid, "up")
    assert [(part.name, part.port, part.state) for part in found.parts] == [
        ("part0", run.ports[0], "ready"),
        ("part1", run.ports[1], "ready"),
    ]
    assert sorted(part.pid or 0 for part in found.parts) == sorted(run.pids())


def test_there_is_no_state_after_the_end(run: Run) -> None:
    run.start_and_wait()
    run.process.terminate()
    run.end()
    assert state.read(run.directory) is None
    assert not run.directory.state.exists()


def test_the_state_of_a_killed_run_does_not_count(run: Run) -> None:
    run.start_and_wait()
    run.process.kill()
    run.process.wait()
    assert run.directory.state.exists()
    assert state.read(run.directory) is None


def test_a_second_run_in_the_same_directory_is_refused(run: Run, tmp_path: Path) -> None:
    run.start_and_wait()
    for second in run_of(tmp_path):
        second.start()
        code, errors = second.end()
        assert code == 1
        assert errors.startswith(f"error: already running in {run.directory.path}")


def test_a_taken_port_is_named_with_the_flag_that_moves_it(run: Run, tmp_path: Path) -> None:
    run.start_and_wait()
    for second in run_of(tmp_path / "other"):
        second.ports[0] = run.ports[1]
        second.start()
        code, errors = second.end()
        assert code == 1
        assert f"port {run.ports[1]} for part0 is in use" in errors
        assert "--port part0=NUMBER" in errors


def test_down_stops_a_run(run: Run) -> None:
    run.start_and_wait()
    assert background.stop(run.directory)
    assert run.end()[0] == 0
    wait_until_dead(run.pids())


def test_down_says_when_nothing_runs(tmp_path: Path) -> None:
    assert not background.stop(RunDirectory(tmp_path))


def test_down_kills_a_run_that_does_not_end(deaf_run: Run) -> None:
    deaf_run.start_and_wait()
    assert background.stop(deaf_run.directory, seconds=0.1)
    wait_until_dead(deaf_run.pids())


def test_an_optional_part_whose_port_is_taken_is_left_out(make_part: Callable[..., Part]) -> None:
    console = make_part("console", optional=True)
    assert with_free_port(console) == console
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", console.port))
        taken.listen()
        assert with_free_port(console).absent.startswith(f"port {console.port} for console is in use; ")
