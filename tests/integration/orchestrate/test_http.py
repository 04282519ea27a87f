"""orchestrate as functions-framework serves it, over HTTP to services that a test can bend."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import pytest

from llama_mapper.chassis import metrics
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.orchestration import OrchestrateResponse
from llama_mapper.contracts.schemas import schema_of
from tests.fakes.free_ports import free_port
from tests.fakes.functions import serving
from tests.fakes.services import BROKER, Services, running
from tests.fakes.subscriber import Answer, Received

PATH = "/api/v1/orchestrate"
DEMO = {"X-Tenant-ID": "demo"}
JSON = {"content-type": "application/json"}
WORDS = {"content": "write to someone@example.org", "detector_types": ["words"]}


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        yield started


@pytest.fixture
async def client(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("DETECT", "MAPPER", "ANALYZE"):
        monkeypatch.setenv(f"ORCHESTRATION_{name}_URL", services.url)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    monkeypatch.setenv("ORCHESTRATION_HMAC_KEY", "a key of the test")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")  # must not be used
    async with serving("orchestrate") as (client, _):
        yield client


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["correlation_id"] == response.headers["x-correlation-id"]
    return document


def fields(document: dict[str, Any]) -> list[str]:
    return [error["field"] for error in document["errors"]]


async def test_content_comes_back_as_findings_a_decision_a_risk_and_an_event(
    client: httpx.AsyncClient, services: Services
) -> None:
    response = await client.post(PATH, json=WORDS, headers=DEMO | {"X-Correlation-ID": "correlation-1"})
    assert response.status_code == 200, response.text
    answer = OrchestrateResponse.model_validate_json(response.content)
    assert [found.label for found in answer.findings] == ["PII.Contact.Email"]
    assert (answer.decision.action, answer.decision.policy) == ("redact", "decision")
    assert (answer.degraded, answer.correlation_id) == ((), "correlation-1")
    (event,) = services.came(BROKER)
    assert (event.id, event.headers["ce-tenantid"]) == (answer.request_id, "demo")
    assert event.headers["ce-correlationid"] == "correlation-1"
    data = json.loads(event.body)
    jsonschema.validate(data, schema_of(FindingsMapped))
    assert len(data["content_hmac"]) == 64
    assert "someone@example.org" not in response.text + event.body.decode()


async def test_the_request_of_the_readme_is_answered_and_the_stand_in_said(client: httpx.AsyncClient) -> None:
    body = {
        "content": "Sample content for analysis",
        "detector_types": ["numbers", "deberta"],
        "processing_mode": "standard",
    }
    response = await client.post(PATH, json=body, headers=DEMO)
    assert response.status_code == 200
    outcomes = [(one["asked"], one["detector"], one["stands_in"]) for one in response.json()["detectors"]]
    assert outcomes == [("numbers", "numbers", False), ("deberta", "tox-block", True)]


@pytest.mark.parametrize(
    ("headers", "status", "named"),
    [
        ({}, 400, "X-Tenant-ID"),
        ({"X-Tenant-ID": ""}, 400, "X-Tenant-ID"),
        ({"X-Tenant-ID": "Canary Tenant"}, 400, "X-Tenant-ID"),
        ({"X-Tenant-ID": "demo,demo"}, 400, "X-Tenant-ID"),
        ({"X-Tenant-ID": "canary"}, 401, "X-Tenant-ID"),
    ],
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/batch"])
async def test_a_tenant_that_is_missing_wrong_or_unknown_is_told_the_header(
    client: httpx.AsyncClient, headers: dict[str, str], status: int, named: str, path: str
) -> None:
    body = {"items": [WORDS]} if path.endswith("batch") else WORDS
    response = await client.post(path, json=body, headers=headers)
    assert named in json.dumps(problem(response, status))
    assert "anary" not in response.text


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["content"]),
        ({"content": ""}, ["content"]),
        ({"content": None}, ["content"]),
        ({"content": 5}, ["content"]),
        ({"content": ["canary"]}, ["content"]),
        ({"content": "\ud800canary"}, ["content"]),
        (WORDS | {"canary": 1}, ["(unknown field)"]),
        (WORDS | {"content_type": "canary"}, ["content_type"]),
        (WORDS | {"processing_mode": "slow"}, ["processing_mode"]),
        (WORDS | {"priority": 1}, ["priority"]),
        (WORDS | {"detector_types": "words"}, ["detector_types"]),
        (WORDS | {"detector_types": ["words", "canary"]}, ["detector_types.1"]),
        (WORDS | {"detector_types": ["words", "NOT AN ID"]}, ["detector_types.1"]),
        (WORDS | {"detector_types": ["words"] * 33}, ["detector_types"]),
        (WORDS | {"required_detectors": ["canary"]}, ["required_detectors.0"]),
        (WORDS | {"excluded_detectors": ["pii"]}, ["excluded_detectors"]),
        (WORDS | {"metadata": {"canary key": "x"}}, ["metadata.(key)"]),
        (WORDS | {"metadata": {"zone": "canary value with blanks"}}, ["metadata"]),
        ([WORDS], ["(body)"]),
        ("canary", ["(body)"]),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_not_shown(
    client: httpx.AsyncClient, services: Services, body: Any, named: list[str]
) -> None:
    response = await client.post(PATH, content=json.dumps(body), headers=DEMO | JSON)
    assert fields(problem(response, 400)) == named
    assert "canary" not in response.text
    assert list(services.came("/api/v1/detect")) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{",
        b'{"content": NaN}',
        b'{"content": "x", "priority": Infinity}',
        b'{"content":' * 40 + b"1" + b"}" * 40,
        b'{"content": "x"} {"content": "y"}',
    ],
)
async def test_a_body_that_cannot_be_read_is_a_problem(client: httpx.AsyncClient, body: bytes) -> None:
    problem(await client.post(PATH, content=body, headers=DEMO | JSON), 400)


@pytest.mark.parametrize("content", ["x" * 50_000, "字" * 50_000, "😀" * 50_000, "\x01" * 50_000])
async def test_content_of_the_allowed_length_is_taken_however_the_client_escapes_it(
    client: httpx.AsyncClient, content: str
) -> None:
    body = json.dumps({"content": content, "detector_types": ["words"]}, ensure_ascii=True)
    assert (await client.post(PATH, content=body, headers=DEMO | JSON)).status_code == 200


async def test_a_body_beyond_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    problem(await client.post(PATH, content=b" " * 1_048_577, headers=DEMO | JSON), 413)


async def test_missing_coverage_is_a_206_that_says_what_is_missing(
    client: httpx.AsyncClient, services: Services
) -> None:
    whole = services.answers["/api/v1/detect"]

    def without_numbers(received: Received) -> Answer:
        answer = json.loads(whole(received).body)
        answer["reports"] = [one for one in answer["reports"] if one["detector"] != "numbers"]
        return Answer(200, JSON, json.dumps(answer).encode())

    services.answers["/api/v1/detect"] = without_numbers
    body = {"content": "x", "detector_types": ["pii"]}
    response = await client.post(PATH, json=body, headers=DEMO)
    assert response.status_code == 206
    answer = response.json()
    assert (answer["coverage"]["score"], answer["coverage"]["missing"]) == (0.5, ["numbers"])
    assert (answer["decision"]["action"], answer["decision"]["reasons"]) == ("human_review", ["coverage.low"])
    assert answer["degraded"] == ["detector.numbers.failed"]
    batch = await client.post(f"{PATH}/batch", json={"items": [body, WORDS]}, headers=DEMO)
    assert [one["status"] for one in batch.json()["results"]] == [206, 200]


async def test_one_character_too_many_is_too_large(client: httpx.AsyncClient) -> None:
    response = await client.post(PATH, json={"content": "x" * 50_001}, headers=DEMO)
    assert fields(problem(response, 413)) == ["content"]


async def test_where_no_detector_answers_there_is_a_502(client: httpx.AsyncClient, services: Services) -> None:
    services.answers["/api/v1/detect"] = lambda _: Answer(503)
    response = await client.post(PATH, json=WORDS, headers=DEMO)
    assert problem(response, 502)["error_code"] == "ALL_DETECTORS_UNAVAILABLE"
    assert response.headers["retry-after"] == "1"


async def test_where_mapper_and_analyze_fail_the_answer_says_so_and_a_person_looks(
    client: httpx.AsyncClient, services: Services
) -> None:
    for path in ("/api/v1/map/batch", "/api/v1/analyze"):
        services.answers[path] = lambda _: Answer(500)
    response = await client.post(PATH, json=WORDS, headers=DEMO)
    assert response.status_code == 200
    answer = response.json()
    assert [found["label"] for found in answer["findings"]] == ["OTHER.Unknown"]
    assert (answer["decision"]["action"], answer["analysis"]) == ("human_review", None)
    assert answer["degraded"] == ["mapper.unavailable", "analyze.unavailable"]


async def test_without_broker_and_outbox_there_is_no_answer_that_nobody_can_prove(
    client: httpx.AsyncClient, services: Services
) -> None:
    services.answers[BROKER] = lambda _: Answer(503)
    response = await client.post(PATH, json=WORDS, headers=DEMO)
    assert problem(response, 503)["retryable"] is True
    assert response.headers["retry-after"] == "5"


async def test_a_bad_item_of_a_batch_costs_only_itself(client: httpx.AsyncClient, services: Services) -> None:
    items = [WORDS, {"content": "", "canary": 1}, WORDS | {"detector_types": ["canary"]}, None, WORDS]
    response = await client.post(f"{PATH}/batch", json={"items": items}, headers=DEMO)
    assert response.status_code == 200
    results = response.json()["results"]
    assert [(one["index"], one["status"]) for one in results] == [(0, 200), (1, 400), (2, 400), (3, 400), (4, 200)]
    assert fields(results[1]["problem"]) == ["content", "(item)"]
    assert fields(results[2]["problem"]) == ["detector_types.0"]
    assert "canary" not in response.text
    assert len({event.id for event in services.came(BROKER)}) == 2


async def test_an_item_of_a_batch_that_nobody_could_judge_has_its_own_502(
    client: httpx.AsyncClient, services: Services
) -> None:
    services.answers["/api/v1/detect"] = lambda _: Answer(503)
    response = await client.post(f"{PATH}/batch", json={"items": [WORDS]}, headers=DEMO)
    assert [one["status"] for one in response.json()["results"]] == [502]


@pytest.mark.parametrize("items", [[], [WORDS] * 101, "x", None])
async def test_a_batch_of_none_or_too_many_is_refused(client: httpx.AsyncClient, items: Any) -> None:
    response = await client.post(f"{PATH}/batch", json={"items": items}, headers=DEMO)
    assert fields(problem(response, 400)) == ["items"]


async def test_detectors_are_listed_with_their_health(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/v1/detectors", headers=DEMO)).json()["detectors"]
    assert [one["id"] for one in listed] == ["words", "numbers", "keys", "tox-block"]
    assert (await client.get("/api/v1/detectors/words/health", headers=DEMO)).json()["status"] == "healthy"
    assert (await client.get("/api/v1/detectors/keys/health", headers=DEMO)).json()["status"] == "loading"
    response = await client.get("/api/v1/detectors/canary/health", headers=DEMO)
    problem(response, 404)
    assert "canary" not in response.text


async def test_ready_needs_detect(client: httpx.AsyncClient, services: Services) -> None:
    assert (await client.get("/ready")).json()["parts"] == {"policy": True, "detect": True}


async def test_not_ready_where_detect_never_answered(client: httpx.AsyncClient, services: Services) -> None:
    services.answers["/api/v1/detectors"] = lambda _: Answer(500)
    problem(await client.get("/ready"), 503)
    problem(await client.post(PATH, json=WORDS, headers=DEMO), 503)


async def test_decisions_and_fallbacks_are_counted(client: httpx.AsyncClient, services: Services) -> None:
    def counted(counter: str, **labels: str) -> float:
        return metrics.REGISTRY.get_sample_value(f"llama_mapper_{counter}_total", labels) or 0.0

    services.answers["/api/v1/analyze"] = lambda _: Answer(500)
    decisions, fallbacks = counted("decisions", action="redact"), counted("fallbacks", name="analyze.unavailable")
    await client.post(PATH, json=WORDS, headers=DEMO)
    await client.post(f"{PATH}/batch", json={"items": [WORDS, WORDS]}, headers=DEMO)
    assert counted("decisions", action="redact") - decisions == 3
    assert counted("fallbacks", name="analyze.unavailable") - fallbacks == 3
