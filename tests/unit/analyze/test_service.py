from pathlib import Path

import jsonschema
import pytest

from functions.analyze.frameworks import Frameworks
from functions.analyze.service import analyze, completed, compliance_of, risk_of
from functions.analyze.settings import Settings
from llama_mapper.contracts.analysis import AnalyzeRequest
from llama_mapper.contracts.events import AnalysisCompleted, FindingsMapped
from llama_mapper.contracts.identifiers import RequestId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.orchestration import Coverage
from llama_mapper.contracts.schemas import schema_of
from llama_mapper.taxonomy import load
from tests.fakes.findings import found

FINDINGS = (found("PII.Health.Condition", 0.9, 3), found("SECRET.Key", 0.8, 4), found("HARM.Speech.Profanity", 0.9, 1))


@pytest.fixture(scope="module")
def frameworks() -> Frameworks:
    return Frameworks.load(Path(Settings.model_fields["frameworks"].default))


def mapped(coverage: float | None = 0.5, findings: int = 1) -> FindingsMapped:
    covered = None if coverage is None else Coverage(method="REQUIRED_SET", score=coverage, required=())
    return FindingsMapped(
        request_id=RequestId("request-1"),
        origin="orchestrate",
        findings=FINDINGS * findings,
        coverage=covered,
        versions=Versions(taxonomy="2026.11", mapper="1"),
    )


def test_the_analysis_is_the_risk_and_the_compliance_together(frameworks: Frameworks) -> None:
    request = AnalyzeRequest(findings=FINDINGS, coverage=0.5)
    whole = analyze(request, frameworks)
    assert whole.risk == risk_of(request, frameworks)
    assert whole.frameworks == compliance_of(request, frameworks).frameworks
    assert whole.frameworks_version == compliance_of(request, frameworks).frameworks_version == frameworks.version
    assert whole.controls_total == sum(len(result.controls) for result in whole.frameworks) > 0


def test_unsaid_coverage_is_full_coverage(frameworks: Frameworks) -> None:
    said = AnalyzeRequest(findings=FINDINGS, coverage=1.0)
    assert risk_of(AnalyzeRequest(findings=FINDINGS), frameworks) == risk_of(said, frameworks)


def test_no_coverage_is_not_unsaid_coverage(frameworks: Frameworks) -> None:
    nothing = AnalyzeRequest(findings=(), coverage=0.0)
    assert risk_of(nothing, frameworks).score == 5.0


def test_the_event_says_what_the_answer_says(frameworks: Frameworks) -> None:
    event = completed(mapped(), frameworks)
    whole = analyze(AnalyzeRequest(findings=FINDINGS, coverage=0.5), frameworks)
    assert (event.risk_score, event.risk_level, event.risk_formula) == (
        whole.risk.score,
        whole.risk.level,
        whole.risk.formula,
    )
    assert event.components == {part.name: part.contribution for part in whole.risk.components}
    assert len(event.controls) == whole.controls_total
    assert (event.request_id, event.coverage) == ("request-1", 0.5)
    assert (event.versions.taxonomy, event.versions.frameworks) == ("2026.11", frameworks.version)


def test_the_event_is_valid_and_has_no_prose(frameworks: Frameworks) -> None:
    data = completed(mapped(), frameworks).model_dump(mode="json", exclude_none=True)
    jsonschema.validate(data, schema_of(AnalysisCompleted))
    prose = [one.rationale for f in frameworks.all for entry in f.mappings for one in entry.controls]
    titles = [one.title for f in frameworks.all for one in f.controls]
    text = str(data)
    assert [sentence for sentence in (*prose, *titles) if sentence in text] == []
    assert max(len(word) for word in strings(data)) <= 80


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def test_every_label_of_the_taxonomy_makes_an_event_that_can_be_sent(frameworks: Frameworks) -> None:
    everything = tuple(found(label.name, 0.9, label.severity) for label in load().labels)
    event = completed(mapped().model_copy(update={"findings": everything}), frameworks)
    assert event.risk_level == "critical"


def test_an_event_may_hold_more_findings_than_a_request(frameworks: Frameworks) -> None:
    assert completed(mapped(findings=500), frameworks).risk_score == completed(mapped(), frameworks).risk_score


def test_an_event_without_coverage_has_none(frameworks: Frameworks) -> None:
    assert completed(mapped(coverage=None), frameworks).coverage is None
