"""CloudEvents in and out, in the one module that knows the SDK (cloudevents 1.x; see docs/decisions).

A consumer answers 204 for "done, nothing to say", 200 with a binary-mode event for a reply, 422 for what can never
work and 503 with ``Retry-After`` for what may; a broker redelivers 5xx, 404, 408, 409 and 429 and dead-letters the
rest. A Knative broker does not hand extensions on to a reply, so the reply copies tenant, correlation and trace.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from cloudevents.conversion import to_binary
from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http
from fastapi import FastAPI, Request, Response
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from llama_mapper.contracts.events import EventContext, EventData
from llama_mapper.contracts.identifiers import CorrelationId, EventId, TenantId
from llama_mapper.contracts.problems import InternalError, Problem, Unavailable, Unprocessable

from . import correlation, documents, metrics, tracing
from .faults import field_errors, named
from .logs import get_logger

log = get_logger(__name__)

TOKEN = Path("/oidc/token")
"""Where Knative mounts the token by which a broker with OIDC authentication knows its senders."""
REFUSED_SENDERS = frozenset({401, 403})
"""The event is sound, its sender was not let: somebody has to mend a token or an EventPolicy, and the event waits."""
_NAMESPACE = uuid.UUID("6f1b6c4e-6a0c-5a55-9d35-2f2f4b8f9a11")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to send: its data and the attributes that are not constant."""

    data: EventData
    tenant_id: TenantId
    source: str
    id: EventId
    subject: str | None = None
    correlation_id: CorrelationId | None = None


Consumer = Callable[[EventContext, Any], Awaitable[Outgoing | None]]


def derived_id(context: EventContext, event_type: str) -> EventId:
    """Return the id of the event that answers *context*: a redelivery gives the same id, so consumers can tell."""
    return EventId(str(uuid.uuid5(_NAMESPACE, f"{context.source}\n{context.id}\n{event_type}")))


def reply_to(context: EventContext, data: EventData, source: str) -> Outgoing:
    return Outgoing(
        data=data, tenant_id=context.tenantid, source=source, id=derived_id(context, data.type), subject=context.subject
    )


def encode(event: Outgoing) -> tuple[dict[str, str], bytes]:
    """Return headers and body of *event* in HTTP binary content mode (CloudEvents HTTP binding 3.1)."""
    attributes: dict[str, Any] = {
        "id": event.id,
        "source": event.source,
        "type": event.data.type,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "tenantid": event.tenant_id,
        "correlationid": event.correlation_id or correlation.current(),
        "partitionkey": event.tenant_id,
    }
    if event.subject:
        attributes["subject"] = event.subject
    if trace := correlation.traceparent():
        attributes["traceparent"] = trace
    headers, body = to_binary(CloudEvent(attributes, event.data.model_dump(mode="json", exclude_none=True)))
    return headers, body


def decode(headers: Mapping[str, str], body: bytes) -> tuple[EventContext, Any]:
    """Read one event in binary or structured mode.

    Raises:
        Unprocessable: not a CloudEvent 1.0, or an attribute is missing or wrong (each is named).
    """
    if "json" not in headers.get("content-type", "application/json").lower():  # no parser has looked at such a body
        raise Unprocessable("an event's data must be JSON; content-type says otherwise")
    try:
        event = from_http(dict(headers), body)
    except GenericException:
        missing = sorted({"id", "source", "type", "specversion"} - _attributes(headers, body))
        named = f"; missing: {', '.join(missing)}" if missing else ""
        raise Unprocessable(f"this is not a CloudEvent 1.0{named}") from None
    if event["specversion"] != "1.0":  # the SDK also reads 0.3
        raise Unprocessable("this is not a CloudEvent 1.0; specversion must be 1.0")
    try:
        context = EventContext.model_validate(dict(event.get_attributes()))
    except ValidationError as error:
        raise _unprocessable("attribute", error) from None
    return context, event.get_data()


def _attributes(headers: Mapping[str, str], body: bytes) -> set[str]:
    if headers.get("content-type", "").startswith("application/cloudevents+json"):
        try:
            event = json.loads(body)
        except ValueError:
            return set()
        return set(event) if isinstance(event, dict) else set()
    return {name.removeprefix("ce-") for name in headers if name.startswith("ce-")}


def _unprocessable(what: str, error: ValidationError) -> Unprocessable:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    errors = field_errors(faults, whole=what)
    return Unprocessable(f"event {what} not valid: {named(errors)}"[:240], errors=errors)


def add_consumer(app: FastAPI, handlers: Mapping[type[EventData], Consumer], path: str = "/") -> None:
    """Take events at *path*, one handler for each event type; any other type is refused with 422."""
    by_type = {model.type: (model, handler) for model, handler in handlers.items()}
    app.state.events.extend(handlers)

    @app.post(
        path,
        tags=["events"],
        status_code=204,
        responses={200: {"description": "a CloudEvent in reply"}},
        openapi_extra=documents.event_request(tuple(handlers)),
    )
    async def consume(request: Request) -> Response:
        """Take one CloudEvent, in binary mode as described or in structured mode."""
        context, data = decode(request.headers, await request.body())
        if context.type not in by_type:
            raise Unprocessable(f"this service does not take that event type; it takes {', '.join(sorted(by_type))}")
        correlation.adopt(context.correlationid or context.id, context.traceparent)
        attributes: tracing.Attributes = {
            "messaging.operation.type": "process",
            "messaging.destination.name": context.type,
        }
        with tracing.span(f"process {context.type}", SpanKind.CONSUMER, attributes, parent=context.traceparent):
            return await answered(context, data)

    async def answered(context: EventContext, data: Any) -> Response:
        model, handler = by_type[context.type]
        try:
            payload = model.model_validate(data)
        except ValidationError as error:
            metrics.EVENTS.labels(context.type, "refused").inc()
            raise _unprocessable("data", error) from None
        try:
            answer = await handler(context, payload)
        except Problem as problem:
            metrics.EVENTS.labels(context.type, problem.error_code.lower()).inc()
            raise
        metrics.EVENTS.labels(context.type, "consumed").inc()
        if answer is None:
            return Response(status_code=204)
        headers, body = encode(answer)
        return Response(body, 200, headers)


RETRIED = frozenset({404, 408, 409, 429})
"""Answers below 500 after which a broker's own dispatcher would try again (knative-eventing, retries.go)."""


class Sink:
    """Sends events to the broker (``K_SINK``, as Knative's SinkBinding injects it); no URL means events are off.

    *token* is read for each event, as the platform renews it; where there is none the broker asks for none.
    """

    def __init__(self, url: str | None, client: httpx.AsyncClient, token: Path = TOKEN) -> None:
        self._url = url
        self._client = client
        self._token = token

    async def send(self, event: Outgoing, timeout_seconds: float = 2.0) -> None:
        """Hand *event* to the broker and wait for its 202.

        Raises:
            Unavailable: the broker did not take it now.
            InternalError: the broker will never take it (a 4xx that waiting does not cure): a fault of ours.
        """
        if not self._url:
            return
        attributes: tracing.Attributes = {
            "messaging.operation.type": "send",
            "messaging.destination.name": event.data.type,
        }
        with tracing.span(f"send {event.data.type}", SpanKind.PRODUCER, attributes):
            await self._send(self._url, event, timeout_seconds)

    async def _send(self, url: str, event: Outgoing, timeout_seconds: float) -> None:
        headers, body = encode(event)
        headers = {**headers, **self._identity()}
        try:
            answer = await self._client.post(url, headers=headers, content=body, timeout=timeout_seconds)
        except httpx.HTTPError as error:
            metrics.EVENTS.labels(event.data.type, "unsent").inc()
            raise Unavailable("the broker does not answer", retry_after_seconds=1) from error
        if answer.status_code != 202:
            metrics.EVENTS.labels(event.data.type, "unsent").inc()
            if 400 <= answer.status_code < 500 and answer.status_code not in RETRIED | REFUSED_SENDERS:
                raise InternalError("the broker refuses the event for good")
            raise Unavailable("the broker does not take the event now", retry_after_seconds=1)
        metrics.EVENTS.labels(event.data.type, "sent").inc()

    def _identity(self) -> dict[str, str]:
        try:
            return {"authorization": f"Bearer {self._token.read_text('ascii').strip()}"}
        except OSError:
            return {}
