"""What a run says about itself in ``run.json``, for `status`, `down`, `demo` and everybody else who asks."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .directory import RunDirectory

State = Literal["waiting", "starting", "ready", "restarting", "absent", "failed", "stopped"]
Phase = Literal["starting", "up", "stopping"]


class PartState(BaseModel):
    """One part now; ``since`` is when its process was spawned (seconds since 1970)."""

    model_config = ConfigDict(frozen=True)

    name: str
    port: int
    optional: bool = False
    state: State = "waiting"
    pid: int | None = None
    since: float | None = None
    ready_seconds: float | None = None
    restarts: int = 0
    note: str = ""


class RunState(BaseModel):
    """The whole run."""

    model_config = ConfigDict(frozen=True)

    pid: int
    phase: Phase
    started: float
    parts: tuple[PartState, ...]

    def ports(self) -> Mapping[str, int]:
        return {part.name: part.port for part in self.parts}


def write(path: Path, state: RunState) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(state.model_dump_json(indent=1))
    draft.replace(path)


def read(directory: RunDirectory) -> RunState | None:
    """Return the state of the run that holds the directory's lock, or None where none does."""
    if not directory.in_use():
        return None
    try:
        return RunState.model_validate_json(directory.state.read_bytes())
    except (FileNotFoundError, ValidationError):  # it took the lock and has not written yet
        return RunState(pid=0, phase="starting", started=time.time(), parts=())
