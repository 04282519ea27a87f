"""How an experiment is trained: ``training.json``, read as ``Plan``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from llama_mapper.contracts.wire import Wire

from .base_model import NAME
from .data import Recipe
from .split import FOLDS

ALL = "all"
"""In place of a fold's number: every vendor trains, none is kept for the test."""
FOLD_NAMES = (*map(str, range(FOLDS)), ALL)

Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
BaseName = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class CannotTrain(RuntimeError):
    """What was asked for cannot be trained; the message says why in one line."""


class Plan(Wire):
    """How to train.

    base, revision: as ``base_model.locate`` takes them.
    batch: examples of one optimizer step; at most ``micro_batch`` of them are computed at once (else all).
    minutes: budget of the loop itself; none runs every step of every epoch, the same on a machine of any speed.
    """

    base: BaseName = NAME
    revision: Revision | None = None
    recipe: Recipe = Recipe()
    kind_told: float = Field(default=0.6, ge=0, le=1)
    epochs: int = Field(default=1, ge=1)
    batch: int = Field(default=8, ge=1)
    micro_batch: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    warmup_steps: int = Field(default=10, ge=1)
    relation_weight: float = Field(default=0.3, ge=0)
    max_norm: float = Field(default=1.0, gt=0)
    seed: int = 7
    threads: int = Field(default=2, ge=1)
    minutes: float | None = Field(default=20.0, gt=0)
    checkpoint_minutes: float = Field(default=4.0, ge=0)
    device: Literal["cpu", "cuda"] = "cpu"
    gradient_checkpointing: bool = False


# What may differ between the two halves of an interrupted run: where and how fast it computes, not what.
FREE = frozenset({"micro_batch", "threads", "minutes", "checkpoint_minutes", "device", "gradient_checkpointing"})


def read_plan(folder: Path) -> Plan:
    """Return the plan of the experiment in *folder*.

    Raises:
        CannotTrain: there is none, or a number in it is wrong.
    """
    try:
        return Plan.model_validate_json((folder / "training.json").read_text("utf-8"))
    except OSError as error:
        raise CannotTrain(f"there is no experiment {folder.name}: it would have a training.json") from error
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, fault["loc"])) or "JSON" for fault in error.errors()}))
        raise CannotTrain(f"training.json of {folder.name} is wrong: check {fields}") from error


def changed(plan: Plan, changes: Mapping[str, object]) -> Plan:
    """Return *plan* with *changes*; another base without a revision has none.

    Raises:
        CannotTrain: a number or name is not one that a plan can have.
    """
    of_base = {"revision": None} if "base" in changes else {}
    try:
        return Plan.model_validate(plan.model_dump() | of_base | dict(changes))
    except ValidationError as error:
        fields = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors()}))
        raise CannotTrain(f"the plan cannot have this {fields}") from error
