"""Child processes that cannot outlive their parent, and what the system says about them."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

PR_SET_PDEATHSIG = 1  # prctl(2)
MAX_LOG_BYTES = 20_000_000


def tether(number: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """Return what a new child runs before its command: ask the kernel to send it *number* when its parent dies.

    SIGKILL for a part, because nobody would be left to follow up on a SIGTERM that is not obeyed. Only Linux has this;
    elsewhere a supervisor that is killed outright leaves its children.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return before_exec


async def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, cwd: Path | None = None
) -> asyncio.subprocess.Process:
    """Start *command* with its output appended to *log*; call from the main thread only.

    The child leads a session of its own, so that Ctrl-C reaches the supervisor alone and stopping keeps its order.

    Raises:
        OSError: the command is not there or may not be run.
    """
    with open_log(log) as output:
        return await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=tether(),
        )


def open_log(path: Path) -> BinaryIO:
    """Open *path* for appending, readable by its owner; a log above 20 MB is moved to ``<name>.1`` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


async def stop(child: asyncio.subprocess.Process, seconds: float) -> bool:
    """End *child* and its group: SIGTERM, and SIGKILL after *seconds*. Returns whether SIGTERM was enough."""
    _signal_group(child.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), max(seconds, 0))
        return True
    except TimeoutError:
        return False
    finally:
        _signal_group(child.pid, signal.SIGKILL)  # what the child itself left behind, or the child
        await child.wait()


def kill(child: asyncio.subprocess.Process) -> None:
    """Send SIGKILL to *child* and its group, without waiting."""
    _signal_group(child.pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # gone already, or a zombie on some systems
        return


def resident_bytes(pid: int) -> int | None:
    """Memory of *pid* that is in RAM (statm(5), second field), or None where that cannot be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def how_it_ended(code: int) -> str:
    """Word an exit status as asyncio gives it: negative is the signal that ended the process."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
