"""A request's body as lines while it comes, and how lines go out."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.types import Message, Receive

from llama_mapper.chassis.faults import field_errors, named
from llama_mapper.contracts.problems import ContentTooLarge, InvalidRequest, Problem, RequestTimeout
from llama_mapper.contracts.streams import StreamChunk, StreamLine, StreamRequest

Model = TypeVar("Model", bound=BaseModel)

NDJSON, SSE = "application/x-ndjson", "text/event-stream"
MAX_LINE_BYTES = 700_000
"""50,000 characters as escapes of surrogate pairs, and the line around them."""
READ_AHEAD = 4
"""Messages of the server that wait while a window is judged; then it stops reading, and so must the sender."""


class Lines:
    """The lines of a body; a second reader task, so that a caller who goes away is noticed while a window is judged.

    *idle_seconds* bounds the wait for the next piece, *seconds* the whole.
    """

    def __init__(self, receive: Receive, idle_seconds: float, seconds: float) -> None:
        self._receive = receive
        self._idle_seconds = idle_seconds
        self._seconds = seconds
        self._end = 0.0
        self._pieces: asyncio.Queue[bytes | Problem | None] = asyncio.Queue(READ_AHEAD)
        self._rest = b""
        self._ended = False
        self._reading: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()

    def start(self) -> None:
        self._end = asyncio.get_running_loop().time() + self._seconds
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def options(self) -> StreamRequest:
        """The first line.

        Raises:
            InvalidRequest: there is none, or it is something else.
        """
        line = await self._line()
        if line is None:
            raise InvalidRequest("the body is empty; its first line says how to judge, and may be {}")
        return _parsed(StreamRequest, line, "the first line")

    async def chunks(self) -> AsyncIterator[StreamChunk]:
        """Every later line, up to the one that ends, or to the end of the body.

        Raises:
            InvalidRequest: not such a line. ContentTooLarge: a line or the body is too long.
            RequestTimeout: nothing came for too long, or the stream took too long.
        """
        while (line := await self._line()) is not None:
            yield _parsed(StreamChunk, line, "a line")

    async def _read(self) -> None:
        while True:
            try:
                message: Message = await self._receive()
            except Problem as problem:
                await self._pieces.put(problem)
                return
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            if message.get("body"):
                await self._pieces.put(message["body"])
            if not message.get("more_body", False):
                await self._pieces.put(None)

    async def _line(self) -> bytes | None:
        """The next line that is not blank; None at the end of the body."""
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found or (self._ended and line):
                self._rest = rest
                if line.strip():
                    return line
            elif self._ended:
                return None
            else:
                await self._more()
            if len(self._rest) > MAX_LINE_BYTES and b"\n" not in self._rest[: MAX_LINE_BYTES + 1]:
                raise ContentTooLarge(f"a line may have at most {MAX_LINE_BYTES} bytes")

    async def _more(self) -> None:
        left = self._end - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._idle_seconds, left)):
                piece = await self._pieces.get()
        except TimeoutError:
            raise RequestTimeout("nothing came for too long, or the stream took too long") from None
        if isinstance(piece, Problem):
            raise piece
        if piece is None:
            self._ended = True
        else:
            self._rest += piece


def _parsed(model: type[Model], line: bytes, place: str) -> Model:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        errors = field_errors(faults, whole=f"({place})")
        raise InvalidRequest(f"check {place}: {named(errors)}"[:240], errors=errors) from None


def written(line: StreamLine, media_type: str) -> bytes:
    """One line of NDJSON, or one event named by the line's type."""
    body = line.model_dump_json()
    return f"event: {line.type}\ndata: {body}\n\n".encode() if media_type == SSE else f"{body}\n".encode()
