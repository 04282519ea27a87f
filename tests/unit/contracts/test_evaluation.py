from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.evaluation import EvaluateRequest, Evaluation, EvaluationList, Gate
from llama_mapper.contracts.problems import Unavailable

F1: dict[str, Any] = {"name": "macro-f1", "value": 0.93, "floor": 0.9, "passed": True}
P95: dict[str, Any] = {"name": "p95-ms", "value": 310.0, "ceiling": 250.0, "passed": False}
TIMES = {"created_at": "2026-11-20T08:30:00Z", "updated_at": "2026-11-20T08:40:00Z"}
RUN: dict[str, Any] = {"id": "eval-0001", "status": "running", "golden_set": "vendors", **TIMES}
REPORT: dict[str, Any] = {
    "evaluation_id": "eval-0001",
    "model": "smollm2-135m-instruct",
    "adapter": "choose-1.3",
    "golden_set": "vendors",
    "golden_set_version": "2026.11",
    "cases": 2540,
    "metrics": {"macro_f1": 0.93, "p95_ms": 310.0},
    "gates": [F1, P95],
    "measured_at": "2026-11-20T08:40:00Z",
}
PROBLEM = Unavailable("model server").document("corr-0001").model_dump()


@pytest.mark.parametrize(
    "gate",
    [
        F1,
        P95,
        F1 | {"value": 0.9},
        F1 | {"value": 0.8999, "passed": False},
        P95 | {"value": 250.0, "passed": True},
        {"name": "fallback-share", "value": 0.0, "ceiling": 0.0, "passed": True},
        {"name": "schema-valid", "value": 1.0, "floor": 1.0, "passed": True},
        {"name": "expected-calibration-error", "value": 0.06, "ceiling": 0.05, "passed": False},
    ],
    ids=str,
)
def test_a_gate_passes_where_its_bound_is_kept(gate: dict[str, Any]) -> None:
    assert Gate.model_validate(gate).passed == gate["passed"]


@pytest.mark.parametrize(
    "gate",
    [
        F1 | {"passed": False},
        F1 | {"value": 0.8999},
        P95 | {"passed": True},
        P95 | {"value": 250.0},
        F1 | {"floor": None},
        F1 | {"ceiling": 1.0},
        F1 | {"value": float("nan")},
        F1 | {"name": "accuracy"},
        {name: value for name, value in F1.items() if name != "passed"},
    ],
    ids=str,
)
def test_a_gate_that_says_other_than_its_numbers_is_refused(gate: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(gate)


@pytest.mark.parametrize("change", [{}, {"model": "smollm2-135m-instruct", "adapter": "choose-1.3"}])
def test_an_evaluation_is_asked_for_by_golden_set(change: dict[str, Any]) -> None:
    assert EvaluateRequest.model_validate({"golden_set": "vendors"} | change)


@pytest.mark.parametrize("asked", [{}, {"golden_set": "my vendors"}, {"golden_set": "x", "cases": [{"label": "S5"}]}])
def test_cases_cannot_be_sent(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EvaluateRequest.model_validate(asked)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"status": "succeeded", "report": REPORT},
        {"status": "succeeded", "report": REPORT | {"adapter": None}},
        {"status": "failed", "problem": PROBLEM},
        {"status": "cancelled"},
    ],
    ids=range(5),
)
def test_a_run_passes(change: dict[str, Any]) -> None:
    runs = EvaluationList.model_validate({"evaluations": [RUN | change]})
    assert EvaluationList.model_validate_json(runs.model_dump_json()) == runs


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"report": REPORT}, id="report before the end"),
        pytest.param({"status": "succeeded"}, id="success without report"),
        pytest.param({"status": "failed"}, id="failure without problem"),
        pytest.param({"status": "succeeded", "report": REPORT | {"evaluation_id": "eval-0002"}}, id="another's report"),
        pytest.param({"status": "succeeded", "report": REPORT | {"gates": []}}, id="no gate"),
        pytest.param({"status": "succeeded", "report": REPORT | {"cases": 0}}, id="no case"),
        pytest.param({"status": "succeeded", "report": REPORT | {"metrics": {}}}, id="no metric"),
        pytest.param({"status": "succeeded", "report": REPORT | {"metrics": {"a b": 1.0}}}, id="metric in words"),
        pytest.param({"status": "succeeded", "report": REPORT | {"metrics": {"f1": float("inf")}}}, id="no number"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Evaluation.model_validate(RUN | change)
