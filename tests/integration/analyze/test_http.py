"""analyze as functions-framework serves it: over HTTP, and as a consumer of events."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import pytest

from llama_mapper.contracts.analysis import Analysis, ComplianceResponse, Risk
from llama_mapper.contracts.compliance import GapsResponse
from llama_mapper.contracts.events import AnalysisCompleted, FindingsMapped
from llama_mapper.contracts.schemas import schema_of
from tests.fakes.findings import found
from tests.fakes.functions import serving
from tests.fakes.orchestration import VERSIONS

EMAIL = found().model_dump(mode="json")
BODY = {"findings": [EMAIL], "coverage": 1.0}
JSON = {"content-type": "application/json"}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with serving("analyze") as (client, _):
        yield client


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    return document


async def test_analysis_risk_and_compliance_fit_together(client: httpx.AsyncClient) -> None:
    whole = Analysis.model_validate_json((await client.post("/api/v1/analyze", json=BODY)).content)
    risk = Risk.model_validate_json((await client.post("/api/v1/risk-score", json=BODY)).content)
    controls = ComplianceResponse.model_validate_json((await client.post("/api/v1/compliance", json=BODY)).content)
    assert (whole.risk, whole.frameworks) == (risk, controls.frameworks)
    assert [one.framework for one in whole.frameworks] == ["gdpr", "hipaa", "iso27001", "soc2"]
    assert risk.score > 0


async def test_only_the_frameworks_named_are_answered(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/api/v1/compliance", json=BODY | {"frameworks": ["soc2"]})).json()
    assert [one["framework"] for one in answer["frameworks"]] == ["soc2"]


async def test_nothing_found_is_an_answer(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/api/v1/analyze", json={"findings": []})).json()
    assert (answer["risk"]["score"], answer["risk"]["level"], answer["controls_total"]) == (0.0, "none", 0)


@pytest.mark.parametrize("path", ["analyze", "risk-score", "compliance"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (BODY | {"frameworks": ["soc2", "canary"]}, "frameworks.1"),
        (BODY | {"frameworks": ["Not An Id"]}, "frameworks.0"),
        (BODY | {"frameworks": "soc2"}, "frameworks"),
        ({}, "findings"),
        ({"findings": [EMAIL] * 1001}, "findings"),
        ({"findings": [EMAIL | {"label": "canary"}]}, "findings.0.label"),
        ({"findings": [EMAIL | {"severity": 5}]}, "findings.0.severity"),
        ({"findings": [EMAIL | {"sources": []}]}, "findings.0.sources"),
        ({"findings": [EMAIL | {"text": "canary"}]}, "findings.0.(unknown field)"),
        (BODY | {"coverage": 1.5}, "coverage"),
        (BODY | {"coverage": "full"}, "coverage"),
        ([], "(body)"),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_not_shown(
    client: httpx.AsyncClient, path: str, body: Any, field: str
) -> None:
    response = await client.post(f"/api/v1/{path}", json=body)
    assert [error["field"] for error in problem(response, 400)["errors"]] == [field]
    assert "canary" not in response.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"findings": [], "coverage": NaN}'])
async def test_a_body_that_cannot_be_read_is_a_problem(client: httpx.AsyncClient, body: bytes) -> None:
    problem(await client.post("/api/v1/analyze", content=body, headers=JSON), 400)


ATTRIBUTES = {
    "specversion": "1.0",
    "id": "request-1",
    "source": "/functions/orchestrate",
    "type": FindingsMapped.type,
    "tenantid": "demo",
    "correlationid": "correlation-1",
}
MAPPED = {
    "request_id": "request-1",
    "origin": "orchestrate",
    "findings": [EMAIL],
    "versions": VERSIONS.model_dump(exclude_none=True),
}


async def consume(
    client: httpx.AsyncClient, data: Any = MAPPED, path: str = "/events", **changes: str | None
) -> httpx.Response:
    attributes = {name: value for name, value in (ATTRIBUTES | changes).items() if value is not None}
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    return await client.post(path, content=json.dumps(data), headers=headers | JSON)


async def test_mapped_findings_are_answered_with_an_analysis(client: httpx.AsyncClient) -> None:
    response = await consume(client)
    assert response.status_code == 200, response.text
    assert response.headers["ce-type"] == AnalysisCompleted.type
    assert (response.headers["ce-tenantid"], response.headers["ce-correlationid"]) == ("demo", "correlation-1")
    data = response.json()
    jsonschema.validate(data, schema_of(AnalysisCompleted))
    assert (data["request_id"], data["risk_level"]) == ("request-1", "low")


async def test_a_redelivery_is_answered_with_the_same_id_and_content(client: httpx.AsyncClient) -> None:
    first, second = await consume(client), await consume(client)
    assert first.headers["ce-id"] == second.headers["ce-id"]
    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (MAPPED, {"type": "io.llama-mapper.analysis.completed.v1"}),
        (MAPPED, {"id": None}),
        (MAPPED, {"tenantid": None}),
        (MAPPED | {"findings": "canary"}, {}),
        (MAPPED | {"request_id": "?"}, {}),
        ({}, {}),
    ],
)
async def test_what_can_never_work_is_a_422(
    client: httpx.AsyncClient, data: Any, changes: dict[str, str | None]
) -> None:
    response = await consume(client, data, "/events", **changes)
    problem(response, 422)
    assert "canary" not in response.text


async def test_more_findings_than_a_request_may_have_are_no_reason_to_deliver_again(client: httpx.AsyncClient) -> None:
    assert (await consume(client, MAPPED | {"findings": [EMAIL] * 1001})).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json"])
async def test_every_service_route_answers(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


GAPS = {"detectors": [{"detector": "presidio", "version": "2.2"}], "seen": [{"label": "PII.Contact.Email"}]}


async def test_gaps_are_answered_over_all_frameworks_with_what_nobody_judged(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/v1/compliance/gaps", json=GAPS | {"period": {"first": "2026-10-01", "days": 31}})
    answer = GapsResponse.model_validate_json(response.content)
    assert len(answer.frameworks) == 9
    assert answer.period is not None
    assert answer.period.days == 31
    assert "SECRET" in {each.label for each in answer.not_judged}
    assert "PII.Contact.Email" not in {each.label for each in answer.not_judged}


async def test_the_same_question_about_gaps_has_the_same_answer(client: httpx.AsyncClient) -> None:
    first, second = [await client.post("/api/v1/compliance/gaps", json=GAPS) for _ in range(2)]
    assert first.content == second.content


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frameworks": ["soc2", "canary"]}, "frameworks.1"),
        ({"detectors": [{"detector": "Canary!"}]}, "detectors.0.detector"),
        ({"seen": [{"label": "canary"}]}, "seen.0.label"),
        ({"seen": [{"label": "PII", "findings": 0}]}, "seen.0.findings"),
        ({"period": {"first": "canary", "days": 1}}, "period.first"),
        ({"period": {"first": "2026-10-01", "days": 0}}, "period.days"),
        ({"detectors": None}, "detectors"),
        ({"text": "canary"}, "(unknown field)"),
    ],
)
async def test_a_wrong_field_of_a_question_about_gaps_is_named(
    client: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    response = await client.post("/api/v1/compliance/gaps", json=GAPS | changes)
    assert [error["field"] for error in problem(response, 400)["errors"]] == [field]
    assert "canary" not in response.text
