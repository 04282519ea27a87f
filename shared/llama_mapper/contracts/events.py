"""The events on the broker (CloudEvents 1.0): ids, labels, spans, scores, hashes; never content."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, FiniteFloat, NonNegativeInt, PositiveInt, model_validator

from .analysis import CanonicalFinding, RiskLevel
from .canaries import KubernetesName, Mode, Percent, ReasonWord
from .detection import ReportStatus
from .evaluation import GateName
from .identifiers import (
    AnyCanonicalLabel,
    AnyContentHmac,
    AnyCorrelationId,
    AnyDetectorId,
    AnyEvaluationId,
    AnyEventId,
    AnyFrameworkId,
    AnyRequestId,
    AnyTenantId,
    TenantId,
)
from .mapping import Mapping, VendorFinding, Versions
from .orchestration import Action, ContentType, Coverage
from .wire import Confidence, Consumed, Microdollars, Milliseconds, Number, Token

PREFIX = "io.llama-mapper"
_SECONDS = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?")

PLATFORM = TenantId("platform")
"""Whose an event is that belongs to no tenant: what it says is nobody's own. A tenant of this name may read it."""


class EventData(Consumed):
    """Base of every event's data; ``type`` is the CloudEvents type, versioned by its last part."""

    type: ClassVar[str]


class FindingReported(EventData):
    """A third party's detector found something. Sent by anybody to the broker."""

    type: ClassVar[str] = f"{PREFIX}.finding.reported.v1"

    findings: tuple[VendorFinding, ...] = Field(min_length=1, max_length=100)
    content_hmac: AnyContentHmac | None = None
    adapter: Token | None = Field(default=None, description="The adapter version to ask, as in a map request")


class DetectorRun(Consumed):
    """That a detector ran, and how it went; without it "found nothing" and "did not look" are the same."""

    detector: AnyDetectorId
    detector_version: Token
    status: ReportStatus
    latency_ms: Milliseconds


class DecisionTaken(Consumed):
    action: Action
    reasons: tuple[Token, ...]
    policy_version: Token
    retention_days: PositiveInt | None = None


class FindingsMapped(EventData):
    """The canonical findings of one request or one third-party report."""

    type: ClassVar[str] = f"{PREFIX}.findings.mapped.v1"

    request_id: AnyRequestId
    origin: Literal["orchestrate", "producer"]
    content_type: ContentType = "text"
    content_hmac: AnyContentHmac | None = None
    findings: tuple[CanonicalFinding, ...]
    mappings: tuple[Mapping, ...] = ()
    detectors: tuple[DetectorRun, ...] = ()
    coverage: Coverage | None = None
    decision: DecisionTaken | None = None
    versions: Versions


class ControlTouched(Consumed):
    framework: AnyFrameworkId
    framework_version: Token
    control: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .()/:§-]{0,39}$")
    labels: tuple[AnyCanonicalLabel, ...]


class AnalysisCompleted(EventData):
    """Risk and controls of one request; numbers and ids only."""

    type: ClassVar[str] = f"{PREFIX}.analysis.completed.v1"

    request_id: AnyRequestId
    risk_score: Annotated[float, Number] = Field(ge=0, le=100)
    risk_level: RiskLevel
    risk_formula: Token
    components: dict[Token, Annotated[float, Number]] = Field(max_length=16)
    controls: tuple[ControlTouched, ...]
    coverage: Confidence | None = None
    versions: Versions


class EvaluationCompleted(EventData):
    """A model was measured; numbers and ids only. A gate that could not be measured is in neither list: not passed."""

    type: ClassVar[str] = f"{PREFIX}.evaluation.completed.v1"

    evaluation_id: AnyEvaluationId
    model: Token
    adapter: Token | None = None
    golden_set: Token
    golden_set_version: Token
    cases: Annotated[PositiveInt, Number]
    metrics: dict[Token, Annotated[FiniteFloat, Number]] = Field(min_length=1, max_length=64)
    gates_passed: tuple[GateName, ...]
    gates_failed: tuple[GateName, ...]
    versions: Versions

    @model_validator(mode="after")
    def _a_gate_is_passed_or_failed(self) -> "EvaluationCompleted":
        if set(self.gates_passed) & set(self.gates_failed):
            raise ValueError("no gate can be both passed and failed")
        return self


class BudgetThresholdReached(EventData):
    """A tenant's spending on the model passed a share of its monthly budget; sent once a month and threshold.

    ``emergency_percent`` is the share from which the tenant is served by rules only.
    """

    type: ClassVar[str] = f"{PREFIX}.budget.threshold-reached.v1"

    month: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}$", description="In UTC")
    threshold_percent: Annotated[int, Number] = Field(ge=1, le=10_000)
    emergency_percent: Annotated[int, Number] = Field(ge=1, le=10_000)
    budget_microdollars: Microdollars
    spent_microdollars: Microdollars
    budgets: Token = Field(description="Version of the budgets")


class CanaryStepped(EventData):
    """A candidate of the model got another share of the calls: ``to_percent`` 100 is promoted, 0 is rolled back.

    Sent once a step. It is nobody's but the platform's own: its tenant is ``PLATFORM``.
    """

    type: ClassVar[str] = f"{PREFIX}.canary.stepped.v1"

    canary: KubernetesName
    inference_service: KubernetesName
    step: Annotated[NonNegativeInt, Number] = Field(description="Counts from 1, the start")
    from_percent: Percent
    to_percent: Percent
    decision: Literal["start", "promote", "rollback"]
    reason: ReasonWord
    mode: Mode
    stable_revision: KubernetesName | None = None
    candidate_revision: KubernetesName | None = None
    stable_calls: Annotated[NonNegativeInt, Number] | None = Field(default=None, description="Since the step before")
    candidate_calls: Annotated[NonNegativeInt, Number] | None = None


def _not_seconds(value: Any) -> Any:
    """CloudEvents writes times as RFC 3339 does; pydantic alone would also take seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _SECONDS.fullmatch(value)):
        raise ValueError("must be a time as in RFC 3339")
    return value


class EventContext(Consumed):
    """The CloudEvents attributes we rely on; ``tenantid`` and ``correlationid`` are our extensions."""

    id: AnyEventId
    source: str = Field(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._:/#-]{0,255}$")
    type: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,127}$")
    time: Annotated[AwareDatetime, BeforeValidator(_not_seconds)] | None = None
    subject: Token | None = None
    tenantid: AnyTenantId
    correlationid: AnyCorrelationId | None = None
    partitionkey: Token | None = None
    traceparent: str | None = Field(default=None, pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


EVENTS: tuple[type[EventData], ...] = (
    FindingReported,
    FindingsMapped,
    AnalysisCompleted,
    EvaluationCompleted,
    BudgetThresholdReached,
    CanaryStepped,
)
