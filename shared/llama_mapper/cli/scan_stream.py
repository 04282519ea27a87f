"""`llama-mapper scan - --stream`: a filter that passes on what comes through a pipe, as far as it is judged."""

import asyncio
import codecs
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO

from llama_mapper.client import AsyncLlamaMapper, LlamaMapperError, NoAnswer
from llama_mapper.client.streams import StreamOptions
from llama_mapper.contracts.streams import StreamFinal, StreamVerdict

from .refusing import refuse
from .services import START_HINT, NothingAnswers

PIECE_BYTES = 4_096


@dataclass
class Passing:
    """What has come, and how much of it was passed on to *out*."""

    source: BinaryIO
    out: TextIO
    _waiting: str = field(default="", repr=False)
    _passed: int = 0

    async def chunks(self) -> AsyncIterator[str]:
        """The input as it comes, not only once a buffer is full."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := await asyncio.to_thread(os.read, self.source.fileno(), PIECE_BYTES):
                if text := decoder.decode(piece):
                    self._waiting += text
                    yield text
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            refuse("the input is not UTF-8")

    def show(self, line: StreamVerdict | StreamFinal) -> None:
        """Pass on the text up to *line*'s ``hold_back``: redacted where it carries that, else as it came."""
        size = line.hold_back - self._passed
        text, self._waiting, self._passed = self._waiting[:size], self._waiting[size:], line.hold_back
        self.out.write(line.redaction.content if line.redaction else text)
        self.out.flush()


async def passed(mapper: AsyncLlamaMapper, passing: Passing, options: StreamOptions) -> StreamFinal:
    """Pass the input on, and return the last line.

    Raises:
        NothingAnswers: orchestrate is not there.
    """
    try:
        async for line in mapper.stream(passing.chunks(), **options):
            passing.show(line)
            if isinstance(line, StreamFinal):
                return line
    except NoAnswer as error:
        if error.unsent:
            raise NothingAnswers(f"{error}; {START_HINT}") from error
        refuse(str(error))
    except LlamaMapperError as error:
        refuse(str(error))
    raise AssertionError("the last line is a final one, or an error")


def summary(line: StreamFinal) -> str:
    labels = ", ".join(finding.label for finding in line.findings) or "nothing found"
    held = line.characters - line.hold_back
    return f"{line.decision.action}: {labels}" + (f"; {held} characters held back" if held else "")
