from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.detection import DetectorHealth
from llama_mapper.contracts.registration import RegisterDetectorRequest, RegisteredDetector

MINIMAL: dict[str, Any] = {
    "id": "team-a.judge",
    "version": "1.4.0",
    "family": "classifiers",
    "url": "https://judge.example.org/detect",
    "vocabulary": "team-a.judge",
}


def test_what_is_not_said_has_a_default() -> None:
    asked = RegisterDetectorRequest.model_validate(MINIMAL)
    assert (asked.timeout_seconds, asked.connect_timeout_seconds, asked.weight, asked.health_path) == (
        5,
        1,
        1,
        "/health",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://judge.team-a.svc:8080/detect"},
        {"timeout_seconds": 60, "connect_timeout_seconds": 10},
        {"weight": 100},
        {"weight": 0.01, "health_path": "/v2/health/ready"},
    ],
)
def test_a_registration_passes_and_is_answered_as_kept(change: dict[str, Any]) -> None:
    asked = RegisterDetectorRequest.model_validate(MINIMAL | change)
    kept = RegisteredDetector.model_validate(asked.model_dump() | {"registered_at": "2026-11-20T08:30:00Z"})
    assert kept.model_dump(exclude={"registered_at"}) == asked.model_dump()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Team A"},
        {"version": "1 4"},
        {"family": "other"},
        {"url": "http://judge.example.org/detect"},
        {"url": "https://169.254.169.254/latest"},
        {"vocabulary": "../vocabulary"},
        {"timeout_seconds": 0},
        {"timeout_seconds": 60.1},
        {"timeout_seconds": float("nan")},
        {"connect_timeout_seconds": 10.1},
        {"weight": 0},
        {"weight": -1},
        {"weight": float("inf")},
        {"health_path": "https://example.org/health"},
        {"health_path": "/health?key=secret"},
        {"tenant": "demo"},
    ],
    ids=str,
)
def test_a_registration_with_a_fault_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RegisterDetectorRequest.model_validate(MINIMAL | change)


@pytest.mark.parametrize("missing", sorted(MINIMAL))
def test_a_registration_names_everything_that_has_no_default(missing: str) -> None:
    with pytest.raises(ValidationError):
        RegisterDetectorRequest.model_validate({name: value for name, value in MINIMAL.items() if name != missing})


@pytest.mark.parametrize(
    ("status", "known"),
    [("healthy", True), ("loading", True), ("degraded", True), ("unhealthy", True), ("ok", False), ("", False)],
)
def test_health_is_one_of_four_words(status: str, *, known: bool) -> None:
    asked = {"id": "presidio", "version": "1", "status": status}
    if known:
        assert DetectorHealth.model_validate(asked).status == status
    else:
        with pytest.raises(ValidationError):
            DetectorHealth.model_validate(asked)
