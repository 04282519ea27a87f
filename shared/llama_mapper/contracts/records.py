"""record's read API: what the console and the CLI see of the rows that are kept."""

from datetime import date

from pydantic import AwareDatetime, Field, NonNegativeInt

from .analysis import CanonicalFinding, RiskLevel
from .events import DecisionTaken
from .identifiers import (
    AnyCanonicalLabel,
    AnyCorrelationId,
    AnyDetectorId,
    AnyFrameworkId,
    AnyRequestId,
)
from .mapping import Method, Relation
from .orchestration import Action, ContentType, Coverage
from .problems import ErrorCode
from .wire import Confidence, Severity, Token, VendorLabel, Wire


class RecordedFinding(Wire):
    """One canonical label as one detector's word led to it."""

    label: AnyCanonicalLabel
    vendor_label: VendorLabel
    detector: AnyDetectorId
    detector_version: Token
    method: Method
    relation: Relation
    severity: Severity
    confidence: Confidence
    request_id: AnyRequestId
    occurred_at: AwareDatetime


class RecordedControl(Wire):
    framework: AnyFrameworkId
    control: str = Field(max_length=40)


class RecordedAnalysis(Wire):
    risk_score: float = Field(ge=0, le=100)
    risk_level: RiskLevel
    controls: tuple[RecordedControl, ...]


class RecordedFindings(Wire):
    """GET /api/v1/findings; ``analysis`` only where one request or correlation is asked for and it has been made."""

    findings: tuple[RecordedFinding, ...]
    analysis: RecordedAnalysis | None = None


class RecordedRequest(Wire):
    """One request or third-party report, with its risk once that is known."""

    request_id: AnyRequestId
    correlation_id: AnyCorrelationId
    occurred_at: AwareDatetime
    origin: str = Field(max_length=32)
    decision: Action | None
    reasons: tuple[Token, ...]
    coverage: Confidence | None
    risk_score: float | None = Field(ge=0, le=100)
    risk_level: RiskLevel | None
    labels: tuple[AnyCanonicalLabel, ...]
    detectors: tuple[AnyDetectorId, ...]


class RecordedRequests(Wire):
    """GET /api/v1/requests, newest first."""

    requests: tuple[RecordedRequest, ...]


class RecordedDecision(Wire):
    """What a decision was taken on, and what was decided: enough to decide it again. Spans are not kept."""

    request_id: AnyRequestId
    occurred_at: AwareDatetime
    content_type: ContentType
    findings: tuple[CanonicalFinding, ...] = Field(max_length=1000)
    coverage: Coverage = Field(description="required is not kept and empty")
    decision: DecisionTaken


class RecordedDecisions(Wire):
    """GET /api/v1/decisions, newest first; reports that nobody decided on are left out."""

    decisions: tuple[RecordedDecision, ...]


class Count(Wire):
    name: Token
    count: NonNegativeInt


class DayCount(Wire):
    day: date
    requests: NonNegativeInt
    findings: NonNegativeInt


class Summary(Wire):
    """GET /api/v1/summary: one tenant's last *days*, most frequent first; days without a request are left out.

    ``labels`` counts requests that have the label, ``detectors`` findings that rest on the detector.
    """

    days: int
    requests: NonNegativeInt
    findings: NonNegativeInt
    dead_letters: NonNegativeInt
    labels: tuple[Count, ...]
    detectors: tuple[Count, ...]
    decisions: tuple[Count, ...]
    risk_levels: tuple[Count, ...]
    by_day: tuple[DayCount, ...]


class DeadLetter(Wire):
    """An event that ``destination`` could not handle; ``status`` is its last answer, 0 where it gave none."""

    event_id: str = Field(max_length=128)
    event_source: str = Field(max_length=256)
    event_type: str = Field(max_length=128)
    destination: str = Field(max_length=256)
    status: NonNegativeInt
    error_code: ErrorCode | None
    correlation_id: AnyCorrelationId | None
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime


class DeadLetters(Wire):
    """GET /api/v1/dead-letters, newest first."""

    dead_letters: tuple[DeadLetter, ...]
