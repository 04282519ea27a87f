"""``POST /api/v1/orchestrate/stream``: lines in as a content is written, and out as it is judged."""

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from llama_mapper.chassis import correlation
from llama_mapper.contracts.problems import DetectorOverloaded, InvalidRequest
from llama_mapper.contracts.streams import StreamFinal

from ..accounting import count
from ..entrance.gate import Admitted, Gate
from ..service import Orchestrator
from ..settings import Settings
from .judging import Asker, Stream, StreamLimits, opened
from .lines import NDJSON, SSE, Lines, written
from .windows import Sizes

PATH = "/api/v1/orchestrate/stream"
TAKEN = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
BYTES_OF_A_CHARACTER = 26
"""Sent each in a line of its own, as two escapes: ``{"chunk":"\\ud83d\\ude00"}``."""
_LINES = (
    'The first line is a StreamRequest (`{}` for the defaults), each later one `{"chunk": "…"}` as the text comes, '
    'the last one `{"end": true}`. HTTP/1.1 needs a client that reads while it sends.'
)
_BODY = {NDJSON: {"schema": {"type": "string"}, "example": '{}\n{"chunk": "Dear Ada, "}\n{"end": true}\n'}}
_ANSWER = {
    "description": "Lines of StreamVerdict, and last a StreamFinal or a StreamProblem; as events with their `type` "
    "as name where `Accept` names text/event-stream",
    "content": {NDJSON: {"schema": {"type": "string"}}, SSE: {"schema": {"type": "string"}}},
}


class StreamAnswer(Response):
    """Sends what *stream* says of *lines*; a caller who goes away ends the work. At the end it gives back its slot."""

    def __init__(self, stream: Stream, lines: Lines, slots: asyncio.Semaphore, media_type: str) -> None:
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream = stream
        self._lines = lines
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        telling = asyncio.create_task(self._tell(send))
        gone = asyncio.create_task(self._lines.gone.wait())
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not telling.done():
                telling.cancel()
            await self._lines.close()
            self._slots.release()
            with suppress(asyncio.CancelledError, OSError):  # OSError: written to a connection that is gone
                await telling

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        media_type = str(self.media_type)
        async with aclosing(self._stream.lines(self._lines.chunks())) as lines:
            async for line in lines:
                if isinstance(line, StreamFinal):
                    count(line)
                await send({"type": "http.response.body", "body": written(line, media_type), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def limits_of(settings: Settings) -> StreamLimits:
    sizes = Sizes(settings.stream_least_characters, settings.stream_most_characters, settings.stream_overlap_characters)
    return StreamLimits(sizes, settings.stream_max_characters)


def max_bytes(settings: Settings) -> dict[str, int]:
    """What the guard lets through on this path, and hands on while it comes."""
    return {PATH: settings.stream_max_characters * BYTES_OF_A_CHARACTER + 65_536}


def add_streams(app: FastAPI, gate: Gate, orchestrator: Orchestrator, settings: Settings) -> None:
    use = Depends(gate.needs("orchestrate:use"))
    limits = limits_of(settings)
    slots = asyncio.Semaphore(settings.streams)

    @app.post(
        PATH,
        tags=["orchestrate"],
        response_class=Response,
        responses={200: _ANSWER},
        openapi_extra={"requestBody": {"required": True, "description": _LINES, "content": _BODY}},
    )
    async def stream(admitted: Annotated[Admitted, use], request: Request) -> Response:
        """Judge a content while it is written: a verdict for each window, and how far the text may be shown."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in TAKEN:
            raise InvalidRequest(f"the body is lines of JSON; send Content-Type: {NDJSON}")
        if slots.locked():
            raise DetectorOverloaded("as many streams are judged as can be at once", retry_after_seconds=2)
        await slots.acquire()
        lines = Lines(request.receive, settings.stream_idle_seconds, settings.stream_seconds)
        lines.start()
        try:
            asker = Asker(admitted.tenant_id, correlation.current(), admitted.authenticated)
            judging = await opened(orchestrator.under(admitted.policy), await lines.options(), asker, limits)
        except BaseException:
            slots.release()
            await lines.close()
            raise
        return StreamAnswer(judging, lines, slots, _media_type(request))


def _media_type(request: Request) -> str:
    return SSE if SSE in request.headers.get("accept", "") else NDJSON
