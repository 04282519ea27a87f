"""Risk and controls of canonical findings: pure functions of the findings and the framework data."""

from collections.abc import Sequence

from llama_mapper.contracts.analysis import Analysis, AnalyzeRequest, CanonicalFinding, ComplianceResponse, Risk
from llama_mapper.contracts.events import AnalysisCompleted, ControlTouched, FindingsMapped

from .frameworks import Frameworks
from .risk import score_risk


def analyze(request: AnalyzeRequest, frameworks: Frameworks) -> Analysis:
    """Return risk and controls.

    Raises:
        InvalidRequest: a framework is named that is not known.
    """
    return _judge(request.findings, request.coverage, frameworks, request.frameworks)


def _judge(
    findings: Sequence[CanonicalFinding],
    coverage: float | None,
    frameworks: Frameworks,
    names: Sequence[str] | None = None,
) -> Analysis:
    results = frameworks.results(findings, names)
    return Analysis(
        risk=score_risk(findings, results, 1.0 if coverage is None else coverage),
        frameworks=results,
        frameworks_version=frameworks.version,
        controls_total=sum(len(result.controls) for result in results),
    )


def risk_of(request: AnalyzeRequest, frameworks: Frameworks) -> Risk:
    return analyze(request, frameworks).risk


def compliance_of(request: AnalyzeRequest, frameworks: Frameworks) -> ComplianceResponse:
    return ComplianceResponse(
        frameworks=frameworks.results(request.findings, request.frameworks), frameworks_version=frameworks.version
    )


def completed(event: FindingsMapped, frameworks: Frameworks) -> AnalysisCompleted:
    """Answer the event of mapped findings: numbers and ids, no prose."""
    coverage = event.coverage.score if event.coverage else None
    analysis = _judge(event.findings, coverage, frameworks)  # an event may hold more than one request may ask for
    return AnalysisCompleted(
        request_id=event.request_id,
        risk_score=analysis.risk.score,
        risk_level=analysis.risk.level,
        risk_formula=analysis.risk.formula,
        components={component.name: component.contribution for component in analysis.risk.components},
        controls=tuple(
            ControlTouched(
                framework=result.framework,
                framework_version=result.version,
                control=match.control,
                labels=tuple(reason.label for reason in match.because),
            )
            for result in analysis.frameworks
            for match in result.controls
        ),
        coverage=coverage,
        versions=event.versions.model_copy(update={"frameworks": analysis.frameworks_version}),
    )
