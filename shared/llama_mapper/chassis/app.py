"""Build a service's web application: FastAPI behind the guard, problems for errors, health, readiness, metrics.

The same application runs inside functions-framework (Knative functions) and inside the mapper's model server.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from llama_mapper.contracts.problems import (
    ContentTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    ProblemDocument,
    Unavailable,
)

from . import logs, metrics, tracing
from .faults import field_errors, named
from .guard import Guard, problem_response

PROBLEM = {"model": ProblemDocument, "description": "RFC 9457 problem document"}
PROBLEM_STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503)

Readiness = Callable[[], Awaitable[dict[str, bool]]]
"""Names each thing the service needs and says whether it is there."""


async def _nothing_needed() -> dict[str, bool]:
    return {}


class Health(BaseModel):
    status: str


class Ready(BaseModel):
    ready: bool
    parts: dict[str, bool]


def create_app(
    service: str,
    version: str,
    *,
    max_bytes: int = 262_144,
    readiness: Readiness = _nothing_needed,
    log_level: str = "INFO",
) -> FastAPI:
    """Return an application with the routes every service has; the service adds its own.

    Args:
        service: the folder's name; appears in logs, metrics and the OpenAPI title.
        max_bytes: largest request body accepted, in bytes as sent.
        readiness: asked by ``/ready``; all parts true is 200, anything else 503.
    """
    logs.configure(service, log_level)
    tracing.configure(service)
    app = FastAPI(
        title=f"Llama Mapper {service}",
        version=version,
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Guard, service=service, max_bytes=max_bytes)],
        responses=dict.fromkeys(PROBLEM_STATUSES, PROBLEM),
        # FastAPI's own would export texts of exceptions, query strings and addresses of clients; the Guard's do not.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    metrics.UP.labels(service).set(1)

    @app.get("/health", tags=["operations"])
    async def health() -> Health:
        return Health(status="ok")

    @app.get("/ready", tags=["operations"])
    async def ready() -> Ready:
        parts = await readiness()
        if not all(parts.values()):
            missing = ", ".join(name for name, there in parts.items() if not there)
            raise Unavailable(f"not ready: {missing}", retry_after_seconds=1)
        return Ready(ready=True, parts=parts)

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def scrape() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    return app


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known: dict[int, Problem] = {
        404: NotFound("there is no such resource; see /openapi.json"),
        405: MethodNotAllowed("this resource does not take that method; see /openapi.json"),
    }
    response = problem_response(known.get(error.status_code, InvalidRequest("the request could not be read")))
    if allow := (error.headers or {}).get("Allow"):  # RFC 9110 section 15.5.6: a 405 says what would be allowed
        response.headers["Allow"] = allow
    return response


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(invalid_request(error.errors()))


def invalid_request(faults: Sequence[Any]) -> InvalidRequest | ContentTooLarge:
    """Turn pydantic's faults into a problem that names our fields; a caller's own key or value never shows."""
    errors = field_errors(faults)
    too_long = all(fault["type"] == "string_too_long" and fault["loc"][-1] == "content" for fault in faults)
    problem = ContentTooLarge if too_long else InvalidRequest
    return problem(f"check: {named(errors)}"[:240], errors=errors)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, without the 422 shape that this application never sends."""
    if not app.openapi_schema:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for unused in ("HTTPValidationError", "ValidationError"):
            schema.get("components", {}).get("schemas", {}).pop(unused, None)
        for path in schema["paths"].values():
            for operation in path.values():
                for status, answer in operation.get("responses", {}).items():
                    if status.isdigit() and int(status) >= 400 and not _own(answer):
                        answer["content"] = {
                            "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
                        }
        app.openapi_schema = schema
    return app.openapi_schema


def _own(answer: dict[str, Any]) -> bool:
    """Whether a resource has errors in a shape of its own (another vendor's API)."""
    schema = str(answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", ""))
    return bool(schema) and not schema.endswith(("/ProblemDocument", "/HTTPValidationError"))
