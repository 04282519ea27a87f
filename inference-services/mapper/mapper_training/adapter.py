"""What a finished run leaves behind: the adapter in peft's format, and a record of what it was made from."""

import importlib.metadata
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llama_mapper.contracts.models import RECORD
from llama_mapper.contracts.prompt import PROMPT_VERSION

from .base_model import name_of
from .data import DATA_VERSION
from .loop import Trainer
from .plan import Plan

_LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


def write(model: Any, target: Path, record: dict[str, Any]) -> None:
    """Write *model*'s adapter and *record* to *target*; the same two give the same bytes."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = record["base"]
    config.target_modules = sorted(config.target_modules)  # a set, whose order is another in each process
    # Left to itself peft asks the hub whether the base's vocabulary has grown.
    model.save_pretrained(target, save_embedding_layers=False)
    (target / "README.md").unlink(missing_ok=True)  # peft's empty form
    (target / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def record_of(
    plan: Plan, trainer: Trainer, fold: str, *, base_sha256: str, taxonomy: str, examples: int
) -> dict[str, Any]:
    return {
        "base": name_of(plan.base),
        "revision": plan.revision,
        "base_sha256": base_sha256,
        "prompt": PROMPT_VERSION,
        "data": DATA_VERSION,
        "taxonomy": taxonomy,
        "fold": fold,
        "examples": examples,
        "recipe": asdict(plan.recipe),
        "plan": plan.model_dump(mode="json", exclude={"recipe", "base", "revision"}),
        "trained_parameters": trainer.trained_parameters,
        "steps": trainer.step,
        "of_steps": trainer.of_steps,
        "seconds": round(trainer.used_seconds),
        "peak_memory_bytes": trainer.peak_memory_bytes,
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "loss": trainer.losses[::10],
    }
