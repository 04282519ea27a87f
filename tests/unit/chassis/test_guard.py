import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mapper.chassis import correlation, metrics
from llama_mapper.chassis.guard import Guard, check_depth
from llama_mapper.contracts.problems import InvalidRequest, Unavailable

from .conftest import Client, Lines

SECRET = "ada@example.org"
LIMIT = 2000


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what arrived."""
    body = await Request(scope, receive).body()
    await JSONResponse({"body": body.decode(), "correlation_id": correlation.current()})(scope, receive, send)


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError(SECRET)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    raise Unavailable("the store is away", retry_after_seconds=7)


async def crash_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError(SECRET)


def guarded(app: ASGIApp = echo) -> Guard:
    return Guard(app, service="a-service", max_bytes=LIMIT)


async def post(
    client: Client, body: bytes, app: ASGIApp = echo, headers: dict[str, str] | None = None
) -> httpx.Response:
    async with client(guarded(app)) as caller:
        return await caller.post("/", content=body, headers={"content-type": "application/json"} | (headers or {}))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the body is empty; send a JSON object"),
        (b"  \n ", "the body is empty; send a JSON object"),
        (b'{"content": "\xff\xfe"}', "the body is not UTF-8"),
        ('{"content": "ä"}'.encode("latin-1"), "the body is not UTF-8"),
        (b'{"content": }', "the body is not JSON (line 1, column 13)"),
        (b'{"content": "ada@example.org', "the body is not JSON (line 1, column 13)"),
        (b"[1] [2]", "the body is not JSON (line 1, column 5)"),
        (b"[" + b"9" * 5000 + b"]", "the body may have at most 2000 bytes"),
        (nested(33), "the body is nested deeper than 32 levels"),
    ],
    ids=["empty", "blank", "not UTF-8", "latin-1", "no value", "unclosed", "two values", "large", "deep"],
)
async def test_what_no_parser_should_see_is_refused(client: Client, body: bytes, detail: str) -> None:
    answer = await post(client, body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == detail
    assert (SECRET in answer.text, answer.status_code) == (False, 413 if "at most" in detail else 400)


async def test_a_number_too_long_for_python_is_refused(client: Client) -> None:
    answer = await post(client, b"9" * 5000, app=Guard(echo, service="s", max_bytes=10_000))
    assert answer.status_code == 413
    async with client(Guard(echo, service="s", max_bytes=10_000)) as caller:
        answer = await caller.post("/", content=b"9" * 5000, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "the body is not JSON")


async def test_thirty_two_levels_pass(client: Client) -> None:
    assert (await post(client, nested(32))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b'"' + b"[" * 100 + b'"', b'["\\"' + b"{" * 100 + b'"]', b'{"a": "\\\\", "b": "' + b"[" * 100 + b'"}'],
    ids=["in a string", "after an escaped quote", "after an escaped backslash"],
)
async def test_brackets_inside_strings_do_not_count(client: Client, body: bytes) -> None:
    assert (await post(client, body)).status_code == 200


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_depth_is_counted_as_json_nests(value: Any) -> None:
    def depth(part: Any) -> int:
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if parts is None else 1 + max((depth(inner) for inner in parts), default=0)

    body = json.dumps(value).encode()
    check_depth(body, depth(value))
    if depth(value):
        with pytest.raises(InvalidRequest):
            check_depth(body, depth(value) - 1)


# Each escaped quote of an unclosed string was once the start of a search to its end: minutes for 256 KiB.
def test_an_unclosed_string_of_escaped_quotes_is_read_once() -> None:
    check_depth(b'"' + b'\\"' * 2_000_000)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/ce+json"])
async def test_json_is_checked_however_it_is_spelled(client: Client, content_type: str) -> None:
    assert (await post(client, b"{", headers={"content-type": content_type})).status_code == 400


async def test_other_media_are_only_bounded(client: Client) -> None:
    assert (await post(client, b"{", headers={"content-type": "text/plain"})).status_code == 200


async def test_a_body_with_an_honest_length_is_refused_before_it_is_read(client: Client) -> None:
    answer = await post(client, b'"' + b"x" * LIMIT + b'"')
    assert (answer.status_code, answer.json()["error_code"]) == (413, "CONTENT_TOO_LARGE")


@pytest.mark.parametrize("declared", [None, "10"], ids=["no length", "too small a length"])
async def test_a_body_is_bounded_whatever_its_length_says(declared: str | None) -> None:
    read: list[int] = []
    status = await call(guarded(), [b"x" * 600] * 50, declared, read)
    assert (status, len(read)) == (413, 4)  # 4 chunks are more than the limit; the others stay unread


@pytest.mark.parametrize("declared", ["-1", "a lot", "²", "1e3", str(LIMIT + 1)])
async def test_a_length_that_is_none_is_refused(declared: str) -> None:
    assert await call(guarded(), [b"{}"], declared, []) == 413


async def call(app: ASGIApp, chunks: list[bytes], declared: str | None, read: list[int]) -> int:
    """Post *chunks* as a server would; a client library would correct the length."""
    statuses: list[int] = []
    headers = [(b"content-type", b"application/json")]
    if declared is not None:
        headers.append((b"content-length", declared.encode("latin-1")))

    async def receive() -> Message:
        read.append(len(read))
        body = chunks[len(read) - 1] if len(read) <= len(chunks) else b""
        return {"type": "http.request", "body": body, "more_body": len(read) < len(chunks)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    return statuses[0]


async def test_the_body_arrives_as_sent_and_once(client: Client) -> None:
    seen: list[Message] = []

    async def read_twice(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        await PlainTextResponse("ok")(scope, receive, send)
        seen.append(await receive())

    await post(client, b'{"a": 1}', app=read_twice)
    assert (seen[0]["body"], seen[0]["more_body"]) == (b'{"a": 1}', False)
    assert seen[1]["type"] == "http.disconnect"


async def test_a_crash_is_a_problem_that_says_nothing_about_it(client: Client, lines: Lines) -> None:
    answer = await post(client, b"{}", app=crash)
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert SECRET not in answer.text
    (line,) = [line for line in lines() if line["event"] == "request.crashed"]
    assert line["error"] == "ValueError"
    assert SECRET not in json.dumps(lines())


async def test_a_crash_after_the_answer_began_does_not_begin_another(lines: Lines) -> None:
    assert await call(guarded(crash_late), [b"{}"], None, []) == 200
    assert "request.crashed" in [line["event"] for line in lines()]


async def test_a_problem_from_below_is_answered_as_one(client: Client) -> None:
    answer = await post(client, b"{}", app=refuse)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("header", ["x-correlation-id", "ce-correlationid"])
async def test_a_well_formed_correlation_id_is_adopted(client: Client, header: str) -> None:
    answer = await post(client, b"{}", headers={header: "order-0001"})
    assert (answer.json()["correlation_id"], answer.headers["x-correlation-id"]) == ("order-0001", "order-0001")


@pytest.mark.parametrize("sent", ["short", "x" * 65, "ada@example.org", "with blank", "-leading-0001", ""])
async def test_any_other_is_replaced(client: Client, sent: str) -> None:
    answer = await post(client, b"{}", headers={"x-correlation-id": sent})
    assert len(answer.headers["x-correlation-id"]) == 32
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]


@pytest.mark.parametrize("app", [echo, crash, refuse], ids=["answer", "crash", "problem"])
async def test_every_answer_carries_the_id_once(client: Client, app: ASGIApp) -> None:
    answer = await post(client, b"{}", app=app, headers={"x-correlation-id": "order-0001"})
    assert answer.headers.get_list("x-correlation-id") == ["order-0001"]


async def test_requests_are_counted_by_status(client: Client) -> None:
    def count() -> float:
        labels = {"service": "a-service", "route": "(none)", "status": "413"}
        return metrics.REGISTRY.get_sample_value("llama_mapper_requests_total", labels) or 0.0

    before = count()
    await post(client, b'"' + b"x" * LIMIT + b'"')
    assert count() == before + 1


async def test_what_is_not_http_passes_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def nowhere(_: Message) -> None: ...

    await guarded(app)({"type": "lifespan"}, nothing, nowhere)
    assert seen == ["lifespan"]


def streaming(app: ASGIApp) -> Guard:
    return Guard(app, service="a-service", max_bytes=10, streams={"/stream": 40})


async def piecewise(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the pieces as they arrived."""
    pieces = [piece.decode() async for piece in Request(scope, receive).stream() if piece]
    await JSONResponse(pieces)(scope, receive, send)


async def pieces(*sent: bytes) -> AsyncIterator[bytes]:
    for piece in sent:
        yield piece


async def test_a_streams_body_is_handed_on_as_it_comes_and_is_no_json(client: Client) -> None:
    async with client(streaming(piecewise)) as caller:
        answer = await caller.post("/stream", content=pieces(b"{}\n", b"not json at all"))
    assert answer.json() == ["{}\n", "not json at all"]


@pytest.mark.parametrize("headers", [{}, {"content-length": "41"}], ids=["as it comes", "declared"])
async def test_a_streams_body_has_a_bound_of_its_own(client: Client, headers: dict[str, str]) -> None:
    async with client(streaming(piecewise)) as caller:
        answer = await caller.post("/stream", content=pieces(b"a" * 21, b"b" * 20), headers=headers)
        other = await caller.post("/other", content=b"a" * 11)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "CONTENT_TOO_LARGE")
    assert other.status_code == 413
