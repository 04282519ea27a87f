"""A run in the background: start it and wait until it is up, stop it and wait until it is gone."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from . import processes, state
from .directory import RunDirectory
from .refusal import CannotRun
from .state import RunState

POLL_SECONDS = 0.1
LINES_SHOWN = 12


def start(
    directory: RunDirectory,
    arguments: Sequence[str],
    watch: Callable[[RunState], None],
    seconds: float = 180.0,
    *,
    tethered: bool = False,
) -> RunState:
    """Start ``llama-mapper up`` with *arguments* detached from this terminal; *watch* sees its progress.

    A *tethered* run ends with this process, however that ends; any other run outlives it.

    Raises:
        CannotRun: it ended (its last lines are in the message), or was not up within *seconds*.
    """
    directory.create()
    if directory.in_use():
        raise CannotRun(f"already running in {directory.path}; see `llama-mapper status`")
    command = [sys.executable, "-m", "llama_mapper.cli", "up", "--run-dir", str(directory.path), *arguments]
    with directory.console_log.open("wb") as log:
        child = subprocess.Popen(  # noqa: S603  our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=processes.tether(signal.SIGTERM) if tethered else None,  # noqa: PLW1509  no thread runs here
        )
    try:
        return _until_up(directory, child, watch, time.monotonic() + seconds)
    except BaseException:  # Ctrl-C too: nobody would know of it
        child.terminate()
        child.wait()
        raise


def _until_up(
    directory: RunDirectory, child: "subprocess.Popen[bytes]", watch: Callable[[RunState], None], deadline: float
) -> RunState:
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise CannotRun(_last_words(directory))
        run = state.read(directory)
        if run is not None and run.pid == child.pid:
            watch(run)
            if run.phase == "up":
                return run
        time.sleep(POLL_SECONDS)
    raise CannotRun(f"not up in time; see {directory.logs}")


def stop(directory: RunDirectory, seconds: float = 15.0) -> bool:
    """Ask the run to stop and wait for it; kill it after *seconds*, and its parts die with it.

    Returns whether something was running.
    """
    run = state.read(directory)
    if run is None or run.pid == 0:
        return False
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, number)
        if _gone(directory, patience):
            directory.state.unlink(missing_ok=True)
            return True
    raise CannotRun(f"process {run.pid} does not end")


def _gone(directory: RunDirectory, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while directory.in_use():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _last_words(directory: RunDirectory) -> str:
    lines = directory.console_log.read_text(errors="replace").strip().splitlines()
    reason = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
    return reason or "\n".join(["the run ended while starting:", *lines[-LINES_SHOWN:]])
