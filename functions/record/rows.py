"""The rows that are kept. Every text column has a type too narrow for content, and the tables check it again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, TypedDict

from pydantic import AwareDatetime, Field, NonNegativeInt, StringConstraints

from llama_mapper.contracts.analysis import RiskLevel, Source
from llama_mapper.contracts.detection import ReportStatus
from llama_mapper.contracts.events import AnalysisCompleted, EventContext, FindingsMapped
from llama_mapper.contracts.identifiers import (
    AnyCanonicalLabel,
    AnyContentHmac,
    AnyCorrelationId,
    AnyDetectorId,
    AnyEventId,
    AnyFrameworkId,
    AnyRequestId,
    AnyTenantId,
    CorrelationId,
    RequestId,
    TenantId,
)
from llama_mapper.contracts.mapping import Mapping, Method, Relation
from llama_mapper.contracts.orchestration import Action, ContentType, CoverageMethod
from llama_mapper.contracts.wire import (
    Confidence,
    Milliseconds,
    Severity,
    Token,
    VendorLabel,
    VendorSeverity,
    Wire,
)

# A sender's clock is believed within a year; beyond it the row would say something nobody meant.
MAX_AGE = timedelta(days=366)

EventSource = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._:/#-]{0,255}$")]
SeverityWord = Annotated[str, StringConstraints(pattern=r"^-?[A-Za-z0-9][A-Za-z0-9 ._+-]{0,31}$")]
ControlId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .()/:§-]{0,39}$")]


class Row(Wire):
    """One row; the fields are the columns of ``table``."""

    table: ClassVar[str]


class Stamp(TypedDict):
    """The columns that all rows of one event share."""

    tenant_id: TenantId
    request_id: RequestId
    correlation_id: CorrelationId
    event_source: str
    event_id: str
    occurred_at: datetime
    recorded_at: datetime


def stamp(context: EventContext, request_id: RequestId, correlation_id: CorrelationId, now: datetime) -> Stamp:
    """Return the shared columns; an event without a time, or with one that cannot be true, happened *now*."""
    return Stamp(
        tenant_id=context.tenantid,
        request_id=request_id,
        correlation_id=context.correlationid or correlation_id,
        event_source=context.source,
        event_id=context.id,
        occurred_at=believed(context.time, now),
        recorded_at=now,
    )


def believed(time: datetime | None, now: datetime) -> datetime:
    """*time* where it can be true, else *now*."""
    return time if time and now - MAX_AGE < time < now else now


class EventRow(Row):
    """Part of what one event said; (tenant, request, source, id, position) is its identity in the store."""

    tenant_id: AnyTenantId
    request_id: AnyRequestId
    correlation_id: AnyCorrelationId
    event_source: EventSource
    event_id: AnyEventId
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime


class RequestRow(EventRow):
    """One request or third-party report. The detector columns are parallel, one element a detector that ran."""

    table: ClassVar[str] = "requests"

    origin: str = Field(pattern=r"^[a-z]{1,32}$")
    content_type: ContentType
    content_hmac: AnyContentHmac | None
    decision: Action | None
    reasons: tuple[Token, ...]
    policy_version: Token | None
    coverage: Confidence | None
    coverage_method: CoverageMethod | None
    coverage_missing: tuple[AnyDetectorId, ...]
    detectors: tuple[AnyDetectorId, ...]
    detector_versions: tuple[Token, ...]
    detector_statuses: tuple[ReportStatus, ...]
    detector_latencies_ms: tuple[Milliseconds, ...]
    labels: tuple[AnyCanonicalLabel, ...]
    mappings: NonNegativeInt
    negatives: NonNegativeInt
    reviews: NonNegativeInt
    taxonomy_version: Token
    mapper_version: Token
    frameworks_version: Token | None

    @classmethod
    def of(cls, event: FindingsMapped, shared: Stamp) -> "RequestRow":
        decision, coverage = event.decision, event.coverage
        return cls(
            **shared,
            origin=event.origin,
            content_type=event.content_type,
            content_hmac=event.content_hmac,
            decision=decision.action if decision else None,
            reasons=decision.reasons if decision else (),
            policy_version=decision.policy_version if decision else None,
            coverage=coverage.score if coverage else None,
            coverage_method=coverage.method if coverage else None,
            coverage_missing=coverage.missing if coverage else (),
            detectors=tuple(run.detector for run in event.detectors),
            detector_versions=tuple(run.detector_version for run in event.detectors),
            detector_statuses=tuple(run.status for run in event.detectors),
            detector_latencies_ms=tuple(run.latency_ms for run in event.detectors),
            labels=tuple(dict.fromkeys(finding.label for finding in event.findings)),
            mappings=len(event.mappings),
            negatives=sum(mapping.negative for mapping in event.mappings),
            reviews=sum(mapping.review for mapping in event.mappings),
            taxonomy_version=event.versions.taxonomy,
            mapper_version=event.versions.mapper,
            frameworks_version=event.versions.frameworks,
        )


class FindingRow(EventRow):
    """One canonical label as one detector's word led to it; ``spans`` is how many ranges of the text it has."""

    table: ClassVar[str] = "findings"

    position: NonNegativeInt
    label: AnyCanonicalLabel
    pillar: str = Field(pattern=r"^[A-Z][A-Z_]{0,79}$")
    severity: Severity
    confidence: Confidence
    spans: NonNegativeInt
    detector: AnyDetectorId
    detector_version: Token
    vendor_label: VendorLabel
    vendor_severity: SeverityWord | None
    score: Confidence
    relation: Relation
    method: Method
    vocabulary: Token | None
    model: Token | None
    adapter: Token | None
    prompt: Token | None
    taxonomy_version: Token
    mapper_version: Token

    @classmethod
    def all_of(cls, event: FindingsMapped, shared: Stamp) -> "Iterator[FindingRow]":
        """One row for each source of each finding, numbered in the event's order."""
        provenances = {_word(mapping): mapping.provenance for mapping in event.mappings}
        pairs = ((finding, source) for finding in event.findings for source in finding.sources)
        for position, (finding, source) in enumerate(pairs):
            provenance = provenances.get(_word(source))
            yield cls(
                **shared,
                position=position,
                label=finding.label,
                pillar=finding.label.split(".", 1)[0],
                severity=finding.severity,
                confidence=finding.confidence,
                spans=len(finding.spans),
                detector=source.detector,
                detector_version=source.detector_version,
                vendor_label=source.vendor_label,
                vendor_severity=_severity(provenance.vendor_severity) if provenance else None,
                score=source.score,
                relation=source.relation,
                method=source.method,
                vocabulary=provenance.vocabulary if provenance else None,
                model=provenance.model if provenance else None,
                adapter=provenance.adapter if provenance else None,
                prompt=provenance.prompt if provenance else None,
                taxonomy_version=event.versions.taxonomy,
                mapper_version=event.versions.mapper,
            )


def _word(said: Source | Mapping) -> tuple[str, str, str]:
    """What ties a finding's source to the mapping that explains it."""
    where = said if isinstance(said, Source) else said.provenance
    return where.detector, where.detector_version, where.vendor_label


def _severity(grade: VendorSeverity | None) -> str | None:
    """A vendor's grade as text: scales of numbers and of words share the column."""
    return f"{grade:g}" if isinstance(grade, float) else grade


class AnalysisRow(EventRow):
    """The risk of one request; ``components`` are the points (of 100) each part of the formula gave."""

    table: ClassVar[str] = "analyses"

    risk_score: float = Field(ge=0, le=100)
    risk_level: RiskLevel
    risk_formula: Token
    components: dict[Token, float]
    coverage: Confidence | None
    controls: NonNegativeInt
    taxonomy_version: Token
    mapper_version: Token
    frameworks_version: Token | None

    @classmethod
    def of(cls, event: AnalysisCompleted, shared: Stamp) -> "AnalysisRow":
        return cls(
            **shared,
            risk_score=event.risk_score,
            risk_level=event.risk_level,
            risk_formula=event.risk_formula,
            components=event.components,
            coverage=event.coverage,
            controls=len(event.controls),
            taxonomy_version=event.versions.taxonomy,
            mapper_version=event.versions.mapper,
            frameworks_version=event.versions.frameworks,
        )


class ControlRow(EventRow):
    """One framework control that the labels of one request touch."""

    table: ClassVar[str] = "controls"

    position: NonNegativeInt
    framework: AnyFrameworkId
    framework_version: Token
    control: ControlId
    labels: tuple[AnyCanonicalLabel, ...]

    @classmethod
    def all_of(cls, event: AnalysisCompleted, shared: Stamp) -> "Iterator[ControlRow]":
        for position, touched in enumerate(event.controls):
            yield cls(**shared, position=position, **touched.model_dump())
