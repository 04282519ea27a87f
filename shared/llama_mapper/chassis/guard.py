"""The one ASGI middleware in front of every service: limits on the body, correlation, metrics, the last except.

It reads the body once, refuses what no parser should see (too large, not UTF-8, nested too deep) and hands it on.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from opentelemetry.trace import Span, SpanKind
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mapper.contracts.problems import ContentTooLarge, InternalError, InvalidRequest, Problem, RequestTimeout

from . import correlation, metrics, tracing
from .logs import get_logger
from .strictness import check_head, check_values

log = get_logger(__name__)

ADDED = "llama_mapper.headers"
"""Where a request's scope holds what every answer to it says, the problem included."""
MAX_DEPTH = 32
READ_SECONDS = 10.0
"""Longest wait for a whole body; a client that sends a byte now and then would hold a place for ever."""
_PROBES = frozenset({"/health", "/ready", "/metrics"})
# Possessive, and the closing quote optional: an unclosed string must not be searched again from each of its quotes.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_HEADER = correlation.HEADER.lower().encode()


def problem_response(problem: Problem) -> Response:
    """Render *problem* as RFC 9457 ``application/problem+json``."""
    correlation_id = correlation.current()
    headers: dict[str, str] = {**problem.headers, correlation.HEADER: correlation_id}
    if problem.retry_after_seconds is not None:
        headers["Retry-After"] = str(problem.retry_after_seconds)
    body = problem.document(correlation_id).model_dump_json(exclude_defaults=False)
    return Response(body, problem.status, headers, media_type="application/problem+json")


def check_depth(body: bytes, limit: int = MAX_DEPTH) -> None:
    """Refuse JSON nested deeper than *limit*, without parsing it.

    Raises:
        InvalidRequest: too deep.
    """
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", body)):
        depth += 1 if bracket.group() in b"[{" else -1
        if depth > limit:
            raise InvalidRequest(f"the body is nested deeper than {limit} levels")


def check_json(body: bytes) -> None:
    """Refuse a body that is not one UTF-8 JSON value.

    Raises:
        InvalidRequest: empty, not UTF-8, not JSON, too deep or ambiguous.
    """
    if not body.strip():
        raise InvalidRequest("the body is empty; send a JSON object")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("the body is not UTF-8") from None
    check_depth(body)
    try:
        check_values(text)
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(f"the body is not JSON{place}") from None


class Guard:
    """Wrap *app*; *max_bytes* bounds the request body as sent.

    *streams* are the paths whose body is handed on while it comes, each with its own bound: what it holds is for the
    resource to check, line by line.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        max_bytes: int,
        streams: Mapping[str, int] = MappingProxyType({}),
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._read_seconds = read_seconds
        self._streams = streams
        self._app = app
        self._service = service
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if scope["path"] in _PROBES:
            await self._answer(request, send, None)
            return
        method: tracing.Attributes = {"http.request.method": request.method}
        with tracing.span(request.method, SpanKind.SERVER, method, parent=request.headers.get("traceparent")) as span:
            await self._answer(request, send, span)

    async def _answer(self, request: Request, send: Send, span: Span | None) -> None:
        scope, receive = request.scope, request.receive
        correlation_id = correlation.adopt(
            request.headers.get("x-correlation-id") or request.headers.get("ce-correlationid"),
            request.headers.get("traceparent"),
        )
        started = time.perf_counter()
        status = 500
        answered = False

        async def relay(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                answered, status = True, message["status"]
                headers = [
                    pair for pair in message.get("headers", ()) if pair[0].lower() != _HEADER
                ]  # a problem has it
                said = [(name.lower().encode(), value.encode()) for name, value in scope.get(ADDED, {}).items()]
                message["headers"] = [*headers, *said, (_HEADER, correlation_id.encode())]
            await send(message)

        try:
            check_head(scope)
            await self._app(scope, await self._receiving(request), relay)
        except Problem as problem:
            status = problem.status
            await problem_response(problem)(scope, receive, send)
        except Exception:  # the one place: whatever escapes a service is logged by type and answered as a problem
            log.error("request.crashed", exc_info=True)
            if not answered:
                await problem_response(InternalError("the service failed; see its log"))(scope, receive, send)
        route = getattr(scope.get("route"), "path", "(none)")
        self._account(route, status, time.perf_counter() - started)
        if span:
            _describe(span, request.method, route, status)

    async def _receiving(self, request: Request) -> Receive:
        if limit := self._streams.get(request.scope["path"]):
            _check_declared(request, limit)
            return _bounded(request.receive, limit)
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await self._read(request)
        except TimeoutError:
            raise RequestTimeout(f"the body did not come within {self._read_seconds:g} s") from None
        return _replay(body, request.receive)

    async def _read(self, request: Request) -> bytes:
        _check_declared(request, self._max_bytes)
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._max_bytes:
                raise ContentTooLarge(f"the body may have at most {self._max_bytes} bytes")
            chunks.append(chunk)
        body = b"".join(chunks)
        media_type = request.headers.get("content-type", "json" if body else "").lower()
        if request.method in ("POST", "PUT", "PATCH") and "json" in media_type:
            check_json(body)
        return body

    def _account(self, route: str, status: int, seconds: float) -> None:
        metrics.REQUESTS.labels(self._service, route, str(status)).inc()
        metrics.DURATION.labels(self._service, route).observe(seconds)
        if route not in _PROBES:
            log.info(
                "request.answered", extra={"route": route, "status": status, "duration_ms": round(seconds * 1000, 1)}
            )


def _describe(span: Span, method: str, route: str, status: int) -> None:
    """By the semantic conventions for HTTP servers: named by the route, and only a 5xx is a failure of ours."""
    span.update_name(f"{method} {route}")
    tracing.note(span, {"http.route": route, "http.response.status_code": status})
    if status >= 500:
        tracing.failed(span, str(status))


def _check_declared(request: Request, limit: int) -> None:
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > limit:
        raise ContentTooLarge(f"the body may have at most {limit} bytes")


def _bounded(receive: Receive, limit: int) -> Receive:
    """*receive*, which raises ContentTooLarge once more than *limit* bytes have come."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise ContentTooLarge(f"the body may have at most {limit} bytes")
        return message

    return counted


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        message: dict[str, Any] = {"type": "http.request", "body": body, "more_body": False}
        return message

    return again
