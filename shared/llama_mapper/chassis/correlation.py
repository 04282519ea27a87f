"""The ids that tie one request's log lines, calls and events together."""

import re
import uuid
from contextvars import ContextVar

from llama_mapper.contracts.identifiers import CorrelationId

from . import tracing

HEADER = "X-Correlation-ID"
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_NONE = CorrelationId("none-none")
_correlation_id: ContextVar[CorrelationId] = ContextVar("correlation_id", default=_NONE)
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current() -> CorrelationId:
    return _correlation_id.get()


def traceparent() -> str | None:
    """The W3C trace context to be handed on in calls and events: the current span's, else the caller's."""
    return tracing.traceparent() or _traceparent.get()


def adopt(correlation_id: str | None, trace: str | None = None) -> CorrelationId:
    """Take over the caller's ids where they are well formed, else make a new correlation id."""
    valid = _VALID.fullmatch(correlation_id or "")
    taken = CorrelationId(valid.group() if valid else uuid.uuid4().hex)
    _correlation_id.set(taken)
    _traceparent.set(trace if trace and _TRACEPARENT.fullmatch(trace) else None)
    return taken
