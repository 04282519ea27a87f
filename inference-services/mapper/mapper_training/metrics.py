"""How good answers and their confidences are. Plain functions over outcomes; no model in sight.

An answer counts as right if it is any of the labels that the curated word leads to, exactly, not a parent of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

BINS = 15


@dataclass(frozen=True, slots=True)
class Outcome:
    """``chosen`` None means none of the candidates. ``gold`` empty means that abstaining is right."""

    vendor: str
    gold: frozenset[str]
    chosen: str | None
    confidence: float

    @property
    def right(self) -> bool:
        return self.chosen in self.gold if self.gold else self.chosen is None


def covered(outcome: Outcome, threshold: float) -> bool:
    """Whether a label is given at all: one was chosen and is trusted enough."""
    return outcome.chosen is not None and outcome.confidence >= threshold


def macro_f1(outcomes: Sequence[Outcome], threshold: float = 0.0) -> float:
    """Mean over labels of F1, within the outcomes given; answers that are not covered are missing, not wrong.

    With several gold labels a hit counts for the one that was chosen, a miss for the first.
    """
    hits: dict[str, int] = {}
    said: dict[str, int] = {}
    meant: dict[str, int] = {}
    for outcome in outcomes:
        answer = outcome.chosen if covered(outcome, threshold) else None
        if outcome.gold:
            target = answer if answer in outcome.gold else min(outcome.gold)
            assert target is not None
            meant[target] = meant.get(target, 0) + 1
            hits[target] = hits.get(target, 0) + (answer == target)
        if answer is not None:
            said[answer] = said.get(answer, 0) + 1
    labels = set(meant) | set(said)
    scores = [2 * hits.get(n, 0) / (said.get(n, 0) + meant.get(n, 0)) for n in labels]
    return sum(scores) / len(scores) if scores else 0.0


def by_vendor(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.vendor, []).append(outcome)
    return dict(sorted(groups.items()))


def over_vendors(outcomes: Sequence[Outcome], measure: Callable[[list[Outcome]], float]) -> float:
    """Mean of *measure* over vendors: each counts the same, however many words it has."""
    groups = by_vendor(outcomes)
    return sum(measure(group) for group in groups.values()) / len(groups) if groups else 0.0


def accuracy(outcomes: Sequence[Outcome]) -> float:
    return sum(o.right for o in outcomes) / len(outcomes) if outcomes else 0.0


def hierarchical_f1(outcomes: Sequence[Outcome]) -> float:
    """F1 over labels with all their ancestors: ``PII.Contact`` for ``PII.Contact.Email`` is half right, not wrong."""
    shared = said = meant = 0
    for outcome in outcomes:
        answer = _ancestors(outcome.chosen) if outcome.chosen else frozenset()
        golds = [_ancestors(label) for label in sorted(outcome.gold)] or [frozenset()]
        gold = max(golds, key=lambda g: (len(g & answer), -len(g)))
        shared, said, meant = shared + len(gold & answer), said + len(answer), meant + len(gold)
    return 2 * shared / (said + meant) if said + meant else 1.0


def _ancestors(label: str) -> frozenset[str]:
    parts = label.split(".")
    return frozenset(".".join(parts[: i + 1]) for i in range(len(parts)))


def coverage(outcomes: Sequence[Outcome], threshold: float) -> float:
    return sum(covered(o, threshold) for o in outcomes) / len(outcomes) if outcomes else 0.0


def precision(outcomes: Sequence[Outcome], threshold: float) -> float:
    """Share of the covered that is right; 1 where nothing is covered, since nothing wrong was said."""
    given = [o for o in outcomes if covered(o, threshold)]
    return sum(o.right for o in given) / len(given) if given else 1.0


def threshold_for(outcomes: Sequence[Outcome], wanted: float) -> float:
    """The highest threshold that still covers a share *wanted*, so that systems are compared at equal coverage.

    A system that gives fewer labels than that has threshold 0.
    """
    confidences = sorted((o.confidence for o in outcomes if o.chosen is not None), reverse=True)
    needed = -(-int(wanted * len(outcomes) * 1000) // 1000)
    return confidences[needed - 1] if 0 < needed <= len(confidences) else 0.0


def risk_coverage(outcomes: Sequence[Outcome], points: int = 20) -> list[tuple[float, float]]:
    """(coverage, share wrong among the covered) from the surest answers to all of them."""
    given = sorted((o for o in outcomes if o.chosen is not None), key=lambda o: -o.confidence)
    curve = []
    for i in range(1, points + 1):
        count = len(given) * i // points
        if count:
            wrong = sum(not o.right for o in given[:count])
            curve.append((round(count / len(outcomes), 4), round(wrong / count, 4)))
    return curve


def calibration_error(outcomes: Sequence[Outcome], bins: int = BINS) -> float:
    """Expected calibration error of the answers that name a label: bins of equal width, weighted by size."""
    groups: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.chosen is not None:
            groups.setdefault(min(int(outcome.confidence * bins), bins - 1), []).append(outcome)
    total = sum(len(group) for group in groups.values())
    return sum(abs(sum(o.confidence for o in group) - sum(o.right for o in group)) for group in groups.values()) / max(
        total, 1
    )


def reliability(outcomes: Sequence[Outcome], bins: int = BINS) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, count) of each bin that is not empty."""
    groups: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.chosen is not None:
            groups.setdefault(min(int(outcome.confidence * bins), bins - 1), []).append(outcome)
    return [
        (round(sum(o.confidence for o in g) / len(g), 4), round(sum(o.right for o in g) / len(g), 4), len(g))
        for _, g in sorted(groups.items())
    ]


def abstained(outcomes: Sequence[Outcome], threshold: float) -> float:
    """Share for which no label is given."""
    return 1 - coverage(outcomes, threshold)
