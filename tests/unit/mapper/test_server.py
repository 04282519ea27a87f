"""The mapper over HTTP, on the vocabularies we ship, in this process."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import pytest

from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.schemas import schema_of
from llama_mapper.taxonomy import Taxonomy
from mapper_serving.adapters import MemoryStore
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.server import create_server
from mapper_serving.service import Mapper
from mapper_serving.settings import Settings
from tests.fakes.mapping import ListedAccounts, SayingModel, resolved, used

from .conftest import EMAIL, JSON, Client, problem


async def test_one_finding_is_mapped(client: Client) -> None:
    response = await client().post("/api/v1/map", json=EMAIL)
    assert response.status_code == 200
    answer = response.json()
    assert [label["label"] for label in answer["labels"]] == ["PII.Contact.Email"]
    assert (answer["method"], answer["review"]) == ("rule", False)


async def test_an_unknown_label_is_answered_and_listed_for_review(client: Client) -> None:
    asked = client()
    for _ in range(2):
        response = await asked.post("/api/v1/map", json=EMAIL | {"label": "NEVER_HEARD"})
    assert (response.status_code, response.json()["review"]) == (200, True)
    reviews = (await asked.get("/api/v1/reviews", params={"limit": -5})).json()
    assert [(one["label"], one["count"]) for one in reviews] == [("NEVER_HEARD", 2)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"label": "X"}, "detector"),
        ({"detector": "presidio"}, "label"),
        (EMAIL | {"label": 5}, "label"),
        (EMAIL | {"label": ""}, "label"),
        (EMAIL | {"label": "two\nlines"}, "label"),
        (EMAIL | {"label": "x" * 201}, "label"),
        (EMAIL | {"score": 1.5}, "score"),
        (EMAIL | {"threshold": -1}, "threshold"),
        (EMAIL | {"span": {"start": 5, "end": 5}}, "span"),
        (EMAIL | {"colour": "red"}, "(unknown field)"),
        ([EMAIL], "(body)"),
    ],
)
async def test_a_wrong_field_is_named(client: Client, body: Any, field: str) -> None:
    document = problem(await client().post("/api/v1/map", json=body), 400)
    assert [error["field"] for error in document["errors"]] == [field]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a":' * 40 + b"1" + b"}" * 40])
async def test_a_body_that_is_no_json_is_a_problem(client: Client, body: bytes) -> None:
    problem(await client().post("/api/v1/map", content=body, headers=JSON), 400)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_a_number_that_is_none_is_refused(client: Client, number: str) -> None:
    body = json.dumps(EMAIL)[:-1] + f', "severity": {number}}}'
    problem(await client().post("/api/v1/map", content=body, headers=JSON), 400)


@pytest.mark.parametrize(
    "label", ["write to canary@example.org", "card 4111 1111 1111 1111", "canary AKIA1234567890ABCDEF", "canary " * 60]
)
@pytest.mark.parametrize("field", ["label", "description"])
async def test_a_label_that_looks_like_content_is_refused_and_not_repeated(
    client: Client, label: str, field: str
) -> None:
    response = await client().post("/api/v1/map", json=EMAIL | {field: label})
    assert [error["field"] for error in problem(response, 400)["errors"]] == [field]
    assert not any(part in response.text for part in ("canary", "4111", "AKIA"))


async def test_more_than_64_kb_is_refused(client: Client) -> None:
    asked = client()
    body = json.dumps({"items": [EMAIL] * 100})
    assert (await asked.post("/api/v1/map/batch", content=body.ljust(65_536), headers=JSON)).status_code == 200
    problem(await asked.post("/api/v1/map/batch", content=body.ljust(65_537), headers=JSON), 413)


async def test_a_bad_item_of_a_batch_costs_only_itself(client: Client) -> None:
    items = [EMAIL, {"label": "X", "canary": 1}, None, EMAIL | {"label": "NEW"}]
    response = await client().post("/api/v1/map/batch", json={"items": items})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [(one["index"], one["status"]) for one in results] == [(0, 200), (1, 400), (2, 400), (3, 200)]
    assert results[0]["mapping"]["labels"][0]["label"] == "PII.Contact.Email"
    assert [error["field"] for error in results[1]["problem"]["errors"]] == ["detector", "(item)"]
    assert "canary" not in response.text


@pytest.mark.parametrize("items", [[], [EMAIL] * 501, "x", None])
async def test_a_batch_of_none_or_too_many_is_refused(client: Client, items: Any) -> None:
    document = problem(await client(max_bytes=1_000_000).post("/api/v1/map/batch", json={"items": items}), 400)
    assert [error["field"] for error in document["errors"]] == ["items"]


ATTRIBUTES = {
    "specversion": "1.0",
    "id": "f:1",
    "source": "/vendors/one",
    "type": "io.llama-mapper.finding.reported.v1",
    "tenantid": "demo",
    "correlationid": "correlation-1",
    "subject": "upload/7",
    "datacontenttype": "application/json",
}
REPORTED = {"findings": [EMAIL | {"score": 0.9, "span": {"start": 3, "end": 9}}, EMAIL | {"label": "NEW"}]}


async def report(
    asked: httpx.AsyncClient, data: Any = REPORTED, structured: bool = False, **changes: str | None
) -> httpx.Response:
    attributes = {name: value for name, value in (ATTRIBUTES | changes).items() if value is not None}
    if structured:
        headers = {"content-type": "application/cloudevents+json"}
        return await asked.post("/events", content=json.dumps(attributes | {"data": data}), headers=headers)
    headers = {f"ce-{name}": value for name, value in attributes.items() if name != "datacontenttype"}
    return await asked.post("/events", content=json.dumps(data), headers=headers | JSON)


@pytest.mark.parametrize("structured", [False, True])
async def test_a_reported_finding_is_answered_with_an_event(client: Client, structured: bool) -> None:
    response = await report(client(), structured=structured)
    assert response.status_code == 200, response.text
    assert response.headers["ce-type"] == "io.llama-mapper.findings.mapped.v1"
    assert response.headers["ce-source"] == "/inference-services/mapper"
    copied = ("tenantid", "correlationid", "subject", "partitionkey")
    assert [response.headers[f"ce-{name}"] for name in copied] == ["demo", "correlation-1", "upload/7", "demo"]
    data = response.json()
    jsonschema.validate(data, schema_of(FindingsMapped))
    assert data["origin"] == "producer"
    assert [found["label"] for found in data["findings"]] == ["PII.Contact.Email", "OTHER.Unknown"]
    assert data["findings"][0]["spans"] == [{"start": 3, "end": 9}]
    assert len(data["mappings"]) == 2


@pytest.mark.parametrize("correlation", ["correlation-1", None])
async def test_a_redelivery_is_answered_with_the_same_ids(client: Client, correlation: str | None) -> None:
    asked = client()
    answers = [await report(asked, correlationid=correlation) for _ in range(2)]
    assert len({answer.headers["ce-id"] for answer in answers}) == 1
    assert len({answer.json()["request_id"] for answer in answers}) == 1


@pytest.mark.parametrize("changes", [{"id": "f:2"}, {"source": "/vendors/two"}])
async def test_another_event_of_the_same_correlation_is_another_request(
    client: Client, changes: dict[str, str]
) -> None:
    asked = client()
    first, second = await report(asked), await report(asked, REPORTED, False, **changes)
    assert first.json()["request_id"] != second.json()["request_id"]
    assert first.headers["ce-id"] != second.headers["ce-id"]


@pytest.mark.parametrize("missing", ["id", "source", "type", "tenantid"])
@pytest.mark.parametrize("structured", [False, True])
async def test_an_event_without_an_attribute_can_never_work(client: Client, missing: str, structured: bool) -> None:
    document = problem(await report(client(), structured=structured, **{missing: None}), 422)
    assert missing in json.dumps(document)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"findings": []}, "findings"),
        ({"findings": [EMAIL] * 101}, "findings"),
        ({"findings": [EMAIL | {"label": "canary@example.org"}]}, "findings.0.label"),
        ({"findings": [EMAIL | {"extra": 1}]}, "findings.0.(unknown field)"),
        ({}, "findings"),
        ([], "data"),
        ({"findings": [EMAIL], "content_hmac": "canary"}, "content_hmac"),
    ],
)
async def test_an_event_with_wrong_data_can_never_work(client: Client, data: Any, field: str) -> None:
    response = await report(client(), data)
    assert field in [error["field"] for error in problem(response, 422)["errors"]]
    assert "canary" not in response.text


async def test_fields_of_a_newer_contract_are_ignored(client: Client) -> None:
    assert (await report(client(), REPORTED | {"since_v1_1": True})).status_code == 200


async def test_an_event_of_another_type_is_refused(client: Client) -> None:
    problem(await report(client(), type="io.llama-mapper.findings.mapped.v1"), 422)


async def test_tenants_are_checked_where_they_are_named(client: Client) -> None:
    asked = client(tenants=frozenset({"demo"}))
    assert (await report(asked)).status_code == 200
    document = problem(await report(asked, tenantid="canary"), 422)
    assert "tenantid" in document["detail"]
    assert "canary" not in json.dumps(document)


async def test_ready_names_its_parts(client: Client) -> None:
    assert (await client().get("/ready")).json() == {"ready": True, "parts": {"rules": True, "store": True}}


NEW = {"detector": "nobody", "label": "NEW"}
FOR_DEMO = {"X-Tenant-ID": "demo"}


@pytest.fixture
async def charging(rules: Rules, taxonomy: Taxonomy) -> AsyncIterator[tuple[httpx.AsyncClient, ListedAccounts]]:
    """A mapper with a model that answers everything, and its accounts: ``broke`` is over its limit."""
    store, accounts = MemoryStore(taxonomy.version), ListedAccounts("broke")
    mapper = Mapper(
        rules=rules,
        cache=store,
        reviews=MemoryReviews(),
        versions=Versions(taxonomy=taxonomy.version, mapper="1"),
        model=SayingModel(resolved(usage=used())),
        accounts=accounts,
    )
    transport = httpx.ASGITransport(create_server(mapper, store, Settings()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://mapper") as asked:
        yield asked, accounts


Charging = tuple[httpx.AsyncClient, ListedAccounts]


# KServe answers V1 with a response class that FastAPI has deprecated.
@pytest.mark.filterwarnings("ignore:ORJSONResponse is deprecated")
async def test_who_asks_is_charged_whatever_the_interface(charging: Charging) -> None:
    asked, accounts = charging
    calls = [
        asked.post("/api/v1/map", json=NEW | {"label": "A"}, headers=FOR_DEMO),
        asked.post("/api/v1/map/batch", json={"items": [NEW | {"label": "B"}]}, headers=FOR_DEMO),
        asked.post("/v1/models/mapper:predict", json={"instances": [NEW | {"label": "C"}]}, headers=FOR_DEMO),
        report(asked, {"findings": [NEW | {"label": "D"}]}),
        asked.post("/api/v1/map", json=NEW | {"label": "E"}),
    ]
    assert [(await call).status_code for call in calls] == [200] * 5
    assert [tenant for tenant, _, _ in accounts.charged] == ["demo"] * 4 + ["anonymous"]


async def test_usage_is_in_the_answer_and_in_the_event(charging: Charging) -> None:
    asked, _ = charging
    mapping = (await asked.post("/api/v1/map", json=NEW)).json()
    assert mapping["usage"]["completion_tokens"] == 2
    assert (await asked.post("/api/v1/map", json=NEW)).json()["usage"] is None
    (told,) = (await report(asked, {"findings": [NEW | {"label": "NEWER"}]})).json()["mappings"]
    assert told["usage"] == mapping["usage"]


async def test_a_tenant_over_its_limit_has_the_rules_alone(charging: Charging) -> None:
    asked, _ = charging
    items = {"items": [EMAIL, NEW]}
    results = (await asked.post("/api/v1/map/batch", json=items, headers={"X-Tenant-ID": "broke"})).json()["results"]
    assert [one["mapping"]["method"] for one in results] == ["rule", "fallback"]


@pytest.mark.parametrize("path", ["/api/v1/map", "/v1/models/mapper:predict"])
async def test_a_tenants_name_that_is_none_is_refused(charging: Charging, path: str) -> None:
    body = NEW if path == "/api/v1/map" else {"instances": [NEW]}
    response = await charging[0].post(path, json=body, headers={"X-Tenant-ID": "Canary' OR 1=1"})
    assert "canary" not in response.text.lower()
    assert [error["field"] for error in problem(response, 400)["errors"]] == ["header.X-Tenant-ID"]


async def test_an_adapter_that_is_not_here_is_refused_in_its_place(charging: Charging) -> None:
    asked, _ = charging
    document = problem(await asked.post("/api/v1/map", json=NEW | {"adapter": "canary.1"}), 400)
    assert document["detail"] == "check: adapter; served here: lora.1"
    items = {"items": [NEW | {"adapter": "lora.1"}, NEW | {"adapter": "canary.1"}]}
    results = (await asked.post("/api/v1/map/batch", json=items)).json()["results"]
    assert [one["status"] for one in results] == [200, 400]
    assert [error["field"] for error in results[1]["problem"]["errors"]] == ["adapter"]


async def test_an_event_can_name_an_adapter_and_one_that_is_not_here_can_never_work(charging: Charging) -> None:
    asked, _ = charging
    (mapping,) = (await report(asked, {"findings": [NEW], "adapter": "lora.1"})).json()["mappings"]
    assert mapping["provenance"]["adapter"] == "lora.1"
    problem(await report(asked, {"findings": [NEW], "adapter": "lora.2"}), 422)
