"""What a registered detector is asked, and how its answer is read."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.orchestrate.registration.registered_detector import RegisteredDetector, Workshop
from functions.orchestrate.registration.registrations import Kept
from llama_mapper.contracts.detection import DetectorReport, DetectRequest
from llama_mapper.contracts.problems import (
    DetectorCommunicationFailed,
    Problem,
    RequestTimeout,
    Unavailable,
    Unprocessable,
)
from tests.fakes.registered import registration

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 20, tzinfo=UTC)
CONTENT = "mail 👋 a@b.org"
SPAN = {"start": 7, "end": 14}


def made(handler: Any, key: str | None = None, **more: Any) -> RegisteredDetector:
    said = registration("https://judge.example.org/any/path", **more)
    kept = Kept.model_validate({"definition": said, "api_key": key, "registered_at": NOW, "changed_at": NOW})
    return workshop(handler).make(kept, "registered", "demo")


def workshop(handler: Any) -> Workshop:
    return Workshop(
        httpx.MockTransport(handler),
        (ROOT / "functions/orchestrate/http_adapters",),
        ROOT / "inference-services/mapper/vocabularies",
    )


def answer(**changes: Any) -> dict[str, Any]:
    report = {"detector": "team-a.judge", "version": "1.0", "family": "classifiers", "status": "ok", "detections": []}
    return {"reports": [report | changes]}


async def ask(body: Any, seconds: float = 5.0, **more: Any) -> DetectorReport:
    return await made(lambda _: httpx.Response(200, json=body), **more).detect(CONTENT, seconds)


async def test_it_is_asked_in_detects_contract_at_the_very_address() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=answer())

    report = await made(handle, "key-1").detect(CONTENT, 5.0)
    assert (report.status, report.detector, report.version, report.detections) == ("ok", "team-a.judge", "1.0", ())
    assert str(asked[0].url) == "https://judge.example.org/any/path"
    assert asked[0].headers["X-API-Key"] == "key-1"
    said = DetectRequest.model_validate_json(asked[0].content)
    assert (said.content, said.detectors) == (CONTENT, ("team-a.judge",))


async def test_spans_and_severities_are_read_where_they_are() -> None:
    found = [
        {"label": "A", "score": 0.9, "span": SPAN, "severity": 0},
        {"label": "B", "score": 0.8, "span": None, "severity": "HIGH"},
        {"label": "C", "score": 0.7, "span": SPAN},
        {"label": "D", "score": 0.6},
    ]
    report = await ask(answer(detections=found))
    read = {
        one.label: (one.severity, (one.span.start, one.span.end) if one.span else None) for one in report.detections
    }
    assert read == {"A": (0, (7, 14)), "B": ("HIGH", None), "C": (None, (7, 14)), "D": (None, None)}


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"reports": []},
        {"reports": None},
        answer(detector="another"),
        answer(version="2.0"),
        answer(status="failed"),
        answer(detections=None),
        answer(detections={}),
        answer(detections=[{"label": "A"}]),
        answer(detections=[{"label": "A", "score": 2}]),
        answer(detections=[{"label": "A", "score": 0.5, "span": {"start": 1}}]),
        answer(detections=[{"label": "A", "score": 0.5, "span": {"start": 3, "end": 300}}]),
        answer(detections=[{"label": "someone@example.org", "score": 0.5}]),
        answer(detections=["A"]),
    ],
    ids=json.dumps,
)
async def test_another_shape_is_a_failed_detector(body: Any) -> None:
    with pytest.raises(DetectorCommunicationFailed) as failed:
        await ask(body)
    assert "example.org" not in failed.value.detail


async def test_it_has_no_longer_than_it_was_registered_with() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    with pytest.raises((RequestTimeout, Unavailable)):
        await made(hang, timeout_seconds=0.1).detect(CONTENT, 30.0)


async def test_a_connection_gets_the_time_that_was_registered() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=answer())

    await made(handle, connect_timeout_seconds=0.25).detect(CONTENT, 5.0)
    assert asked[0].extensions["timeout"]["connect"] == 0.25


async def test_its_breaker_is_that_of_its_tenant_and_of_this_registration() -> None:
    status = [500]
    replica = workshop(lambda _: httpx.Response(status[0], json=answer()))
    said = registration("https://judge.example.org/any/path")
    kept = Kept.model_validate({"definition": said, "registered_at": NOW, "changed_at": NOW})
    changed = kept.model_copy(update={"changed_at": NOW + timedelta(seconds=1)})
    bad = replica.make(kept, "registered", "demo")
    for _ in range(5):
        with pytest.raises(Problem):
            await bad.detect(CONTENT, 5.0)
    status[0] = 200
    for same in (bad, replica.make(kept, "registered", "demo")):
        with pytest.raises(Unavailable, match="resting"):
            await same.detect(CONTENT, 5.0)
    for other in (replica.make(kept, "registered", "other"), replica.make(changed, "registered", "demo")):
        assert (await other.detect(CONTENT, 5.0)).status == "ok"


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://elsewhere.example.org/"})

    with pytest.raises(Unavailable):
        await made(handle).detect(CONTENT, 5.0)
    assert asked == ["judge.example.org"]


@pytest.mark.parametrize(("status", "well"), [(200, True), (204, False), (301, False), (503, False)])
async def test_health_is_asked_on_its_host(status: int, well: bool) -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status)

    assert await made(handle, health_path="/ready").healthy() is well
    assert asked == ["https://judge.example.org/ready"]


async def test_a_signing_adapter_never_uses_our_own_rights() -> None:
    with pytest.raises(Unprocessable) as refused:
        made(lambda _: httpx.Response(200), adapter="aws-comprehend-pii", options={"region": "eu-west-1"})
    assert refused.value.errors[0].message.startswith("api_key.missing")
