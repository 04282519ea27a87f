import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from llama_mapper.client import ProblemError, UnknownAnswer
from llama_mapper.client.calls import Call
from llama_mapper.client.streams import LONGEST_CHUNK, read, written
from llama_mapper.contracts.problems import RequestTimeout
from llama_mapper.contracts.streams import StreamFinal

CALL: Call[StreamFinal] = Call("POST", "/", StreamFinal, correlation_id="correlation-1")
DECISION = {"action": "allow", "reasons": [], "obligations": [], "policy": "decision", "policy_version": "1"}
COVERAGE = {"method": "REQUIRED_SET", "score": 1.0, "required": []}
VERDICT = {
    "type": "verdict",
    "window": 1,
    "span": {"start": 0, "end": 9},
    "decision": DECISION,
    "findings": [],
    "coverage": COVERAGE,
    "hold_back": 4,
}
FINAL = {
    "type": "final",
    "ended_by": "end",
    "windows": 1,
    "characters": 9,
    "hold_back": 9,
    "request_id": "request-1",
    "tenant_id": "demo",
    "correlation_id": "correlation-1",
    "decision": DECISION,
    "findings": [],
    "coverage": COVERAGE,
    "detectors": [],
    "analysis": None,
    "versions": {"taxonomy": "2026.11", "mapper": "1"},
    "latency_ms": 1.0,
}


async def coming(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def lines(*sent: Any, pieces: int = 7) -> list[Any]:
    body = "".join(json.dumps(line) + "\n" for line in sent).encode()
    cut = [body[i : i + pieces] for i in range(0, len(body), pieces)]
    return [line async for line in read(coming(cut), CALL, "http://there")]


@pytest.mark.parametrize("pieces", [1, 7, 100_000])
async def test_lines_are_read_however_they_are_cut(pieces: int) -> None:
    said = await lines(VERDICT, VERDICT | {"window": 2}, FINAL, pieces=pieces)
    assert [line.type for line in said] == ["verdict", "verdict", "final"]


async def test_fields_of_a_newer_service_are_passed_over() -> None:
    assert [line.type for line in await lines(VERDICT | {"more": 1}, FINAL | {"more": 1})] == ["verdict", "final"]


async def test_a_problem_line_is_raised_with_its_code() -> None:
    problem = {"type": "problem", "problem": RequestTimeout("late").document("c-12345678").model_dump(), "hold_back": 4}
    with pytest.raises(ProblemError, match="late") as raised:
        await lines(VERDICT, problem)
    assert (raised.value.status, raised.value.error_code, raised.value.retryable) == (408, "REQUEST_TIMEOUT", True)


@pytest.mark.parametrize(
    "sent", [(VERDICT,), ({"type": "canary7f3"},), (["canary7f3"],), (VERDICT | {"window": "canary7f3"},)]
)
async def test_what_is_no_stream_of_ours_is_said_and_not_quoted(sent: tuple[Any, ...]) -> None:
    with pytest.raises(UnknownAnswer) as raised:
        await lines(*sent)
    assert "canary" not in str(raised.value)
    assert raised.value.correlation_id == "correlation-1"
    assert raised.value.__context__ is None


async def test_the_body_is_options_chunks_and_an_end() -> None:
    body = b"".join(
        [line async for line in written({"redaction": "mask"}, ["one ", "", "é😀", "x" * (LONGEST_CHUNK + 1)])]
    )
    said = [json.loads(line) for line in body.splitlines()]
    assert said[0] == {"redaction": "mask"}
    assert said[-1] == {"end": True}
    assert [len(line["chunk"]) for line in said[1:-1]] == [4, 2, LONGEST_CHUNK, 1]
    assert body.isascii()


async def test_chunks_may_be_awaited() -> None:
    async def chunks() -> AsyncIterator[str]:
        yield "one"

    assert [line async for line in written({}, chunks())] == [b"{}\n", b'{"chunk": "one"}\n', b'{"end": true}\n']
