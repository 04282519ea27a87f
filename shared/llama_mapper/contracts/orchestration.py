"""orchestrate: the front door."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints, WrapValidator

from .analysis import Analysis, CanonicalFinding
from .detection import Family, ReportStatus
from .identifiers import AnyCorrelationId, AnyDetectorId, AnyRequestId, AnyTenantId
from .mapping import Refused, Versions, in_its_place
from .problems import ProblemDocument
from .redaction import Redaction, RedactionOperator
from .wire import Confidence, Content, Milliseconds, Token, Wire

ContentType = Literal["text", "document", "code", "structured"]
ProcessingMode = Literal["standard", "fast", "thorough", "async"]
Priority = Literal["low", "normal", "high", "critical"]
Action = Literal["allow", "flag", "redact", "block", "human_review"]
CoverageMethod = Literal["REQUIRED_SET", "WEIGHTED", "TAXONOMY"]

MetadataKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
MetadataValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]


class OrchestrateRequest(Wire):
    """POST /api/v1/orchestrate. It carries content."""

    content: Content
    content_type: ContentType = "text"
    detector_types: tuple[AnyDetectorId, ...] | None = Field(
        default=None, max_length=32, description="Detectors by id or family; the policy chooses when absent"
    )
    required_detectors: tuple[AnyDetectorId, ...] = Field(default=(), max_length=32)
    excluded_detectors: tuple[AnyDetectorId, ...] = Field(default=(), max_length=32)
    processing_mode: ProcessingMode = "standard"
    priority: Priority = "normal"
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=16)
    redaction: RedactionOperator | None = Field(
        default=None, description="Give the content back without personal data and secrets, where the policy lets you"
    )


class Decision(Wire):
    """What the policy says to do with the content; reasons are codes, not prose."""

    action: Action
    reasons: tuple[Token, ...]
    obligations: tuple[Token, ...] = ()
    review_queue: Token | None = Field(default=None, description="Whom a human review goes to")
    retention_days: PositiveInt | None = Field(default=None, description="How long what is kept of it may be kept")
    policy: Token
    policy_version: Token


class Coverage(Wire):
    """How much of what had to be judged was judged; below 0.8 the answer is 206."""

    method: CoverageMethod
    score: Confidence
    required: tuple[AnyDetectorId, ...]
    missing: tuple[AnyDetectorId, ...] = ()


class DetectorOutcome(Wire):
    """What became of one detector the request asked for."""

    asked: AnyDetectorId
    detector: AnyDetectorId
    version: Token
    family: Family
    status: ReportStatus
    stands_in: bool = Field(description="True where an embedded detector answers for a model server")
    findings: NonNegativeInt
    latency_ms: Milliseconds


class OrchestrateResponse(Wire):
    """The answer, 200 or (coverage below the floor) 206. Holds no content but ``redaction``, where asked for."""

    request_id: AnyRequestId
    tenant_id: AnyTenantId
    correlation_id: AnyCorrelationId
    decision: Decision
    findings: tuple[CanonicalFinding, ...]
    coverage: Coverage
    detectors: tuple[DetectorOutcome, ...]
    analysis: Analysis | None = Field(description="Absent when analyze did not answer in time; see degraded")
    redaction: Redaction | None = None
    cached: bool = Field(default=False, description="True where the same content was judged shortly before")
    degraded: tuple[Token, ...] = Field(default=(), description="Which named fallbacks made this answer")
    versions: Versions
    latency_ms: Milliseconds


BatchEntry = Annotated[
    OrchestrateRequest | Refused,
    WrapValidator(in_its_place(OrchestrateRequest), json_schema_input_type=OrchestrateRequest),
]


class BatchRequest(Wire):
    """POST /api/v1/orchestrate/batch; an invalid item is answered with its own problem."""

    items: tuple[BatchEntry, ...] = Field(min_length=1, max_length=100)


class BatchItem(Wire):
    index: NonNegativeInt
    status: int
    response: OrchestrateResponse | None = None
    problem: ProblemDocument | None = None


class BatchResponse(Wire):
    results: tuple[BatchItem, ...]
