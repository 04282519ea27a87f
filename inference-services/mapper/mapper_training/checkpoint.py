"""Where an interrupted run goes on: weights, optimizer, place in the data and in the schedule, and chance."""

from pathlib import Path
from typing import Any, TypedDict

from .plan import CannotTrain

FILE = "checkpoint.pt"


class Checkpoint(TypedDict):
    """``step`` is also the place in the data, whose order the seed alone decides; ``exact`` the float32 weights.

    fingerprint: of everything that decides what is trained.
    seconds: used by the loop so far, which is also the place in a schedule by minutes.
    cuda_chance: one state a device; none where it ran on a CPU.
    """

    fingerprint: str
    step: int
    ended: bool
    seconds: float
    losses: list[float]
    peak_memory_bytes: int
    exact: list[Any]
    optimizer: dict[str, Any]
    chance: Any
    cuda_chance: list[Any]


def write(folder: Path, state: Checkpoint) -> None:
    """Replace the folder's checkpoint in one step: a reader finds the old one or the new one, whole."""
    import torch

    part = folder / f"{FILE}.part"
    torch.save(dict(state), part)
    part.replace(folder / FILE)


def read(folder: Path) -> Checkpoint | None:
    """Return the folder's checkpoint with all tensors on the CPU; None where there is none."""
    import torch

    path = folder / FILE
    if not path.is_file():
        return None
    state: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return state if state.keys() >= Checkpoint.__required_keys__ else None


def choose(folder: Path, fingerprint: str, resume: bool | None) -> Checkpoint | None:
    """Return the checkpoint to go on from, None to begin.

    Args:
        resume: go on where a checkpoint is; begin whatever is there; or, where nothing was said, begin unless that
            would lose an unfinished run of the same fingerprint.

    Raises:
        CannotTrain: it cannot go on from what is there, or nobody said whether it should.
    """
    found = read(folder) if resume is not False else None
    if found is None:
        return None
    same = found["fingerprint"] == fingerprint
    if resume and not same:
        raise CannotTrain("the checkpoint is of other data, another plan or another base; begin again with --fresh")
    if resume is None and same and not found["ended"]:
        raise CannotTrain(f"a run stopped at step {found['step']}: go on with --resume or begin again with --fresh")
    return found if resume else None
