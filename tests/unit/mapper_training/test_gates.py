from typing import Any

import pytest

from mapper_training.gates import gates


def figures(coverage: float = 0.85, f1: float = 0.9, nonsense: float = 0.95, ece: float = 0.05) -> dict[str, Any]:
    at = {"coverage": coverage, "macro_f1_of_covered": f1, "nonsense_abstained": nonsense}
    return {"at_coverage": at, "ece": ece}


def failed(schema_valid: float | None = None, **changes: float) -> list[str]:
    return [gate.name for gate in gates(figures(**changes), schema_valid) if not gate.passed]


def test_what_just_reaches_its_bound_passes() -> None:
    assert failed() == []
    assert failed(schema_valid=1.0) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"coverage": 0.849}, "coverage"),
        ({"f1": 0.8999}, "macro-f1"),
        ({"nonsense": 0.94}, "nonsense-abstained"),
        ({"ece": 0.0501}, "expected-calibration-error"),
        ({"schema_valid": 0.9999}, "schema-valid"),
    ],
)
def test_what_misses_its_bound_fails_alone(changes: dict[str, float], name: str) -> None:
    assert failed(**changes) == [name]


def test_form_is_judged_only_where_it_was_measured() -> None:
    assert "schema-valid" not in {gate.name for gate in gates(figures())}
