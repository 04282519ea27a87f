import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Outgoing, Sink, add_consumer, decode, derived_id, encode, reply_to
from llama_mapper.contracts.events import AnalysisCompleted, EventContext, FindingReported
from llama_mapper.contracts.identifiers import CorrelationId, EventId, RequestId, TenantId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.problems import InternalError, Problem, Unavailable, Unprocessable

from .conftest import Client

SECRET = "ada@example.org"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
DATA: dict[str, Any] = {"findings": [{"detector": "presidio", "label": "EMAIL"}]}
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "finding-1",
    "source": "/third/party",
    "type": FindingReported.type,
    "tenantid": "demo",
}
ANSWER = AnalysisCompleted(
    request_id=RequestId("request-1"),
    risk_score=1,
    risk_level="low",
    risk_formula="f1",
    components={},
    controls=(),
    versions=Versions(taxonomy="2026.11", mapper="1"),
)


def binary(data: Any = DATA, *, without: str = "", **attributes: str) -> tuple[dict[str, str], bytes]:
    headers = {f"ce-{name}": value for name, value in (ATTRIBUTES | attributes).items() if name != without}
    return headers | {"content-type": "application/json"}, json.dumps(data).encode()


def structured(data: Any = DATA, *, without: str = "", **attributes: Any) -> tuple[dict[str, str], bytes]:
    event = {name: value for name, value in (ATTRIBUTES | attributes).items() if name != without} | {"data": data}
    return {"content-type": "application/cloudevents+json; charset=utf-8"}, json.dumps(event).encode()


def consumer(seen: list[Any], answer: Any = None) -> FastAPI:
    app = create_app("a-service", "1")

    async def on_finding(context: EventContext, event: FindingReported) -> Outgoing | None:
        seen.append((context, event))
        if isinstance(answer, Problem):
            raise answer
        return reply_to(context, answer, "/functions/a-service") if answer else None

    add_consumer(app, {FindingReported: on_finding}, "/events")
    return app


async def post(client: Client, app: FastAPI, message: tuple[dict[str, str], bytes]) -> httpx.Response:
    headers, body = message
    async with client(app) as caller:
        return await caller.post("/events", content=body, headers=headers)


@pytest.mark.parametrize("mode", [binary, structured])
async def test_an_event_is_read_in_both_modes(client: Client, mode: Any) -> None:
    seen: list[tuple[EventContext, FindingReported]] = []
    answer = await post(client, consumer(seen), mode())
    ((context, event),) = seen
    assert (answer.status_code, answer.content) == (204, b"")
    assert (context.id, context.source, context.tenantid) == ("finding-1", "/third/party", "demo")
    assert event.findings[0].label == "EMAIL"


@pytest.mark.parametrize("mode", [binary, structured])
@pytest.mark.parametrize("missing", ["id", "source", "type", "specversion"])
async def test_a_missing_attribute_is_named(client: Client, mode: Any, missing: str) -> None:
    answer = await post(client, consumer([]), mode(without=missing))
    assert (answer.status_code, answer.json()["error_code"]) == (422, "UNPROCESSABLE")
    assert missing in answer.json()["detail"].split(": ")[-1].split(", ")


@pytest.mark.parametrize("mode", [binary, structured])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", "a b"),
        ("source", SECRET),
        ("tenantid", "Demo"),
        ("tenantid", SECRET),
        ("time", "yesterday"),
        ("time", "2026-11-23T10:00:00"),
        ("time", "1763892000.5"),
        ("subject", SECRET),
        ("correlationid", "short"),
        ("traceparent", "00-zz"),
        ("specversion", "0.3"),
        ("specversion", "2.0"),
    ],
)
async def test_a_wrong_attribute_is_named_without_its_value(client: Client, mode: Any, name: str, value: str) -> None:
    answer = await post(client, consumer([]), mode(**{name: value}))
    assert (answer.status_code, SECRET in answer.text) == (422, False)
    assert name in answer.json()["detail"] or name == "specversion"


async def test_an_event_of_no_tenant_is_refused(client: Client) -> None:
    answer = await post(client, consumer([]), binary(without="tenantid"))
    assert (answer.status_code, answer.json()["detail"]) == (422, "event attribute not valid: tenantid")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b'{"a": 1}', 422),
        ({"content-type": "application/json"}, b"[1]", 422),
        ({"content-type": "application/cloudevents+json"}, b'"text"', 422),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", 422),
        (binary()[0] | {"content-type": "text/plain"}, b"[" * 100_000, 422),
        (binary()[0], b"", 400),
        (binary()[0], b"not json ada@example.org", 400),
        (binary()[0], b"[" * 40 + b"]" * 40, 400),
    ],
    ids=["no event", "a list", "a text", "a batch", "another medium", "no body", "no JSON", "too deep"],
)
async def test_what_is_no_event_is_refused_and_not_quoted(
    client: Client, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await post(client, consumer([]), (headers, body))
    assert (answer.status_code, SECRET in answer.text) == (status, False)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (None, "data"),
        ([], "data"),
        ({}, "findings"),
        ({"findings": []}, "findings"),
        ({"findings": [{"detector": "presidio", "label": SECRET}]}, "findings.0.label"),
        ({"findings": [{"detector": "presidio", "label": "x", SECRET: 1}]}, "findings.0.(unknown field)"),
        ({"findings": [{"detector": "presidio", "label": "x"}] * 101}, "findings"),
    ],
)
async def test_wrong_data_can_never_work_and_is_named(client: Client, data: Any, field: str) -> None:
    answer = await post(client, consumer([]), binary(data))
    assert (answer.status_code, SECRET in answer.text) == (422, False)
    assert field in [error["field"] for error in answer.json()["errors"]]


async def test_unknown_fields_of_data_are_left_alone(client: Client) -> None:
    seen: list[Any] = []
    assert (await post(client, consumer(seen), binary(DATA | {"later": 1}))).status_code == 204


async def test_another_type_is_refused_and_ours_is_named(client: Client) -> None:
    answer = await post(client, consumer([]), binary(type="com.example.other"))
    assert (answer.status_code, FindingReported.type in answer.json()["detail"]) == (422, True)


async def test_what_may_work_later_is_said_so(client: Client) -> None:
    app = consumer([], Unavailable("the store is away", retry_after_seconds=3))
    answer = await post(client, app, binary())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


@pytest.mark.parametrize("mode", [binary, structured])
async def test_a_reply_copies_what_a_broker_does_not_hand_on(client: Client, mode: Any) -> None:
    message = mode(correlationid="order-0001", traceparent=TRACE, subject="request-9")
    answer = await post(client, consumer([], ANSWER), message)
    assert answer.status_code == 200
    context, data = decode(answer.headers, answer.content)
    assert (context.tenantid, context.correlationid, context.subject) == ("demo", "order-0001", "request-9")
    assert (context.traceparent, context.partitionkey) == (TRACE, "demo")
    assert (context.type, context.source) == (AnalysisCompleted.type, "/functions/a-service")
    assert AnalysisCompleted.model_validate(data) == ANSWER


async def test_an_event_without_a_correlation_id_lends_its_own(client: Client) -> None:
    answer = await post(client, consumer([], ANSWER), binary(id="finding-0001"))
    assert answer.headers["ce-correlationid"] == "finding-0001"


async def test_a_redelivery_is_answered_with_the_same_id(client: Client) -> None:
    app = consumer([], ANSWER)
    first, again, other = [await post(client, app, binary(id=id_)) for id_ in ("finding-1", "finding-1", "finding-2")]
    assert first.headers["ce-id"] == again.headers["ce-id"] != other.headers["ce-id"]


@pytest.mark.parametrize("change", [{"id": "b"}, {"source": "/other"}], ids=["another id", "another source"])
def test_an_id_is_derived_from_source_id_and_type(change: dict[str, str]) -> None:
    context = EventContext.model_validate(ATTRIBUTES)
    other = EventContext.model_validate(ATTRIBUTES | change)
    assert derived_id(context, "t") == derived_id(context, "t")
    assert len({derived_id(context, "t"), derived_id(other, "t"), derived_id(context, "u")}) == 3


def outgoing() -> Outgoing:
    return Outgoing(
        data=ANSWER,
        tenant_id=TenantId("demo"),
        source="/functions/a",
        id=EventId("e1"),
        correlation_id=CorrelationId("order-0001"),
    )


def test_what_is_encoded_can_be_decoded() -> None:
    correlation.adopt("other-0001", TRACE)
    context, data = decode(*encode(outgoing()))
    assert (context.id, context.correlationid, context.traceparent) == ("e1", "order-0001", TRACE)
    assert context.time is not None
    assert data == ANSWER.model_dump(mode="json", exclude_none=True)


def test_decode_is_blind_to_the_case_of_the_medium() -> None:
    headers, body = binary()
    assert decode(headers | {"content-type": "Application/JSON"}, body)[0].id == "finding-1"


def broker(status: int | httpx.HTTPError, sent: list[httpx.Request]) -> httpx.AsyncClient:
    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if isinstance(status, httpx.HTTPError):
            raise status
        return httpx.Response(status, text=SECRET)

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


async def test_the_sink_posts_a_binary_event() -> None:
    sent: list[httpx.Request] = []
    await Sink("http://broker/ns/default", broker(202, sent)).send(outgoing())
    (request,) = sent
    assert (str(request.url), request.headers["ce-type"]) == ("http://broker/ns/default", AnalysisCompleted.type)
    assert decode(request.headers, request.content)[0].tenantid == "demo"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_broker_that_will_never_take_it_is_a_fault_of_ours(status: int) -> None:
    with pytest.raises(InternalError, match="refuses the event for good"):
        await Sink("http://broker", broker(status, [])).send(outgoing())


async def test_the_sink_shows_the_token_that_is_mounted_now(tmp_path: Path) -> None:
    sent: list[httpx.Request] = []
    token = tmp_path / "token"
    sink = Sink("http://broker", broker(202, sent), token)
    await sink.send(outgoing())
    for renewed in ("first\n", "second"):
        token.write_text(renewed)
        await sink.send(outgoing())
    assert [request.headers.get("authorization") for request in sent] == [None, "Bearer first", "Bearer second"]


@pytest.mark.parametrize("status", [200, 401, 403, 404, 429, 503])
async def test_a_broker_that_does_not_take_it_now_is_unavailable(status: int) -> None:
    with pytest.raises(Unavailable, match="does not take the event now") as caught:
        await Sink("http://broker", broker(status, [])).send(outgoing())
    assert caught.value.retry_after_seconds == 1


@pytest.mark.parametrize("failure", [httpx.ConnectError(SECRET), httpx.ReadTimeout(SECRET)], ids=["away", "slow"])
async def test_a_broker_that_does_not_answer_is_unavailable(failure: httpx.HTTPError) -> None:
    with pytest.raises(Unavailable, match=r"^the broker does not answer$"):
        await Sink("http://broker", broker(failure, [])).send(outgoing())


async def test_without_an_address_nothing_is_sent() -> None:
    sent: list[httpx.Request] = []
    await Sink(None, broker(202, sent)).send(outgoing())
    assert sent == []


def test_an_attribute_that_is_no_text_is_refused() -> None:
    headers, body = structured(id=5)
    with pytest.raises(Unprocessable):
        decode(headers, body)
