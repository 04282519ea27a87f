"""A stream's lines as the client writes and reads them."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from pydantic import ValidationError

from llama_mapper.contracts.orchestration import ContentType, Priority
from llama_mapper.contracts.redaction import RedactionOperator
from llama_mapper.contracts.streams import StreamFinal, StreamProblem, StreamVerdict

from .calls import Call
from .errors import ProblemError, UnknownAnswer

NDJSON = "application/x-ndjson"
PATH = "/api/v1/orchestrate/stream"
LONGEST_CHUNK = 20_000
"""Longer pieces are sent as several lines."""
_MODELS: Mapping[str, type[StreamVerdict] | type[StreamFinal] | type[StreamProblem]] = {
    "verdict": StreamVerdict,
    "final": StreamFinal,
    "problem": StreamProblem,
}


class StreamOptions(TypedDict, total=False):
    """How a stream is judged; what is left out is the policy's to say."""

    content_type: ContentType
    detector_types: Sequence[str]
    required_detectors: Sequence[str]
    excluded_detectors: Sequence[str]
    processing_mode: Literal["standard", "fast", "thorough"]
    priority: Priority
    metadata: Mapping[str, str]
    redaction: RedactionOperator
    fail_fast: bool


async def written(options: StreamOptions, chunks: AsyncIterable[str] | Iterable[str]) -> AsyncIterator[bytes]:
    """The body: options, chunks, end. Empty chunks are left out, as some models' libraries give them."""
    yield _line(dict(options))
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            for line in _lines(chunk):
                yield line
    else:
        for chunk in chunks:
            for line in _lines(chunk):
                yield line
    yield _line({"end": True})


def _lines(chunk: str) -> Iterable[bytes]:
    return [_line({"chunk": chunk[i : i + LONGEST_CHUNK]}) for i in range(0, len(chunk), LONGEST_CHUNK)]


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


async def read(
    body: AsyncIterator[bytes], call: Call[StreamFinal], origin: str
) -> AsyncIterator[StreamVerdict | StreamFinal]:
    """The answer's lines; fields that are newer than this client are passed over.

    Raises:
        ProblemError: the last line was a problem. UnknownAnswer: a line is of no shape we know, or the last is missing.
    """
    rest = b""
    async for piece in body:
        *lines, rest = (rest + piece).split(b"\n")
        for raw in lines:
            line = _read(raw, call, origin)
            if isinstance(line, StreamProblem):
                raise _problem(line, origin)
            yield line
            if isinstance(line, StreamFinal):
                return
    raise UnknownAnswer(f"{origin} ended the stream without a last line", call.correlation_id)


def _read(raw: bytes, call: Call[StreamFinal], origin: str) -> StreamVerdict | StreamFinal | StreamProblem:
    try:
        model = _MODELS[json.loads(raw)["type"]]
        return model.model_validate_json(raw, extra="ignore")
    except (ValueError, ValidationError, KeyError, TypeError):
        pass  # raised below, where the line is not in the exception's context
    raise UnknownAnswer(f"{origin} sent a line in a shape we do not know", call.correlation_id)


def _problem(line: StreamProblem, origin: str) -> ProblemError:
    said = line.problem
    return ProblemError(
        f"{origin} ended the stream: {said.detail}",
        said.correlation_id,
        status=said.status,
        error_code=said.error_code,
        detail=said.detail,
        retryable=said.retryable,
        errors=said.errors,
    )
