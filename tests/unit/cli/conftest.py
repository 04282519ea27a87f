from collections.abc import Callable

import pytest

from llama_mapper.contracts.analysis import Analysis, CanonicalFinding, Risk, Source
from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.identifiers import CanonicalLabel, CorrelationId, DetectorId, RequestId, TenantId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.orchestration import Action, Coverage, Decision, OrchestrateResponse

MakeAnswer = Callable[..., OrchestrateResponse]


def finding(label: str, confidence: float = 0.9, severity: int = 2) -> CanonicalFinding:
    source = Source(
        detector=DetectorId("presidio"),
        detector_version="2.2",
        vendor_label="EMAIL_ADDRESS",
        method="rule",
        relation="exact",
        score=confidence,
    )
    return CanonicalFinding(
        label=CanonicalLabel(label),
        confidence=confidence,
        severity=severity,
        spans=(Span(start=0, end=1),),
        sources=(source,),
    )


@pytest.fixture
def make_answer() -> MakeAnswer:
    """Builds what orchestrate answers; findings are (label, confidence, severity)."""

    def make(
        action: Action = "allow", *findings: tuple[str, float, int], risk: float | None = 0.0, coverage: float = 1.0
    ) -> OrchestrateResponse:
        analysis = (
            Analysis(
                risk=Risk(score=risk, level="low", components=(), formula="1"),
                frameworks=(),
                frameworks_version="2026.11",
                controls_total=0,
            )
            if risk is not None
            else None
        )
        return OrchestrateResponse(
            request_id=RequestId("request-1"),
            tenant_id=TenantId("demo"),
            correlation_id=CorrelationId("correlation-1"),
            decision=Decision(action=action, reasons=(), policy="decision", policy_version="1"),
            findings=tuple(finding(*one) for one in findings),
            coverage=Coverage(method="REQUIRED_SET", score=coverage, required=()),
            detectors=(),
            analysis=analysis,
            versions=Versions(taxonomy="2026.11", mapper="1"),
            latency_ms=1.0,
        )

    return make
