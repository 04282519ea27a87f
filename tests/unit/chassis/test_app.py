from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header

from llama_mapper.chassis.app import create_app
from llama_mapper.contracts.identifiers import AnyTenantId
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.contracts.problems import ProblemDocument

from .conftest import Client

SECRET = "ada@example.org"


def service(**options: Any) -> FastAPI:
    app = create_app("a-service", "1.0", **options)

    @app.post("/api/v1/judge")
    async def judge(request: OrchestrateRequest, tenant: Annotated[AnyTenantId, Header(alias="X-Tenant-ID")]) -> int:
        return len(request.content)

    return app


async def post(client: Client, body: Any, **headers: str) -> httpx.Response:
    async with client(service()) as caller:
        return await caller.post("/api/v1/judge", json=body, headers={"X-Tenant-ID": "demo"} | headers)


async def test_a_good_request_is_answered(client: Client) -> None:
    answer = await post(client, {"content": "four"})
    assert (answer.status_code, answer.json()) == (200, 4)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": 5}, "content"),
        ({"content": None}, "content"),
        ({"content": "x", "priority": SECRET}, "priority"),
        ({"content": "x", "detector_types": "presidio"}, "detector_types"),
        ({"content": "x", "detector_types": ["presidio", SECRET]}, "detector_types.1"),
        ({"content": "x", "metadata": {SECRET: "v"}}, "metadata.(key)"),
        ({"content": "x", "metadata": {"team": SECRET}}, "metadata"),
        ({"content": "x", SECRET: 1}, "(unknown field)"),
        ({"content": "x", "label": 1}, "(unknown field)"),
        ([], "(body)"),
        ("text", "(body)"),
    ],
    ids=str,
)
async def test_a_fault_names_our_field_and_nothing_of_the_callers(client: Client, body: Any, field: str) -> None:
    answer = await post(client, body)
    problem = ProblemDocument.model_validate_json(answer.content)
    assert (answer.status_code, problem.error_code) == (400, "INVALID_REQUEST")
    assert field in [error.field for error in problem.errors]
    assert SECRET not in answer.text


async def test_content_that_is_too_long_is_told_apart(client: Client) -> None:
    answer = await post(client, {"content": "x" * 50_001})
    assert (answer.status_code, answer.json()["detail"]) == (413, "check: content")


async def test_half_a_surrogate_pair_is_no_text(client: Client) -> None:
    async with client(service()) as caller:
        answer = await caller.post(
            "/api/v1/judge",
            content=b'{"content": "\\ud800"}',
            headers={"X-Tenant-ID": "demo", "content-type": "application/json"},
        )
    assert (answer.status_code, answer.json()["detail"]) == (400, "check: content")


@pytest.mark.parametrize("tenant", ["Demo", "a b", ""])
async def test_a_wrong_header_is_named(client: Client, tenant: str) -> None:
    answer = await post(client, {"content": "x"}, **{"X-Tenant-ID": tenant})
    assert [error["field"] for error in answer.json()["errors"]] == ["header.X-Tenant-ID"]


async def test_every_fault_of_a_request_is_named_at_once(client: Client) -> None:
    answer = await post(client, {"priority": "x", "processing_mode": "y"})
    assert answer.json()["detail"] == "check: content, processing_mode, priority"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/no/such/place", 404, "NOT_FOUND"),
        ("GET", f"/{SECRET}", 404, "NOT_FOUND"),
        ("DELETE", "/api/v1/judge", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/health", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_a_wrong_address_is_a_problem(client: Client, method: str, path: str, status: int, code: str) -> None:
    async with client(service()) as caller:
        answer = await caller.request(method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text


async def test_a_405_says_what_is_allowed(client: Client) -> None:
    app = service()
    app.add_api_route("/api/v1/judge", lambda: "", methods=["GET"])
    async with client(app) as caller:
        assert (await caller.delete("/health")).headers["allow"] == "GET"
        assert (await caller.delete("/api/v1/judge")).headers["allow"] == "GET, POST"


async def test_nobody_is_sent_to_an_address_that_is_almost_the_same(client: Client) -> None:
    async with client(service()) as caller:
        assert (await caller.get("/health/")).status_code == 404


async def test_a_body_of_another_media_type_is_a_problem(client: Client) -> None:
    async with client(service()) as caller:
        answer = await caller.post("/api/v1/judge", data={"content": SECRET}, headers={"X-Tenant-ID": "demo"})
    assert (answer.status_code, SECRET in answer.text) == (400, False)


@pytest.mark.parametrize(("path", "media"), [("/health", "application/json"), ("/metrics", "text/plain")])
async def test_operations_answer(client: Client, path: str, media: str) -> None:
    async with client(service()) as caller:
        answer = await caller.get(path)
    assert (answer.status_code, answer.headers["content-type"].startswith(media)) == (200, True)


async def test_metrics_are_labelled_with_routes_not_paths(client: Client) -> None:
    async with client(service()) as caller:
        await caller.post("/api/v1/judge", json={"content": "x"}, headers={"X-Tenant-ID": "demo"})
        await caller.get(f"/{SECRET}")
        text = (await caller.get("/metrics")).text
    assert 'route="/api/v1/judge",service="a-service",status="200"' in text
    assert SECRET not in text


@pytest.mark.parametrize("parts", [{}, {"store": True}, {"store": True, "model": True}])
async def test_ready_when_every_part_is_there(client: Client, parts: dict[str, bool]) -> None:
    async def readiness() -> dict[str, bool]:
        return parts

    async with client(service(readiness=readiness)) as caller:
        answer = await caller.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "parts": parts})


async def test_not_ready_names_what_is_missing(client: Client) -> None:
    async def readiness() -> dict[str, bool]:
        return {"store": True, "model": False, "policy": False}

    async with client(service(readiness=readiness)) as caller:
        answer = await caller.get("/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "not ready: model, policy")
    assert answer.headers["retry-after"] == "1"


async def test_the_document_describes_problems_and_no_shape_that_is_never_sent(client: Client) -> None:
    async with client(service()) as caller:
        document = (await caller.get("/openapi.json")).json()
    assert "HTTPValidationError" not in str(document)
    assert "ProblemDocument" in document["components"]["schemas"]
    answers = document["paths"]["/api/v1/judge"]["post"]["responses"]
    errors = {status: list(answer["content"]) for status, answer in answers.items() if status >= "400"}
    assert set(errors) >= {"400", "413", "422", "500", "503"}
    assert set(map(tuple, errors.values())) == {("application/problem+json",)}


async def test_no_page_loads_anything_from_elsewhere(client: Client) -> None:
    async with client(service()) as caller:
        assert [(await caller.get(path)).status_code for path in ("/docs", "/redoc")] == [404, 404]
