import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from llama_mapper.chassis.guard import Guard
from llama_mapper.chassis.strictness import MAX_FIELDS, check_head, check_values
from llama_mapper.contracts.problems import HeadersTooLarge, InvalidRequest, Problem, UnsupportedMediaType

Headers = list[tuple[bytes, bytes]]


def head(*headers: tuple[str, str]) -> Scope:
    return {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers]}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "application/json")],
        [("content-type", "application/json; charset=UTF-8")],
        [("content-type", 'application/cloudevents+json; charset="utf-8"')],
        [("content-type", "text/plain; charset=iso-8859-1")],
        [("content-encoding", "identity")],
        [("accept", "a"), ("accept", "b")],
        [("transfer-encoding", "chunked")],
        [("x", "a")] * 100,
        [("x", "a" * 32_000)],
    ],
)
def test_what_is_usual_passes(headers: list[tuple[str, str]]) -> None:
    check_head(head(*headers))


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ([("x", "a")] * 101, HeadersTooLarge),
        ([("x", "a" * 33_000)], HeadersTooLarge),
        ([("content-length", "2"), ("content-length", "2")], InvalidRequest),
        ([("host", "a"), ("host", "b")], InvalidRequest),
        ([("authorization", "a"), ("authorization", "b")], InvalidRequest),
        ([("content-length", "2"), ("transfer-encoding", "chunked")], InvalidRequest),
        ([("content-encoding", "gzip")], UnsupportedMediaType),
        ([("content-encoding", "identity, br")], UnsupportedMediaType),
        ([("content-encoding", " ZSTD ")], UnsupportedMediaType),
        ([("content-type", "application/json; charset=utf-16")], UnsupportedMediaType),
        ([("content-type", "application/json;charset=")], UnsupportedMediaType),
        ([("content-type", "application/json; CHARSET=utf-8; charset=utf-8")], UnsupportedMediaType),
    ],
)
def test_what_only_an_attack_needs_is_refused(headers: list[tuple[str, str]], problem: type[Problem]) -> None:
    with pytest.raises(problem):
        check_head(head(*headers))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '[{"b": {"a": 1, "\\u0061": 2}}]',
        "NaN",
        '{"a": -Infinity}',
        "[1e999]",
        "-1e999",
        json.dumps({str(n): 0 for n in range(MAX_FIELDS + 1)}),
        json.dumps([{"a": 0}] * (MAX_FIELDS + 1)),
    ],
)
def test_values_that_readers_disagree_on_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_values(text)
    assert "a" * 10 not in refused.value.detail


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(_VALUES)
def test_all_else_passes(value: object) -> None:
    check_values(json.dumps(value))
    check_values(json.dumps({"a": value, "A": value}))


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    sent: list[Message] = []

    async def never() -> Message:
        return await asyncio.Future()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("not reached")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    await Guard(app, service="s", max_bytes=10, read_seconds=0.01)(scope, never, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error_code"] == "REQUEST_TIMEOUT"
