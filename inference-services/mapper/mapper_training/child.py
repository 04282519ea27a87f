"""A training run as a process of its own: how it is started, followed and asked to stop.

Needs no torch, so that a command and a job can follow what runs in the model's environment.
"""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .progress import Watch, parse

_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false"}


def interpreter(checkout: Path) -> Path | None:
    """Return the Python that has torch and peft: this one, else that of `make model`; None where neither does."""
    if all(importlib.util.find_spec(name) for name in ("torch", "peft")):
        return Path(sys.executable)
    own = checkout / ".venv-model" / "bin" / "python"
    return own if own.is_file() else None


def environment(checkout: Path) -> dict[str, str]:
    """Return this process's variables with *checkout*'s rooms to import from."""
    rooms = (checkout / "shared", checkout / "inference-services" / "mapper")
    return {**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(map(str, rooms))}


def follow(command: Sequence[str | Path], cwd: Path, variables: Mapping[str, str], talk: Path, watch: Watch) -> int:
    """Run *command* to its end, tell *watch* every event it says, and return its exit status.

    Ctrl-C or TERM ask the process to stop, which it does after its step and a checkpoint; a second one kills it. What
    it says otherwise, tracebacks among it, goes to the file *talk*.
    """
    talk.parent.mkdir(parents=True, exist_ok=True)
    # A session of its own: a terminal's Ctrl-C would otherwise reach it too, beside what is passed on here.
    with (
        talk.open("wb") as other,
        subprocess.Popen(  # noqa: S603 - our own module
            [*map(str, command)],
            cwd=cwd,
            env=dict(variables),
            stdout=subprocess.PIPE,
            stderr=other,
            encoding="utf-8",
            start_new_session=True,
        ) as process,
        _passed_on(process),
    ):
        for line in process.stdout or ():
            if event := parse(line):
                watch(event)
        return process.wait()


@contextmanager
def _passed_on(process: subprocess.Popen[str]) -> Iterator[None]:
    asked = [signal.SIGKILL, signal.SIGTERM]

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(asked.pop() if len(asked) > 1 else asked[0])

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def last_line(talk: Path) -> str:
    """Return the last line that holds anything: of a traceback the error itself."""
    lines = talk.read_text("utf-8", "replace").splitlines() if talk.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
