"""Weigh each measure of a canary against the stable revision, with its part of the rollout's error rates."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import evidence
from .evidence import Floats, Moments, Pair, Sample
from .measures import CONFIDENCE_EDGES, SHARES, Counts, Measure, Share
from .rules import Margin, Rules
from .steps import STEPS

MIDDLES = np.array(CONFIDENCE_EDGES) - CONFIDENCE_EDGES[0] / 2
USUAL_CONFIDENCE = 0.8  # the centre without earlier figures: a wrong one costs calls, not validity


class Figures(NamedTuple):
    """``Counts`` as numbers or arrays, one element a rollout."""

    shares: Mapping[Share, Sample]
    pillars: Mapping[str, Sample]
    confidence: Moments

    @classmethod
    def of(cls, counts: Counts, centre: float) -> "Figures":
        answers = sum(counts.pillars.values())
        return cls(
            {name: _sample(counts.calls, getattr(counts, name)) for name in SHARES},
            {name: _sample(answers, count) for name, count in counts.pillars.items()},
            moments(np.diff(np.array(counts.confidence or (0,) * len(CONFIDENCE_EDGES)), prepend=0), centre),
        )


class Rates(NamedTuple):
    """The error rates of one test: of a promotion's, of a rollback's."""

    promotion: float
    rollback: float


class Weighed(NamedTuple):
    """What was found of one measure, or of one pillar: the values of both revisions, and what is proven.

    Of shares: the pair, and the logarithms of both e-values. Of means: the bounds of the difference, positive is worse.
    """

    measure: Measure
    stable: Floats
    canary: Floats
    worse: NDArray[np.bool_]
    fine: NDArray[np.bool_]
    pillar: str | None = None
    pair: Pair | None = None
    log_worse: Floats | None = None
    log_fine: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None


def rates(rules: Rules, measure: Measure) -> Rates:
    """Split the rollout's error rates.

    A false promotion needs every measure to look fine, also the one that is not: no split over measures (R. L. Berger,
    Technometrics 24, 1982, intersection-union test). Over steps there is one, as any step may be the false one. A false
    rollback needs one measure that looks worse: split over all of them, and drift's over pillars and directions.
    """
    steps = len(STEPS) - 1
    rollback = rules.false_rollback / steps / len(rules.margins)
    return Rates(rules.false_promotion / steps, rollback / (2 * rules.pillars) if measure == "drift" else rollback)


def weigh(stable: Figures, canary: Figures, before: Figures | None, rules: Rules) -> Iterator[Weighed]:
    """Yield one finding for each measure judged; of drift one for each pillar, and none where no answers were counted.

    Args:
        before: figures of the stable revision from before the step.
    """
    for measure, margin in rules.margins.items():
        rate = rates(rules, measure)
        if measure == "confidence":
            yield _confidence(stable, canary, margin, rate, rules)
        elif measure == "drift":
            yield from _drift(stable, canary, before, margin, rate, rules)
        else:
            earlier = before.shares[measure] if before else None
            yield _share(measure, _pair(stable.shares[measure], canary.shares[measure], earlier, rules), margin, rate)


def moments(buckets: Floats | NDArray[np.int64], centre: float) -> Moments:
    """Moments of confidences counted in *buckets* (..., 20), each value taken as its bucket's middle."""
    trials = buckets.sum(axis=-1).astype(np.float64)
    return Moments(trials, buckets @ MIDDLES, buckets @ (MIDDLES - centre) ** 2)


def usual_confidence(before: Counts | None) -> float:
    """The mean confidence that the spread is measured from: known before the step, as the bound requires."""
    if before is None or not before.confidence or not before.confidence[-1]:
        return USUAL_CONFIDENCE
    found = moments(np.diff(np.array(before.confidence), prepend=0), 0.0)
    return float(found.total / found.trials)


def _share(measure: Measure, pair: Pair, margin: Margin, rate: Rates) -> Weighed:
    return _found(measure, pair, pair.against_at_most(margin.tolerance), pair.against_at_least(margin.regression), rate)


def _drift(
    stable: Figures, canary: Figures, before: Figures | None, margin: Margin, rate: Rates, rules: Rules
) -> Iterator[Weighed]:
    """Each pillar both ways: worse if its share rose or fell beyond the tolerance, fine if neither by the margin."""
    no_base, no_other = _without_hits(stable), _without_hits(canary)
    for pillar in sorted({*stable.pillars, *canary.pillars}):
        base, other = stable.pillars.get(pillar, no_base), canary.pillars.get(pillar, no_other)
        pair = _pair(base, other, before.pillars.get(pillar) if before else None, rules)
        turned, wide, far = pair.turned(), margin.tolerance, margin.regression
        log_worse = np.maximum(pair.against_at_most(wide), turned.against_at_most(wide))
        log_fine = np.minimum(pair.against_at_least(far), turned.against_at_least(far))
        yield _found("drift", pair, log_worse, log_fine, rate, pillar)


def _found(
    measure: Measure, pair: Pair, log_worse: Floats, log_fine: Floats, rate: Rates, pillar: str | None = None
) -> Weighed:
    worse, fine = log_worse >= -np.log(rate.rollback), log_fine >= -np.log(rate.promotion)
    return Weighed(
        measure,
        pair.base.share,
        pair.other.share,
        worse,
        fine,
        pillar,
        pair=pair,
        log_worse=log_worse,
        log_fine=log_fine,
    )


def _confidence(stable: Figures, canary: Figures, margin: Margin, rate: Rates, rules: Rules) -> Weighed:
    """The means: less is worse. Half of each rate for either revision."""
    base, other = (each.confidence.shared_out(rules.dependent_calls) for each in (stable, canary))
    fall = base.mean - other.mean
    below, above = (
        evidence.radius(base, part / 2) + evidence.radius(other, part / 2) for part in (rate.rollback, rate.promotion)
    )
    low, high = np.maximum(fall - below, -1.0), np.minimum(fall + above, 1.0)
    worse, fine = low > margin.tolerance, high < margin.regression
    return Weighed("confidence", base.mean, other.mean, worse, fine, low=low, high=high)


def _pair(base: Sample, other: Sample, earlier: Sample | None, rules: Rules) -> Pair:
    around = evidence.prior(float(earlier.trials), float(earlier.hits)) if earlier else evidence.prior()
    return Pair.of(base.shared_out(rules.dependent_calls), other.shared_out(rules.dependent_calls), around)


def _without_hits(figures: Figures) -> Sample:
    """Of a pillar that no answer had: the number of all answers stands beside each of the others."""
    none = _sample(0, 0)
    trials = next((sample.trials for sample in figures.pillars.values()), none.trials)
    return Sample(trials, np.zeros_like(trials))


def _sample(trials: int, hits: int) -> Sample:
    return Sample(np.asarray(trials, dtype=np.float64), np.asarray(hits, dtype=np.float64))
