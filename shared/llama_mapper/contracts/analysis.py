"""analyze: canonical findings in, risk and framework controls out."""

from typing import Literal

from pydantic import Field, NonNegativeInt

from .detection import Reading, Span
from .identifiers import AnyCanonicalLabel, AnyDetectorId, AnyFrameworkId
from .mapping import Method, Relation
from .wire import Confidence, Prose, Severity, Token, VendorLabel, Wire

RiskLevel = Literal["none", "low", "medium", "high", "critical"]


class Source(Wire):
    """One detector's word behind a canonical finding."""

    detector: AnyDetectorId
    detector_version: Token
    vendor_label: VendorLabel
    method: Method
    relation: Relation
    score: Confidence
    reading: Reading | None = Field(default=None, description="Where it was not found in the content as received")


class CanonicalFinding(Wire):
    """One canonical label found, with everyone who said so."""

    label: AnyCanonicalLabel
    confidence: Confidence
    severity: Severity
    spans: tuple[Span, ...] = Field(default=(), max_length=1000)
    sources: tuple[Source, ...] = Field(min_length=1)


class AnalyzeRequest(Wire):
    """POST /api/v1/analyze, /api/v1/risk-score and /api/v1/compliance."""

    findings: tuple[CanonicalFinding, ...] = Field(max_length=1000)
    coverage: Confidence | None = None
    frameworks: tuple[AnyFrameworkId, ...] | None = Field(
        default=None, description="The default ones of the service unless named"
    )


class RiskComponent(Wire):
    """One part of the score: ``contribution`` points of 100, and the reason in words."""

    name: Token
    contribution: float = Field(ge=-100, le=100)
    explanation: Prose


class Risk(Wire):
    score: float = Field(ge=0, le=100)
    level: RiskLevel
    components: tuple[RiskComponent, ...]
    formula: Token


class Rationale(Wire):
    """Why one label touches a control."""

    label: AnyCanonicalLabel
    rationale: Prose


class ControlMatch(Wire):
    """A control that the findings touch, and why each does."""

    control: str = Field(max_length=40)
    title: Prose
    because: tuple[Rationale, ...] = Field(min_length=1)


class NoControl(Wire):
    """Said explicitly: this framework has nothing that fits the label."""

    label: AnyCanonicalLabel
    reason: Prose


class FrameworkResult(Wire):
    framework: AnyFrameworkId
    name: Prose
    edition: Prose
    version: Token
    controls: tuple[ControlMatch, ...]
    no_fitting_control: tuple[NoControl, ...] = ()


class Analysis(Wire):
    risk: Risk
    frameworks: tuple[FrameworkResult, ...]
    frameworks_version: Token
    controls_total: NonNegativeInt


class ComplianceResponse(Wire):
    frameworks: tuple[FrameworkResult, ...]
    frameworks_version: Token
