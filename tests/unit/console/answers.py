"""What the services answer in the console's tests."""

from datetime import UTC, date, datetime

from llama_mapper.contracts.analysis import (
    Analysis,
    CanonicalFinding,
    ControlMatch,
    FrameworkResult,
    NoControl,
    Rationale,
    Risk,
    RiskComponent,
    Source,
)
from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.identifiers import (
    CanonicalLabel,
    CorrelationId,
    DetectorId,
    EventId,
    FrameworkId,
    RequestId,
    TenantId,
)
from llama_mapper.contracts.mapping import MappedLabel, Mapping, Provenance, Versions
from llama_mapper.contracts.orchestration import Coverage, Decision, DetectorOutcome, OrchestrateResponse
from llama_mapper.contracts.records import (
    Count,
    DayCount,
    DeadLetter,
    DeadLetters,
    RecordedAnalysis,
    RecordedControl,
    RecordedFinding,
    RecordedFindings,
    RecordedRequest,
    RecordedRequests,
    Summary,
)

PARTS = ("orchestrate", "analyze", "mapper", "record")

EMAIL = CanonicalLabel("PII.Contact.Email")
DATE = CanonicalLabel("OTHER.Entity.Date")
PRESIDIO = DetectorId("presidio")
WHEN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
VERSIONS = Versions(taxonomy="2026.11", mapper="0.1.0")

SUMMARY = Summary(
    days=30,
    requests=1234,
    findings=7,
    dead_letters=1,
    labels=(Count(name=EMAIL, count=6), Count(name=DATE, count=1)),
    detectors=(Count(name=PRESIDIO, count=7),),
    decisions=(Count(name="redact", count=4), Count(name="block", count=1)),
    risk_levels=(Count(name="low", count=3), Count(name="critical", count=2)),
    by_day=(
        DayCount(day=date(2026, 11, 18), requests=2, findings=3),
        DayCount(day=date(2026, 11, 20), requests=4, findings=4),
    ),
)
NOTHING = Summary(
    days=30, requests=0, findings=0, dead_letters=0, labels=(), detectors=(), decisions=(), risk_levels=(), by_day=()
)

NO_REQUESTS = RecordedRequests(requests=())
REQUESTS = RecordedRequests(
    requests=(
        RecordedRequest(
            request_id=RequestId("req-00000001"),
            correlation_id=CorrelationId("corr-0000001"),
            occurred_at=WHEN,
            origin="orchestrate",
            decision="redact",
            reasons=("label.pii",),
            coverage=1.0,
            risk_score=64.2,
            risk_level="high",
            labels=(EMAIL,),
            detectors=(PRESIDIO,),
        ),
        RecordedRequest(
            request_id=RequestId("report-00002"),
            correlation_id=CorrelationId("corr-0000002"),
            occurred_at=WHEN,
            origin="producer",
            decision=None,
            reasons=(),
            coverage=None,
            risk_score=None,
            risk_level=None,
            labels=(),
            detectors=(),
        ),
    )
)

FINDINGS = RecordedFindings(
    findings=(
        RecordedFinding(
            label=EMAIL,
            vendor_label="EMAIL_ADDRESS",
            detector=PRESIDIO,
            detector_version="2.2.366",
            method="rule",
            relation="exact",
            severity=2,
            confidence=0.85,
            request_id=RequestId("req-00000001"),
            occurred_at=WHEN,
        ),
    ),
    analysis=RecordedAnalysis(
        risk_score=64.2,
        risk_level="high",
        controls=(RecordedControl(framework=FrameworkId("gdpr"), control="Art. 4(1)"),),
    ),
)

DEAD_LETTERS = DeadLetters(
    dead_letters=(
        DeadLetter(
            event_id=EventId("report-1"),
            event_source="/vendors/acme",
            event_type="io.llama-mapper.finding.reported.v1",
            destination="http://mapper/events",
            status=422,
            error_code="UNPROCESSABLE",
            correlation_id=None,
            occurred_at=WHEN,
            recorded_at=WHEN,
        ),
    )
)

JUDGED = OrchestrateResponse(
    request_id=RequestId("req-00000001"),
    tenant_id=TenantId("demo"),
    correlation_id=CorrelationId("corr-0000001"),
    decision=Decision(
        action="redact", reasons=("label.pii",), obligations=("mask_spans",), policy="decision", policy_version="1"
    ),
    findings=(
        CanonicalFinding(
            label=EMAIL,
            confidence=0.85,
            severity=2,
            spans=(Span(start=8, end=24),),
            sources=(
                Source(
                    detector=PRESIDIO,
                    detector_version="2.2.366",
                    vendor_label="EMAIL_ADDRESS",
                    method="rule",
                    relation="exact",
                    score=0.85,
                ),
            ),
        ),
    ),
    coverage=Coverage(
        method="REQUIRED_SET",
        score=0.5,
        required=(PRESIDIO, DetectorId("tox-block")),
        missing=(DetectorId("tox-block"),),
    ),
    detectors=(
        DetectorOutcome(
            asked=DetectorId("pii"),
            detector=PRESIDIO,
            version="2.2.366",
            family="pii",
            status="ok",
            stands_in=True,
            findings=1,
            latency_ms=12.0,
        ),
    ),
    analysis=Analysis(
        risk=Risk(
            score=64.2,
            level="high",
            components=(RiskComponent(name="severity", contribution=60.0, explanation="The heaviest is an address."),),
            formula="test.1",
        ),
        frameworks=(
            FrameworkResult(
                framework=FrameworkId("gdpr"),
                name="General Data Protection Regulation",
                edition="2016/679",
                version="1",
                controls=(
                    ControlMatch(
                        control="Art. 4(1)",
                        title="Meaning of personal data",
                        because=(Rationale(label=EMAIL, rationale="An address identifies its owner."),),
                    ),
                ),
                no_fitting_control=(NoControl(label=DATE, reason="A date alone leads to nobody."),),
            ),
        ),
        frameworks_version="1",
        controls_total=1,
    ),
    degraded=("mapper.timeout",),
    versions=VERSIONS,
    latency_ms=148.2,
)


def mapped(*, label: str = EMAIL, negative: bool = False, review: bool = False) -> Mapping:
    return Mapping(
        labels=(MappedLabel(label=CanonicalLabel(label), relation="exact", confidence=0.99, severity=2),),
        method="rule",
        negative=negative,
        review=review,
        provenance=Provenance(
            vendor="presidio", detector=PRESIDIO, detector_version="2.2.366", vendor_label="EMAIL_ADDRESS"
        ),
        versions=VERSIONS,
    )
