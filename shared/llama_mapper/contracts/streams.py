"""A content that is still being written: lines in as it comes, lines out as far as it is judged."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from .analysis import CanonicalFinding
from .detection import Span
from .identifiers import AnyDetectorId
from .orchestration import (
    ContentType,
    Coverage,
    Decision,
    MetadataKey,
    MetadataValue,
    OrchestrateRequest,
    OrchestrateResponse,
    Priority,
)
from .problems import ProblemDocument
from .redaction import Redaction, RedactionOperator
from .wire import Content, Token, Wire


class StreamRequest(Wire):
    """The first line of POST /api/v1/orchestrate/stream: how the content is judged, as in OrchestrateRequest."""

    content_type: ContentType = "text"
    detector_types: tuple[AnyDetectorId, ...] | None = Field(default=None, max_length=32)
    required_detectors: tuple[AnyDetectorId, ...] = Field(default=(), max_length=32)
    excluded_detectors: tuple[AnyDetectorId, ...] = Field(default=(), max_length=32)
    processing_mode: Literal["standard", "fast", "thorough"] = "standard"
    priority: Priority = "normal"
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=16)
    redaction: RedactionOperator | None = None
    fail_fast: bool = Field(default=True, description="End the stream at the first verdict that blocks")

    def about(self, content: str) -> OrchestrateRequest:
        """The same, asked about one window."""
        return OrchestrateRequest(content=content, **self.model_dump(exclude={"fail_fast"}))


class StreamChunk(Wire):
    """Every later line: more of the content, which it carries, or its end."""

    chunk: Content | None = None
    end: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "StreamChunk":
        if (self.chunk is None) == (self.end is None):
            raise ValueError("a line has a chunk or an end")
        return self


class StreamVerdict(Wire):
    """What is known once a window is judged. Spans count in the whole stream; no content but ``redaction``."""

    type: Literal["verdict"] = "verdict"
    window: PositiveInt = Field(description="Counts from 1")
    span: Span = Field(description="The characters that were judged together")
    decision: Decision = Field(description="On all that came so far")
    findings: tuple[CanonicalFinding, ...] = Field(description="In this window")
    coverage: Coverage = Field(description="Of all windows so far")
    degraded: tuple[Token, ...] = ()
    hold_back: NonNegativeInt = Field(
        description="No later window reaches in front of this character: show the text up to here, hold back the rest"
    )
    redaction: Redaction | None = Field(
        default=None, description="Of the characters from the last hold_back to this one, where that was asked for"
    )


class StreamFinal(OrchestrateResponse):
    """The last line: the answer about the whole content. What was redacted of it is in the verdicts."""

    type: Literal["final"] = "final"
    ended_by: Literal["end", "block"]
    windows: NonNegativeInt
    characters: NonNegativeInt = Field(description="How much was judged")
    hold_back: NonNegativeInt


class StreamProblem(Wire):
    """The last line where something went wrong after the answer had begun; nothing after ``hold_back`` is judged."""

    type: Literal["problem"] = "problem"
    problem: ProblemDocument
    hold_back: NonNegativeInt


StreamLine = StreamVerdict | StreamFinal | StreamProblem
