"""Build a service's web application: FastAPI behind the guard, problems for errors, health, readiness, metrics.

The same application runs inside functions-framework (Knative functions) and inside the mapper's model server.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match

from llama_mapper.contracts.problems import (
    ContentTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    ProblemDocument,
    Unavailable,
)

from . import documents, logs, metrics, tracing
from .faults import field_errors, named
from .guard import Guard, problem_response

PROBLEM = {"model": ProblemDocument, "description": "RFC 9457 problem document"}
PROBLEM_STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 502, 503)

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
    streams: Mapping[str, int] = MappingProxyType({}),
    readiness: Readiness = _nothing_needed,
    log_level: str = "INFO",
) -> FastAPI:
    """Return an application with the routes every service has; the service adds its own.

    Args:
        service: the folder's name; appears in logs, metrics and the OpenAPI title.
        max_bytes: largest request body accepted, in bytes as sent.
        streams: paths whose body is handed on while it comes, with the largest accepted there.
        readiness: asked by ``/ready``; all parts true is 200, anything else 503.
    """
    logs.configure(service, log_level)
    tracing.configure(service)
    app = FastAPI(
        title=f"Llama Mapper {service}",
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name the host that the caller named, and is in no document
        middleware=[Middleware(Guard, service=service, max_bytes=max_bytes, streams=streams)],
        responses=dict.fromkeys(PROBLEM_STATUSES, PROBLEM),
        # FastAPI's own would export texts of exceptions, query strings and addresses of clients; the Guard's do not.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.state.events = []
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
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


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known: dict[int, Problem] = {
        404: NotFound("there is no such resource; see /openapi.json"),
        405: MethodNotAllowed("this resource does not take that method; see /openapi.json"),
    }
    response = problem_response(known.get(error.status_code, InvalidRequest("the request could not be read")))
    if error.status_code == 405:
        response.headers["Allow"] = allowed(request)
    return response


def allowed(request: Request) -> str:
    """The methods at the request's path (RFC 9110 section 15.5.6); a router knows those of the first route alone."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in matching for method in getattr(route, "methods", None) or ()}))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(invalid_request(error.errors()))


def invalid_request(faults: Sequence[Any]) -> InvalidRequest | ContentTooLarge:
    """Turn pydantic's faults into a problem that names our fields; a caller's own key or value never shows."""
    errors = field_errors(faults)
    too_long = all(fault["type"] == "string_too_long" and fault["loc"][-1] == "content" for fault in faults)
    problem = ContentTooLarge if too_long else InvalidRequest
    return problem(f"check: {named(errors)}"[:240], errors=errors)


def _document(app: FastAPI) -> dict[str, Any]:
    if not app.openapi_schema:
        app.openapi_schema = documents.openapi(app, app.state.events)
    return app.openapi_schema
