"""Spans join what belongs together and hold nothing of what was sent.

OpenTelemetry takes one provider a process, so spans are read from the real exporter of a process of its own.
"""

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.trace import SpanKind
from purgatory import AsyncCircuitBreakerFactory
from pydantic import BaseModel

from llama_mapper.chassis import correlation, tracing
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.calls import ServiceClient
from llama_mapper.chassis.events import Outgoing, Sink, add_consumer, encode, reply_to
from llama_mapper.contracts.events import AnalysisCompleted, EventContext, FindingReported
from llama_mapper.contracts.identifiers import EventId, RequestId, TenantId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.problems import Problem, Unavailable

SECRET = "ada@example.org"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
DATA = {"findings": [{"detector": "presidio", "label": "EMAIL"}]}
ANSWER = AnalysisCompleted(
    request_id=RequestId("request-1"),
    risk_score=1,
    risk_level="low",
    risk_formula="f1",
    components={},
    controls=(),
    versions=Versions(taxonomy="2026.11", mapper="1"),
)


class Echo(BaseModel):
    text: str


def front(other: FastAPI) -> FastAPI:
    """A service that calls another, sends an event and fails on request, saying the content in its exceptions."""
    app = create_app("front", "1")
    calls = httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://other")
    broker = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(202)))
    client = ServiceClient("other", "http://other", calls, AsyncCircuitBreakerFactory())

    @app.post("/api/v1/things/{name}")
    async def thing(name: str, body: Echo) -> Echo:
        if name == "crash":
            raise RuntimeError(body.text)
        answer = await client.post("/echo", body, Echo, timeout_seconds=5, tenant_id=TenantId("demo"))
        await Sink("http://broker", broker).send(Outgoing(ANSWER, TenantId("demo"), "/front", EventId("event-1")))
        return answer

    async def on_finding(context: EventContext, event: FindingReported) -> Outgoing:
        return reply_to(context, ANSWER, "/front")

    add_consumer(app, {FindingReported: on_finding}, "/events")
    return app


def back() -> FastAPI:
    app = create_app("other", "1")

    @app.post("/echo")
    async def echo(body: Echo) -> Echo:
        return body

    return app


async def scenario() -> None:
    """What the process of its own runs: one answered request, one that crashes, one event, a probe."""
    event = {"specversion": "1.0", "id": "finding-1", "source": "/third/party", "type": FindingReported.type}
    headers = {f"ce-{name}": value for name, value in (event | {"tenantid": "demo", "traceparent": TRACE}).items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front(back())), base_url="http://front") as client:
        await client.post(f"/api/v1/things/ok?secret={SECRET}", json={"text": SECRET}, headers={"traceparent": TRACE})
        await client.post("/api/v1/things/crash", json={"text": SECRET})
        reply = await client.post("/events", json=DATA, headers=headers)
        assert reply.headers["ce-traceparent"].split("-")[1] == "a" * 32, "the reply goes on with the event's trace"
        await client.get("/health")


RUN = "import asyncio; from tests.unit.chassis.test_tracing import scenario; asyncio.run(scenario())"


@pytest.fixture(scope="module")
def exported() -> str:
    environment = {"OTEL_TRACES_EXPORTER": "console", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def spans(exported: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported.splitlines()]


def test_a_request_is_one_trace_from_the_caller_to_the_last_call(spans: list[dict[str, Any]]) -> None:
    one = [span for span in spans if span["context"]["trace_id"] == "0x" + "a" * 32]
    names = {span["name"]: span for span in one}
    served, called = names["POST /api/v1/things/{name}"], names["POST other"]
    assert served["parent_id"] == "0x" + "b" * 16
    assert called["parent_id"] == served["context"]["span_id"]
    assert names["POST /echo"]["parent_id"] == called["context"]["span_id"]
    sent = names["send io.llama-mapper.analysis.completed.v1"]
    assert (sent["kind"], sent["parent_id"]) == ("SpanKind.PRODUCER", served["context"]["span_id"])
    assert served["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/api/v1/things/{name}",
        "http.response.status_code": 200,
    }


def test_an_event_goes_on_with_its_own_trace(spans: list[dict[str, Any]]) -> None:
    (consumed,) = (span for span in spans if span["kind"] == "SpanKind.CONSUMER")
    assert (consumed["name"], consumed["parent_id"]) == (f"process {FindingReported.type}", "0x" + "b" * 16)


def test_a_crash_leaves_its_status_and_no_text(spans: list[dict[str, Any]], exported: str) -> None:
    (crashed,) = (span for span in spans if span["attributes"].get("http.response.status_code") == 500)
    assert (crashed["status"], crashed["attributes"]["error.type"]) == ({"status_code": "ERROR"}, "500")
    assert crashed["events"] == []
    assert SECRET not in exported


def test_a_probe_makes_no_span_and_the_service_is_named(spans: list[dict[str, Any]]) -> None:
    assert not [span for span in spans if "/health" in span["name"]]
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"other"}


def test_without_an_exporter_the_callers_trace_is_handed_on_as_it_came() -> None:
    with tracing.span("a", parent=TRACE):
        assert (correlation.traceparent(), tracing.trace_id()) == (TRACE, "a" * 32)
        headers, _ = encode(Outgoing(ANSWER, TenantId("demo"), "/front", EventId("event-1")))
    assert headers["ce-traceparent"] == TRACE
    assert (tracing.traceparent(), tracing.trace_id()) == (None, None)


def test_a_problem_passes_through_a_span_unchanged() -> None:
    with pytest.raises(Problem) as raised, tracing.span("a", SpanKind.CLIENT):
        raise Unavailable("not now", retry_after_seconds=1)
    assert raised.value.status == 503


def test_an_unknown_exporter_ends_the_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "jaeger")
    with pytest.raises(SystemExit, match="OTEL_TRACES_EXPORTER: one of none, otlp, console"):
        create_app("a-service", "1")
