"""The risk score: 0 to 100, made of four parts that are shown with it.

    score = 65·severity + 20·regulatory + 10·breadth + 5·unjudged

- severity: noisy-or over distinct labels, 1 − Π(1 − c·w), c = confidence, w = weight of the label's severity
  (Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, §4.3.2: independent causes of one effect);
- regulatory: mean over frameworks of the heaviest c·w among the labels that touch one of its controls;
- breadth: distinct pillars found beyond the first, three or more count as 1;
- unjudged: 1 − coverage: what nobody looked at is not safe.

Labels count once however often they occur, the order of findings is irrelevant, and no finding lowers the score.
Levels: none 0, low below 25, medium below 50, high below 75, critical from 75 (ours, as NIST SP 800-30 leaves them
to the organisation).
"""

from collections.abc import Iterable, Sequence
from math import prod

from llama_mapper.contracts.analysis import CanonicalFinding, FrameworkResult, Risk, RiskComponent, RiskLevel

FORMULA = "noisy-or.1"
WEIGHTS = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Severity 0..4 -> weight: each step roughly doubles, so that many small findings do not look like one grave one."""

POINTS = {"severity": 65.0, "regulatory": 20.0, "breadth": 10.0, "unjudged": 5.0}
LEVELS: tuple[tuple[float, RiskLevel], ...] = ((75.0, "critical"), (50.0, "high"), (25.0, "medium"))


def score_risk(findings: Sequence[CanonicalFinding], frameworks: Iterable[FrameworkResult], coverage: float) -> Risk:
    """Combine canonical *findings* into one score.

    Args:
        findings: confidence in 0..1, severity 0..4; empty gives only the unjudged part.
        frameworks: which labels touch which framework.
        coverage: share of the required judgement that took place, 0..1.
    """
    weights: dict[str, float] = {}
    for finding in findings:
        weights[finding.label] = max(weights.get(finding.label, 0.0), finding.confidence * WEIGHTS[finding.severity])
    touched = [_heaviest(result, weights) for result in frameworks]
    pillars = {label.split(".", 1)[0] for label, weight in weights.items() if weight > 0}
    parts = {
        "severity": 1 - prod(1 - weight for weight in sorted(weights.values())),
        "regulatory": sum(touched) / len(touched) if touched else 0.0,
        "breadth": min(1.0, max(0, len(pillars) - 1) / 3),
        "unjudged": 1 - coverage,
    }
    words = {
        "severity": _severity_words(weights),
        "regulatory": f"{sum(t > 0 for t in touched)} of {len(touched)} frameworks have a control for what was found.",
        "breadth": f"Pillars of the taxonomy with findings: {len(pillars)}.",
        "unjudged": f"{coverage:.0%} of what had to be judged was judged.",
    }
    components = tuple(
        RiskComponent(name=name, contribution=round(POINTS[name] * part, 2), explanation=words[name])
        for name, part in parts.items()
    )
    score = round(min(100.0, sum(component.contribution for component in components)), 1)
    return Risk(score=score, level=level(score), components=components, formula=FORMULA)


def level(score: float) -> RiskLevel:
    if score == 0:
        return "none"
    return next((name for floor, name in LEVELS if score >= floor), "low")


def _heaviest(result: FrameworkResult, weights: dict[str, float]) -> float:
    return max((weights.get(r.label, 0.0) for c in result.controls for r in c.because), default=0.0)


def _severity_words(weights: dict[str, float]) -> str:
    if not weights:
        return "Nothing was found."
    worst = max(weights, key=lambda label: (weights[label], label))
    return f"Distinct labels: {len(weights)}; the heaviest is {worst}."
