import json
from typing import Any

import httpx
import pytest

from functions.record.adapters import ClickHouse
from llama_mapper.contracts.analysis import CanonicalFinding
from tests.unit.record import samples

DEMO = {"X-Tenant-ID": "demo"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
CANARY = "canary-sk-live-5111 jones@example.org"


async def post(client: httpx.AsyncClient, name: str, **changed: Any) -> httpx.Response:
    return await client.post("/events", json=samples.event(name) | changed, headers=STRUCTURED)


async def get(client: httpx.AsyncClient, path: str, tenant: str = "demo", **query: Any) -> Any:
    answer = await client.get(f"/api/v1/{path}", params=query, headers={"X-Tenant-ID": tenant})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def kept(client: httpx.AsyncClient) -> httpx.AsyncClient:
    for name in ("findings.mapped.v1.orchestrate", "findings.mapped.v1.producer", "analysis.completed.v1.controls"):
        assert (await post(client, name)).status_code == 204
    return client


async def test_findings_of_a_request_come_with_its_analysis(kept: httpx.AsyncClient) -> None:
    analysis = samples.event("analysis.completed.v1.controls")
    found = await get(kept, "findings", request_id=analysis["data"]["request_id"])
    assert found["analysis"]["risk_score"] == analysis["data"]["risk_score"]
    assert {control["control"] for control in found["analysis"]["controls"]} == {
        control["control"] for control in analysis["data"]["controls"]
    }


async def test_findings_of_a_correlation_say_who_said_what(kept: httpx.AsyncClient) -> None:
    found = await get(kept, "findings", correlation_id="corr-report-0002")
    assert [(f["label"], f["vendor_label"], f["detector"], f["relation"]) for f in found["findings"]] == [
        ("HARM.Speech.Defamation", "S5", "llama-guard", "exact")
    ]


@pytest.mark.parametrize(
    ("label", "count"), [("PII", 1), ("PII.Contact", 1), ("PII.Contact.Email", 1), ("PII.Con", 0), ("SECRET", 0)]
)
async def test_label_takes_what_is_below_it(kept: httpx.AsyncClient, label: str, count: int) -> None:
    assert len((await get(kept, "findings", label=label))["findings"]) == count


async def test_findings_of_everything_have_no_analysis(kept: httpx.AsyncClient) -> None:
    found = await get(kept, "findings")
    assert len(found["findings"]) == 2
    assert found["analysis"] is None


async def test_requests_have_decision_risk_and_labels(kept: httpx.AsyncClient) -> None:
    rows = {row["request_id"]: row for row in (await get(kept, "requests"))["requests"]}
    decided = rows["req-00000001"]
    assert decided["decision"] == samples.event("findings.mapped.v1.orchestrate")["data"]["decision"]["action"]
    assert decided["labels"] == ["PII.Contact.Email"]
    assert rows["report-0002"]["decision"] is None


async def test_request_without_analysis_has_no_risk(client: httpx.AsyncClient) -> None:
    await post(client, "findings.mapped.v1.producer")
    row = (await get(client, "requests"))["requests"][0]
    assert (row["risk_score"], row["risk_level"]) == (None, None)


async def test_decisions_come_with_what_they_were_taken_on(kept: httpx.AsyncClient) -> None:
    said = samples.event("findings.mapped.v1.orchestrate")["data"]
    decided = (await get(kept, "decisions"))["decisions"]
    assert [one["request_id"] for one in decided] == ["req-00000001"]
    assert decided[0]["decision"].items() >= said["decision"].items()
    assert decided[0]["coverage"] == said["coverage"] | {"required": []}
    told = [CanonicalFinding.model_validate(finding | {"spans": ()}) for finding in said["findings"]]
    assert [CanonicalFinding.model_validate(finding) for finding in decided[0]["findings"]] == told


async def test_a_decision_on_nothing_found_is_a_decision(client: httpx.AsyncClient) -> None:
    event = samples.event("findings.mapped.v1.orchestrate")
    await post(client, "findings.mapped.v1.orchestrate", data=event["data"] | {"findings": [], "mappings": []})
    assert [one["findings"] for one in (await get(client, "decisions"))["decisions"]] == [[]]


async def test_one_decision_may_be_asked_for_and_only_by_its_tenant(kept: httpx.AsyncClient) -> None:
    assert len((await get(kept, "decisions", request_id="req-00000001"))["decisions"]) == 1
    assert (await get(kept, "decisions", request_id="req-00000002"))["decisions"] == []
    assert (await get(kept, "decisions", tenant="other"))["decisions"] == []


async def test_limit_bounds_the_answer(kept: httpx.AsyncClient) -> None:
    assert len((await get(kept, "requests", limit=1))["requests"]) == 1


async def test_summary_counts_by_label_detector_decision_risk_and_day(kept: httpx.AsyncClient) -> None:
    summary = await get(kept, "summary")
    assert (summary["requests"], summary["findings"]) == (2, 2)
    assert {row["name"]: row["count"] for row in summary["labels"]} == {
        "PII.Contact.Email": 1,
        "HARM.Speech.Defamation": 1,
    }
    assert {row["name"] for row in summary["detectors"]} == {"presidio", "llama-guard"}
    assert [row["count"] for row in summary["decisions"]] == [1]
    assert [row["count"] for row in summary["risk_levels"]] == [1]
    assert summary["by_day"] == [{"day": "2026-11-20", "requests": 2, "findings": 2}]


async def test_summary_leaves_out_what_is_older(kept: httpx.AsyncClient) -> None:
    for name in ("findings.mapped.v1.orchestrate",):
        await post(kept, name, id="older", time="2026-11-01T00:00:00Z")
    assert (await get(kept, "summary", days=7))["requests"] == 2


@pytest.mark.parametrize("path", ["findings", "requests", "summary", "dead-letters"])
async def test_another_tenant_sees_nothing(kept: httpx.AsyncClient, path: str) -> None:
    await kept.post("/dead-letters", headers={"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-tenantid": "demo"})
    answer = await get(kept, path, tenant="other")
    assert not any(answer[name] for name in answer if name not in ("days", "analysis"))


@pytest.mark.parametrize("headers", [{}, {"X-Tenant-ID": ""}, {"X-Tenant-ID": "demo' OR 1=1 --"}])
@pytest.mark.parametrize("path", ["findings", "requests", "summary", "dead-letters"])
async def test_read_without_a_valid_tenant_is_refused(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await client.get(f"/api/v1/{path}", headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "query", [{"label": "x' OR 1=1"}, {"request_id": "' OR ''='"}, {"limit": "0"}, {"limit": "1001"}]
)
async def test_query_that_does_not_fit_is_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await client.get("/api/v1/findings", params=query, headers=DEMO)).status_code == 400


async def test_event_of_another_type_is_never_delivered_again(client: httpx.AsyncClient) -> None:
    answer = await post(client, "finding.reported.v1.minimal")
    assert answer.status_code == 422


async def test_content_in_an_event_reaches_no_table(client: httpx.AsyncClient, store: ClickHouse) -> None:
    event = samples.event("findings.mapped.v1.orchestrate")
    event["data"]["content"] = CANARY
    assert (await client.post("/events", json=event, headers=STRUCTURED)).status_code == 204
    for table in ("requests", "findings"):
        assert "canary" not in str(await store.query("SELECT * FROM {table:Identifier}", {"table": table}))


async def test_dead_letter_is_listed_without_its_data(client: httpx.AsyncClient, store: ClickHouse) -> None:
    letter = samples.event("finding.reported.v1.minimal") | {
        "knativeerrordest": "http://mapper.default.svc.cluster.local/events",
        "knativeerrorcode": 422,
        "knativeerrordata": json.dumps({"error_code": "UNPROCESSABLE"}),
        "data": {"note": CANARY},
    }
    for _ in range(2):
        assert (await client.post("/dead-letters", json=letter, headers=STRUCTURED)).status_code == 204
    listed = (await get(client, "dead-letters"))["dead_letters"]
    assert [(row["event_id"], row["status"], row["error_code"]) for row in listed] == [
        (letter["id"], 422, "UNPROCESSABLE")
    ]
    assert "canary" not in str(await store.query("SELECT * FROM dead_letters", {}))


@pytest.mark.parametrize("data", [b"{not json", b"", b"\xff\xfe", b"[" * 40 + b"]" * 40, b"x" * 70_000])
async def test_dead_letter_is_kept_whatever_its_data(client: httpx.AsyncClient, data: bytes) -> None:
    headers = {"ce-id": "1", "ce-source": "/vendor", "ce-type": "com.example.other", "ce-specversion": "1.0"}
    headers |= {"Content-Type": "application/json", "ce-tenantid": "demo", "ce-knativeerrorcode": "400"}
    assert (await client.post("/dead-letters", content=data, headers=headers)).status_code == 204
    assert [row["status"] for row in (await get(client, "dead-letters"))["dead_letters"]] == [400]


async def test_events_are_still_checked_before_they_are_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/events", content=b"{not json", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


async def test_ready_opens_the_store(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["parts"]) == (200, {"rows": True})
