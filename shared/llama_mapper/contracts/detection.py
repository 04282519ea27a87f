"""detect: content in, the detectors' own labels out."""

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, model_validator

from .identifiers import AnyDetectorId
from .problems import ErrorCode
from .wire import Confidence, Content, Milliseconds, Number, Token, VendorLabel, VendorSeverity, Wire

Reading = Literal["normalised", "decoded"]
"""A reading of the content other than as received: without disguises, or of what it holds encoded."""

Family = Literal["pii", "secrets", "classifiers", "injection", "language"]
ReportStatus = Literal["ok", "timeout", "failed", "unavailable", "overloaded"]
HealthStatus = Literal["healthy", "loading", "degraded", "unhealthy"]
"""``degraded``: its last probes failed, it is asked all the same; ``unhealthy``: it is not asked."""


class Span(Wire):
    """A half-open range [start, end) in Unicode code points of the content as received."""

    start: Annotated[NonNegativeInt, Number]
    end: Annotated[PositiveInt, Number]

    @model_validator(mode="after")
    def _not_empty(self) -> "Span":
        if self.end <= self.start:
            raise ValueError("end must be greater than start")
        return self


class Detection(Wire):
    """One finding in the detector's own words; no span means the whole text."""

    label: VendorLabel
    score: Confidence
    span: Span | None = None
    severity: VendorSeverity | None = None
    reading: Reading | None = Field(default=None, description="Where it was not found in the content as received")


class Detector(Protocol):
    """What a detector is. Third parties register a factory under the entry point group ``llama_mapper.detectors``.

    ``name`` and ``version`` are stored with every finding and select the vocabulary that maps its labels, so
    neither may change its meaning once released. ``window_characters`` bounds the text ``detect`` is given at once.
    """

    name: str
    version: str
    family: Family
    window_characters: int

    def load(self) -> None:
        """Read models into memory. Called once, in a worker thread, before the first ``detect``."""

    def detect(self, text: str) -> Sequence[Detection]:
        """Judge one window; spans are relative to *text*. Called from worker threads, so it must be thread-safe."""


class DetectRequest(Wire):
    """It carries content."""

    content: Content
    detectors: tuple[AnyDetectorId, ...] = Field(min_length=1, max_length=32)
    timeout_seconds: Annotated[float, Number] = Field(default=5.0, gt=0, le=60)


class DetectorReport(Wire):
    """What one detector said, or why it said nothing."""

    detector: AnyDetectorId
    version: Token
    family: Family
    status: ReportStatus
    detections: tuple[Detection, ...] = ()
    windows: NonNegativeInt = 0
    latency_ms: Milliseconds = 0.0


class DetectResponse(Wire):
    reports: tuple[DetectorReport, ...]


class DetectorInfo(Wire):
    """A detector that can be asked for, by ``id`` or by ``family``."""

    id: AnyDetectorId
    version: Token
    family: Family
    loaded: bool
    status: HealthStatus | None = Field(default=None, description="As orchestrate's probes find it; detect says none")


class DetectorList(Wire):
    detectors: tuple[DetectorInfo, ...]


class DetectorHealth(Wire):
    """GET /api/v1/detectors/{id}/health: whether a detector can judge now."""

    id: AnyDetectorId
    version: Token
    status: HealthStatus
    since: AwareDatetime | None = Field(default=None, description="When it became so; absent before the first probe")
    consecutive_failures: NonNegativeInt = 0
    last_error: ErrorCode | None = Field(default=None, description="Why the last probe that failed did")
