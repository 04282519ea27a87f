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
        {"url": "http://127.0.0.1:9000/detect"},
        {"timeout_seconds": 60, "connect_timeout_seconds": 10},
        {"weight": 100},
        {"weight": 0.01, "health_path": "/v2/health/ready"},
    ],
)
def test_a_registration_passes_and_is_answered_as_kept(change: dict[str, Any]) -> None:
    asked = RegisterDetectorRequest.model_validate(MINIMAL | change)
    said, at = asked.model_dump(exclude={"api_key"}), "2026-11-20T08:30:00Z"
    kept = RegisteredDetector.model_validate(said | {"registered_at": at, "changed_at": at})
    ours = {"registered_at", "changed_at", "has_api_key", "for_all_tenants"}
    assert kept.model_dump(exclude=ours) == said


def test_a_key_is_never_shown() -> None:
    asked = RegisterDetectorRequest.model_validate(MINIMAL | {"api_key": "canary-key"})
    assert "canary" not in f"{asked!r} {asked.model_dump_json()} {asked.definition!r}"


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ümlaut", "x" * 4097])
def test_a_key_is_one_plain_word(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RegisterDetectorRequest.model_validate(MINIMAL | {"api_key": key})
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("options", [{"model": "m", "classes": ["a", "b"], "threshold": 0.5, "on": True}, {}])
def test_an_adapter_takes_options_and_may_know_its_vocabulary(options: dict[str, Any]) -> None:
    asked = RegisterDetectorRequest.model_validate(
        MINIMAL | {"adapter": "kserve-v1", "options": options, "vocabulary": None}
    )
    assert dict(asked.options) == {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Team A"},
        {"version": "1 4"},
        {"family": "other"},
        {"url": "http://judge.example.org/detect"},
        {"url": "https://169.254.169.254/latest"},
        {"url": "http://localhost/detect"},
        {"url": "http://127.0.0.2/detect"},
        {"options": {"model": "m"}},
        {"adapter": "a", "options": {"model": "Please call Ada on 0171 555 0142"}},
        {"adapter": "a", "options": {"Model": "m"}},
        {"adapter": "a", "options": {"threshold": float("inf")}},
        {"at_least": 1.1},
        {"concurrency": 0},
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
