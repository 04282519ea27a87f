"""Spans by OpenTelemetry, off unless ``OTEL_TRACES_EXPORTER`` says ``otlp`` or ``console``.

Where to and which share are the SDK's own variables (``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_TRACES_SAMPLER``, ...:
OpenTelemetry specification, "Environment Variable Specification"). Attributes come from a closed list, and an exception
leaves its type only, so a span cannot carry content. Without an exporter the caller's trace context is still handed on.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

EXPORTER = "OTEL_TRACES_EXPORTER"
EXPORTERS = ("none", "otlp", "console")
SEND_AFTER_MS = 500
_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("llama_mapper")

Attribute = Literal[
    "db.operation.name",
    "db.system.name",
    "error.type",
    "gen_ai.operation.name",
    "gen_ai.request.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "messaging.destination.name",
    "messaging.operation.type",
    "server.address",
]
"""OpenTelemetry's semantic conventions, as far as we use them; each is a name from our code or a number."""
Attributes = Mapping[Attribute, str | int]


def configure(service: str) -> None:
    """Export this process's spans as the environment says; the first caller names the service.

    Raises:
        SystemExit: ``OTEL_TRACES_EXPORTER`` is none that we know.
    """
    chosen = os.environ.get(EXPORTER) or "none"
    if chosen not in EXPORTERS:
        raise SystemExit(f"settings are wrong:\n  {EXPORTER}: one of {', '.join(EXPORTERS)}")
    if chosen == "none":
        return
    # The SDK and an exporter take 120 ms to import: only who asks for them pays.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    exporter: SpanExporter
    if chosen == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    else:
        exporter = ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n")
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    provider = TracerProvider(resource=Resource.create({"service.namespace": "llama-mapper", **named}))
    # uvicorn drains on SIGTERM and then dies of it, past the SDK's atexit: what has waited shorter than this is lost.
    delay = None if os.environ.get("OTEL_BSP_SCHEDULE_DELAY") else SEND_AFTER_MS
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    trace.set_tracer_provider(provider)


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
) -> Iterator[Span]:
    """Make a span the current one; *parent* is a ``traceparent`` from elsewhere, else the current span is the parent.

    What passes through it as an exception is noted by its type alone: its text may quote what was sent.
    """
    with _tracer.start_as_current_span(
        name,
        context=_W3C.extract({"traceparent": parent}, context=Context()) if parent else None,
        kind=kind,
        attributes=_plain(attributes) if attributes else None,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            failed(current, type(error).__name__)
            raise


def note(current: Span, attributes: Attributes) -> None:
    """Add *attributes* to a span that has begun."""
    current.set_attributes(_plain(attributes))


def _plain(attributes: Attributes) -> dict[str, AttributeValue]:
    return dict(attributes.items())


def failed(current: Span, error_type: str) -> None:
    note(current, {"error.type": error_type})
    current.set_status(Status(StatusCode.ERROR))


def traceparent() -> str | None:
    """The current span as a W3C ``traceparent``, to be handed on; None where there is no trace."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


def trace_id() -> str | None:
    """The current trace's id as 32 hexadecimal digits; None where there is no trace."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
