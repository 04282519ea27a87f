from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.events import EvaluationCompleted

DATA: dict[str, Any] = {
    "evaluation_id": "eval-0001",
    "model": "smollm2-135m-instruct",
    "golden_set": "vendors",
    "golden_set_version": "2026.11",
    "cases": 100,
    "metrics": {"macro_f1": 0.93},
    "gates_passed": ["macro-f1"],
    "gates_failed": ["p95-ms"],
    "versions": {"taxonomy": "2026.11", "mapper": "0.1.0"},
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"adapter": "choose-1.3"},
        {"gates_failed": []},
        {"gates_passed": [], "gates_failed": []},
        {"a_field_of_later": 1},
    ],
    ids=str,
)
def test_an_evaluation_completed_passes(change: dict[str, Any]) -> None:
    assert EvaluationCompleted.model_validate(DATA | change)


@pytest.mark.parametrize(
    "change",
    [
        {"gates_passed": ["p95-ms"]},
        {"gates_passed": ["accuracy"]},
        {"gates_failed": None},
        {"metrics": {}},
        {"metrics": {"macro f1": 0.9}},
        {"metrics": {"macro_f1": float("nan")}},
        {"metrics": {"macro_f1": "good"}},
        {"metrics": {f"m{i}": 1.0 for i in range(65)}},
        {"cases": 0},
        {"model": "a model, in words"},
        {"evaluation_id": "ada@example.org"},
    ],
    ids=lambda change: str(change)[:50],
)
def test_an_evaluation_completed_holds_numbers_and_ids_only(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EvaluationCompleted.model_validate(DATA | change)
