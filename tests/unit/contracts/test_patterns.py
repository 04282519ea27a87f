from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.patterns import PatternFinding, PatternsRequest, PatternsResponse

PERIOD = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-08T00:00:00Z"}
INTERVAL: dict[str, Any] = {"low": 1.8, "high": 3.1}
FOUND: dict[str, Any] = {
    "kind": "frequency",
    "labels": ["PII.Contact.Email"],
    "period": PERIOD,
    "effect": "rate-ratio",
    "effect_size": 2.4,
    "interval": INTERVAL,
    "q_value": 0.01,
    "evidence_query": "rate-by-label:17",
    "explanation": "The label came more than twice as often as in the four weeks before.",
}


def test_all_kinds_are_looked_for_unless_named() -> None:
    assert PatternsRequest.model_validate({"period": PERIOD}).kinds == (
        "temporal",
        "frequency",
        "correlation",
        "anomaly",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["PII.Contact.Email", "HARM"]},
        {"detectors": ["presidio"], "kinds": ["anomaly"]},
        {"period": PERIOD | {"end": "2026-11-01T00:00:00.001Z"}},
        {"period": PERIOD | {"end": "2026-11-01T01:00:00+00:00"}},
    ],
    ids=str,
)
def test_a_question_may_be_narrowed(change: dict[str, Any]) -> None:
    assert PatternsRequest.model_validate({"period": PERIOD} | change)


@pytest.mark.parametrize(
    "change",
    [
        {"period": None},
        {"period": PERIOD | {"end": PERIOD["start"]}},
        {"period": PERIOD | {"end": "2026-11-01T01:00:00+02:00"}},
        {"period": PERIOD | {"end": "2026-11-08T00:00:00"}},
        {"labels": []},
        {"labels": ["pii"]},
        {"detectors": []},
        {"detectors": ["d"] * 33},
        {"kinds": []},
        {"kinds": ["spatial"]},
        {"tenant": "demo"},
    ],
    ids=str,
)
def test_a_question_with_a_fault_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PatternsRequest.model_validate({"period": PERIOD} | change)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"q_value": None, "p_value": 0.04},
        {"p_value": 0.001},
        {"interval": {"low": 1.8, "high": None}},
        {"interval": {"low": -0.5, "high": -0.5, "level": 0.9}, "effect_size": -0.5, "kind": "correlation"},
        {"labels": [], "detectors": ["presidio", "jailguard"], "kind": "anomaly"},
    ],
    ids=str,
)
def test_a_pattern_passes(change: dict[str, Any]) -> None:
    found = PatternFinding.model_validate(FOUND | change)
    answer = PatternsResponse.model_validate({"period": PERIOD, "series_tested": 40, "patterns": [found]})
    assert PatternsResponse.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"q_value": None},
        {"q_value": 1.2},
        {"p_value": -0.1},
        {"effect_size": float("inf")},
        {"effect_size": float("nan")},
        {"interval": None},
        {"interval": INTERVAL | {"high": 1.7}},
        {"interval": INTERVAL | {"high": float("inf")}},
        {"interval": INTERVAL | {"level": 1.0}},
        {"evidence_query": "SELECT * FROM findings"},
        {"effect": "how often"},
        {"explanation": ""},
        {"explanation": "word " * 300},
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_pattern_without_its_numbers_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PatternFinding.model_validate(FOUND | change)
