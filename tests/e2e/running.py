"""The whole system as a person starts it: `llama-mapper up` as a process, on free ports, in a directory of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.local import state
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.layout import BROKER, NAMESPACE
from llama_mapper.local.ports import HOST, OFFSETS
from llama_mapper.local.state import RunState
from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS, STOP_SECONDS = 240.0, 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class System:
    """A running system; ``urls`` are base URLs by part, ``ingress`` takes CloudEvents."""

    directory: RunDirectory
    process: "subprocess.Popen[bytes]"
    ports: dict[str, int]

    @property
    def urls(self) -> dict[str, str]:
        return {name: f"http://{HOST}:{port}" for name, port in self.ports.items()}

    @property
    def ingress(self) -> str:
        return f"{self.urls['broker']}/{NAMESPACE}/{BROKER}"

    @property
    def output(self) -> str:
        """What the command has printed so far."""
        return self.directory.console_log.read_text()

    def now(self) -> RunState:
        found = state.read(self.directory)
        assert found is not None, "it does not run"
        return found

    def pids(self) -> list[int]:
        return [part.pid for part in self.now().parts if part.pid]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "llama_mapper.cli", *words]


# A busy machine is no reason for a test to fail: whoever asks with priority low gets all the time it takes.
PATIENT = {"ORCHESTRATION_DEADLINE_LOW_SECONDS": "120", "ORCHESTRATION_DETECTOR_TIMEOUT_SECONDS": "30"}


def environment() -> dict[str, str]:
    """Every part writes its spans to its log, so that whoever looks for what may not be kept looks there too."""
    traced = {"OTEL_TRACES_EXPORTER": "console"}
    return {**os.environ, **PATIENT, **traced, "PYTHONPATH": str(ROOT / "shared"), "LLAMA_MAPPER_HOME": str(ROOT)}


def wait_for(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Return as soon as *condition* holds; fail the test after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(POLL_SECONDS)


def start(place: Path, more: Mapping[str, str] | None = None) -> System:
    """Start the system, with *more* in its environment, and return when everything that will start has started."""
    directory = RunDirectory(place)
    directory.create()
    ports = {name: free_port() for name in OFFSETS}
    flags = [word for name, port in ports.items() for word in ("--port", f"{name}={port}")]
    with directory.console_log.open("wb") as output:
        process = subprocess.Popen(
            command("up", "--run-dir", str(place), *flags),
            cwd=ROOT,
            env=environment() | dict(more or {}),
            stdout=output,
            stderr=output,
        )
    system = System(directory, process, ports)

    def up() -> bool:
        assert process.poll() is None, system.output
        found = state.read(directory)
        return found is not None and found.phase == "up"

    try:
        wait_for(up, "the system is up", START_SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return system
