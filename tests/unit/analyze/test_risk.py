from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.analyze.frameworks import Frameworks
from functions.analyze.risk import FORMULA, POINTS, level, score_risk
from functions.analyze.settings import Settings
from llama_mapper.contracts.analysis import CanonicalFinding, Risk
from llama_mapper.taxonomy import load
from tests.fakes.findings import found

FRAMEWORKS = Frameworks.load(
    Path(Settings.model_fields["frameworks"].default), Settings.model_fields["default_frameworks"].default
)
LABELS = [label.name for label in load().labels]


def score(findings: Sequence[CanonicalFinding], coverage: float = 1.0) -> Risk:
    return score_risk(findings, FRAMEWORKS.results(findings, None), coverage)


def parts(risk: Risk) -> dict[str, float]:
    return {component.name: component.contribution for component in risk.components}


def test_nothing_found_and_all_judged_is_no_risk() -> None:
    risk = score([])
    assert (risk.score, risk.level, risk.formula) == (0.0, "none", FORMULA)
    assert parts(risk) == {"severity": 0.0, "regulatory": 0.0, "breadth": 0.0, "unjudged": 0.0}


def test_what_nobody_looked_at_is_not_safe() -> None:
    risk = score([], coverage=0.0)
    assert (risk.score, risk.level) == (5.0, "low")


@pytest.mark.parametrize(
    ("severity", "confidence", "points"),
    [(0, 1.0, 0.0), (1, 1.0, 6.5), (2, 1.0, 19.5), (3, 1.0, 39.0), (4, 1.0, 65.0), (4, 0.5, 32.5), (4, 0.0, 0.0)],
)
def test_severity_points_of_one_finding(severity: int, confidence: float, points: float) -> None:
    assert parts(score([found("IP", confidence, severity)]))["severity"] == pytest.approx(points)


def test_independent_labels_add_up_as_noisy_or() -> None:
    both = [found("IP", 1.0, 2), found("BIAS", 1.0, 2)]
    assert parts(score(both))["severity"] == pytest.approx(65 * (1 - 0.7 * 0.7))


@pytest.mark.parametrize(
    ("labels", "points"),
    [
        (["IP"], 0.0),
        (["PII.Contact", "PII.Health"], 0.0),
        (["IP", "BIAS"], 3.33),
        (["IP", "BIAS", "HARM"], 6.67),
        (["IP", "BIAS", "HARM", "SECRET"], 10.0),
        (["IP", "BIAS", "HARM", "SECRET", "PII"], 10.0),
    ],
)
def test_breadth_counts_pillars_beyond_the_first(labels: list[str], points: float) -> None:
    assert parts(score([found(label) for label in labels]))["breadth"] == points


def test_a_finding_without_weight_adds_no_breadth() -> None:
    assert parts(score([found("IP"), found("OTHER.Unknown", 0.0, 1), found("QUALITY.Tone", 1.0, 0)]))["breadth"] == 0


def test_the_regulatory_part_needs_a_control() -> None:
    findings = [found("PII.Health.Condition", 1.0, 4)]
    assert parts(score(findings))["regulatory"] == 20.0
    assert parts(score_risk(findings, [], 1.0))["regulatory"] == 0.0


def test_everything_at_its_worst_is_one_hundred() -> None:
    worst = [found(label, 1.0, 4) for label in ("PII.Health.Condition", "SECRET.Key", "HARM.Hate", "JAILBREAK")]
    assert (score(worst, coverage=0.0).score, score(worst, coverage=0.0).level) == (100.0, "critical")


@pytest.mark.parametrize(
    ("points", "name"),
    [
        (0.0, "none"),
        (0.1, "low"),
        (24.9, "low"),
        (25.0, "medium"),
        (49.9, "medium"),
        (50.0, "high"),
        (74.9, "high"),
        (75.0, "critical"),
        (100.0, "critical"),
    ],
)
def test_levels_begin_at_their_edge(points: float, name: str) -> None:
    assert level(points) == name


FINDINGS = st.lists(
    st.builds(
        found,
        st.sampled_from(LABELS),
        st.integers(0, 1000).map(lambda n: n / 1000),
        st.integers(0, 4),
    ),
    max_size=12,
)
SHARES = st.integers(0, 1000).map(lambda n: n / 1000)


@given(FINDINGS, SHARES)
def test_the_score_is_the_sum_of_its_parts_and_within_bounds(findings: list[CanonicalFinding], coverage: float) -> None:
    risk = score(findings, coverage)
    assert risk.score == pytest.approx(sum(parts(risk).values()), abs=0.051)
    assert 0 <= risk.score <= 100
    assert all(0 <= points <= POINTS[name] for name, points in parts(risk).items())
    assert risk.level == level(risk.score)


@given(FINDINGS, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_the_findings_does_not_matter(
    findings: list[CanonicalFinding], coverage: float, random: "object"
) -> None:
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert score(shuffled, coverage) == score(findings, coverage)


@given(FINDINGS, SHARES)
def test_the_same_finding_twice_counts_once(findings: list[CanonicalFinding], coverage: float) -> None:
    assert score([*findings, *findings], coverage) == score(findings, coverage)


@given(FINDINGS, SHARES, st.sampled_from(LABELS), SHARES, st.integers(0, 4))
def test_one_more_finding_never_lowers_the_score(
    findings: list[CanonicalFinding], coverage: float, label: str, confidence: float, severity: int
) -> None:
    assert score([*findings, found(label, confidence, severity)], coverage).score >= score(findings, coverage).score


@given(FINDINGS.filter(bool), SHARES, SHARES, st.integers(0, 4), st.integers(0, 11))
def test_more_severe_or_more_certain_never_lowers_the_score(
    findings: list[CanonicalFinding], coverage: float, confidence: float, severity: int, place: int
) -> None:
    one = findings[place % len(findings)]
    graver = found(one.label, max(one.confidence, confidence), max(one.severity, severity))
    changed = [graver if other is one else other for other in findings]
    assert score(changed, coverage).score >= score(findings, coverage).score


@given(FINDINGS, SHARES, SHARES)
def test_less_coverage_never_lowers_the_score(findings: list[CanonicalFinding], one: float, other: float) -> None:
    assert score(findings, min(one, other)).score >= score(findings, max(one, other)).score
