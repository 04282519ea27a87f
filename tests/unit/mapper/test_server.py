"""The mapper over HTTP, on the vocabularies we ship, in this process."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.schemas import schema_of
from llama_mapper.taxonomy import Taxonomy
from mapper_serving.adapters import MemoryStore
from mapper_serving.rules import Rules
from mapper_serving.server import create_server
from mapper_serving.service import Mapper
from mapper_serving.settings import Settings
from mapper_serving.vocabulary import Vocabularies, read_all

# KServe answers V1 with a response class that FastAPI has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ORJSONResponse is deprecated")

FOLDER = Path(Settings.model_fields["vocabularies"].default)
EMAIL = {"detector": "presidio", "detector_version": "2.2.366", "label": "EMAIL_ADDRESS"}
JSON = {"content-type": "application/json"}
V1, V2 = "/v1/models/mapper:predict", "/v2/models/mapper/infer"

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture(scope="module")
def rules(taxonomy: Taxonomy) -> Rules:
    return Rules(Vocabularies(read_all(FOLDER)), taxonomy)


@pytest.fixture
async def client(rules: Rules, taxonomy: Taxonomy) -> AsyncIterator[Client]:
    opened: list[httpx.AsyncClient] = []

    def serve(**settings: Any) -> httpx.AsyncClient:
        store = MemoryStore(taxonomy.version)
        versions = Versions(taxonomy=taxonomy.version, mapper="1")
        mapper = Mapper(rules=rules, cache=store, reviews=store, versions=versions)
        app = create_server(mapper, store, Settings(**settings))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://mapper"))
        return opened[-1]

    yield serve
    for one in opened:
        await one.aclose()


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document *response* must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    return document


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


async def test_kserve_v1_predicts(client: Client) -> None:
    response = await client().post(V1, json={"instances": [EMAIL, {"detector": "x"}]})
    assert response.status_code == 200
    predictions = response.json()["predictions"]
    assert [one["status"] for one in predictions] == [200, 400]
    assert predictions[0]["mapping"]["labels"][0]["label"] == "PII.Contact.Email"


@pytest.mark.parametrize("body", [{}, [], 3, None, {"instances": "x"}, {"instances": []}, {"inputs": [EMAIL]}])
async def test_a_wrong_v1_request_is_a_problem_that_names_instances(client: Client, body: Any) -> None:
    response = await client().post(V1, content=json.dumps(body), headers=JSON)
    assert [error["field"] for error in problem(response, 400)["errors"]] == ["instances"]


def tensor(*rows: object, datatype: str = "BYTES", **rest: object) -> dict[str, object]:
    one = {"name": "findings", "shape": [len(rows)], "datatype": datatype, "data": list(rows)} | rest
    return {"inputs": [one]}


async def test_kserve_v2_infers(client: Client) -> None:
    body = tensor(json.dumps(EMAIL), json.dumps({"detector": "x"})) | {"id": "r1"}
    response = await client().post(V2, json=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["id"], answer["model_name"]) == ("r1", "mapper")
    (output,) = answer["outputs"]
    assert (output["name"], output["shape"], output["datatype"]) == ("mappings", [2], "BYTES")
    assert [json.loads(row)["status"] for row in output["data"]] == [200, 400]


@pytest.mark.parametrize(
    "body",
    [
        tensor(1.0, datatype="FP32"),
        tensor(json.dumps(EMAIL), datatype="FP16"),
        tensor(json.dumps(EMAIL), datatype="TEXT"),
        tensor("canary, not json"),
        tensor(None),
        tensor([json.dumps(EMAIL)]),
        tensor("\ud800"),
        tensor(json.dumps(EMAIL), data=None),
        tensor(json.dumps(EMAIL), data={"a": 1}),
        tensor(json.dumps(EMAIL), name=None),
        {"inputs": []},
        {"inputs": [{"name": "x"}]},
        {"inputs": "canary"},
        {},
        [],
        None,
    ],
)
async def test_a_wrong_v2_request_is_a_problem_and_not_a_crash(client: Client, body: Any) -> None:
    response = await client().post(V2, content=json.dumps(body), headers=JSON)
    problem(response, 400)
    assert "canary" not in response.text


@pytest.mark.parametrize("length", ["92", "x", "-1", "100000"])
async def test_binary_tensors_are_refused(client: Client, length: str) -> None:
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": length}
    problem(await client().post(V2, content=b'{"inputs":[]}canary', headers=headers), 400)


async def test_another_model_is_not_here(client: Client) -> None:
    asked = client()
    for path in ("/v1/models/other:predict", "/v2/models/other/infer"):
        problem(await asked.post(path, json=tensor("{}")), 404)
    problem(await asked.get("/v2/models/other/ready"), 404)


async def test_nobody_can_unload_the_mapper(client: Client) -> None:
    asked = client()
    for verb in ("unload", "load"):
        problem(await asked.post(f"/v2/repository/models/mapper/{verb}", json={}), 404)
    assert (await asked.get("/v2/models/mapper/ready")).status_code == 200


async def test_what_the_mapper_does_not_do_is_a_problem_and_not_a_crash(client: Client) -> None:
    asked = client()
    problem(await asked.post("/v1/models/mapper:explain", json={"instances": [EMAIL]}), 405)
    problem(await asked.post("/v2/models/mapper/versions/1/infer", json=tensor("{}")), 404)
    problem(await asked.post(V2, params={"model_version": "1"}, json=tensor("{}")), 400)


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/mapper", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/mapper"]
)
async def test_kserve_can_ask_how_the_mapper_is(client: Client, path: str) -> None:
    assert (await client().get(path)).status_code == 200


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
