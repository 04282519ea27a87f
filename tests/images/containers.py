"""An image run as a pod's security context runs it: not root, no right, nothing to write to but the scratch folders."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.fakes.free_ports import free_port

from .commands import CommandFailed, run

USER = 65532
STARTS_WITHIN_SECONDS = 180
_LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=1000:1000")
_POD = (
    *("--network", "host", "--read-only", "--read-only-tmpfs=false"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", *_LIMITS),
)


@dataclass(frozen=True)
class Pod:
    """What runs: an image, its variables, and what is mounted."""

    image: str
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    """Path in the container -> file or folder of this machine, read-only."""
    command: tuple[str, ...] = ()
    """In place of the image's own."""


def podman(*arguments: str) -> str:
    """Run podman with the runtime that works under either version of control groups."""
    return run((*_podman(), *arguments))


def _podman() -> tuple[str, ...]:
    runtime = ("--runtime", "runc") if shutil.which("runc") else ()
    return ("podman", "--cgroup-manager", "cgroupfs", *runtime)


@dataclass(frozen=True)
class Running:
    """A container that answers on *url*."""

    name: str
    pid: int
    """Of its first process, as this machine counts."""
    url: str
    seconds: float
    """From the start of its process to the first 200 of /health, with the runtime's own share."""

    def status(self) -> dict[str, str]:
        """What the kernel says about its first process (``/proc/PID/status``)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def peak_mib(self) -> float:
        return int(self.status()["VmHWM"].split()[0]) / 1024

    def fails(self, *command: str) -> str | None:
        """What *command* says when it fails in the container, None when it does not."""
        ended = subprocess.run(
            (*_podman(), "exec", self.name, *command), capture_output=True, text=True, check=False, errors="replace"
        )
        return ended.stderr.strip() or f"status {ended.returncode}" if ended.returncode else None

    def stop(self) -> int:
        """Ask it to end, as a cluster does, and return its exit status."""
        podman("stop", "--time", "20", self.name)
        return int(podman("inspect", "--format", "{{.State.ExitCode}}", self.name))


@contextmanager
def started(pod: Pod, *, health: str = "/health") -> Iterator[Running]:
    """Run *pod* until the block ends; it has answered 200 when this yields.

    Raises:
        CommandFailed: it ended, or did not answer in time; the message ends with its log.
    """
    name, port = f"llama-mapper-{uuid.uuid4().hex[:8]}", free_port()
    own = {"PORT": str(port), "MAPPER_PORT": str(port)} | dict(pod.environment)
    podman("create", "--name", name, *_POD, *_mounts(pod), *_variables(own), pod.image, *pod.command)
    try:
        podman("init", name)
        pid = int(podman("inspect", "--format", "{{.State.Pid}}", name))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as http:
            begun = time.perf_counter()
            podman("start", name)
            _wait(http, health, name, pid)
            taken = time.perf_counter() - begun
        yield Running(name, pid, f"http://127.0.0.1:{port}", taken)
    finally:
        podman("rm", "--force", "--time", "5", name)


def ended(pod: Pod) -> tuple[int, str]:
    """Run *pod* to its end; return its exit status and what it said."""
    command = (*_podman(), "run", "--rm", *_POD, *_mounts(pod), *_variables(pod.environment), pod.image, *pod.command)
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    return done.returncode, done.stdout + done.stderr


def _mounts(pod: Pod) -> Sequence[str]:
    empty = [part for path in pod.scratch for part in ("--tmpfs", f"{path}:rw,nosuid,nodev,mode=1777")]
    return [*empty, *(part for to, path in pod.files.items() for part in ("--volume", f"{path}:{to}:ro"))]


def _variables(environment: Mapping[str, str]) -> Sequence[str]:
    return [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]


def _wait(http: httpx.Client, path: str, name: str, pid: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until and Path(f"/proc/{pid}").exists():
        try:
            if http.get(path).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.005)
    raise CommandFailed(f"{name} did not answer on {path}: {podman('logs', '--tail', '15', name)}")
