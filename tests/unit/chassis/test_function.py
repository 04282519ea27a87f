"""An application is served through functions-framework as Knative deploys it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import functions_framework.aio
import httpx
import pytest
from functions_framework import _function_registry

from .conftest import Client

MAIN = """
from fastapi import Request, Response

from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.function import as_function

app = create_app("sample", "1", max_bytes=2000)
handle = as_function(app)


@app.post("/api/v1/echo/{name}")
async def echo(name: str, request: Request) -> dict[str, str]:
    return {"name": name, "query": request.url.query, "body": (await request.body()).decode()}


@app.delete("/api/v1/echo/{name}", status_code=204)
async def remove(name: str) -> Response:
    return Response(status_code=204)
"""


@pytest.fixture
def served(client: Client, tmp_path: Path) -> Iterator[httpx.AsyncClient]:
    (tmp_path / "main.py").write_text(MAIN)
    known = _function_registry.REGISTRY_MAP.copy(), _function_registry.ASGI_FUNCTIONS.copy()
    create: Any = functions_framework.aio.create_asgi_app  # not typed
    yield client(create("handle", str(tmp_path / "main.py"), "http"))
    _function_registry.REGISTRY_MAP, _function_registry.ASGI_FUNCTIONS = known


async def test_a_route_with_path_query_and_body_is_reached(served: httpx.AsyncClient) -> None:
    answer = await served.post(
        "/api/v1/echo/ada?x=1", content=b'{"a": 1}', headers={"content-type": "application/json"}
    )
    assert answer.json() == {"name": "ada", "query": "x=1", "body": '{"a": 1}'}


async def test_an_answer_without_a_body_stays_one(served: httpx.AsyncClient) -> None:
    answer = await served.delete("/api/v1/echo/ada")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json"])
async def test_what_every_service_has_is_there(served: httpx.AsyncClient, path: str) -> None:
    assert (await served.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/nowhere", 404), ("PUT", "/health", 405), ("POST", "/api/v1/echo/ada", 400)],
)
async def test_problems_are_ours_not_the_frameworks(
    served: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    body = {"PUT": b"{}", "POST": b"{"}.get(method)
    answer = await served.request(method, path, content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_the_guard_stands_in_front(served: httpx.AsyncClient) -> None:
    answer = await served.post(
        "/api/v1/echo/ada", content=b'"' + b"x" * 3000 + b'"', headers={"x-correlation-id": "order-0001"}
    )
    assert (answer.status_code, answer.headers["x-correlation-id"]) == (413, "order-0001")
