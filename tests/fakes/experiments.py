"""A trained and scored experiment, small enough to be looked at."""

import hashlib
import json
from pathlib import Path
from typing import Any

from llama_mapper.contracts.confidence import FEATURES, READING, Stack
from llama_mapper.contracts.models import AdapterCard
from llama_mapper.contracts.prompt import PROMPT_VERSION

WEIGHTS, RANKER = b"weights", b"trees"
VERSION = "tried.1"
STACK = Stack(weights=(1.0,) * len(FEATURES), reading=(1.0,) * len(READING))


def card(version: str = VERSION, weights: bytes = WEIGHTS, stack: Stack = STACK) -> AdapterCard:
    return AdapterCard(
        version=version,
        prompt=PROMPT_VERSION,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        ranker_sha256=hashlib.sha256(RANKER).hexdigest(),
        stack=stack,
        without_model=stack,
    )


def system(**changes: Any) -> dict[str, Any]:
    """One system's figures in a result."""
    at = {"coverage": 0.85, "precision": 0.95, "macro_f1_of_covered": 0.9, "nonsense_abstained": 0.97}
    return {"macro_f1": 0.8, "accuracy": 0.86, "ece": 0.04, "at_coverage": at, "risk_coverage": [[0.1, 0.2]]} | changes


def experiment(folder: Path, *, weights: bytes = WEIGHTS, version: str = VERSION, **record: Any) -> Path:
    """Write one into *folder*; *record* changes the training's record."""
    adapter = folder / "adapter"
    adapter.mkdir(parents=True, exist_ok=True)
    (adapter / "adapter_model.safetensors").write_bytes(weights)
    (adapter / "ranker.txt").write_bytes(RANKER)
    written = {
        "base": "smollm2-135m-instruct",
        "base_sha256": "ab" * 32,
        "prompt": PROMPT_VERSION,
        "data": "3",
        "taxonomy": "2026.11",
        "fold": "all",
        "examples": 100,
        "steps": 10,
        "seconds": 60,
        "loss": [1.0],
    }
    systems = {"exact": system(ece=0.01), "model_and_ranker": system()}
    _json(adapter / "card.json", card(version, weights).model_dump(mode="json"))
    _json(adapter / "training_record.json", written | record)
    _json(adapter / "adapter_config.json", {"peft_version": "0.21.0", "r": 16})
    _json(
        folder / "result.json",
        {"folds": [0, 1], "cases": 500, "systems": {"kind_unknown": systems, "kind_told": systems}},
    )
    return folder


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), "utf-8")
