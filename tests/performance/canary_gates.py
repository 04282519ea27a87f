"""The gate of ``functions/promote``, and three that people write instead, on many rollouts at once."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from functions.promote.evidence import Floats, Sample
from functions.promote.measures import Measure
from functions.promote.rules import Margin, Rules
from functions.promote.weighing import Figures, rates, weigh

Bools = NDArray[np.bool_]
BAKE_MINUTES = 10  # how long the others watch a step
FEW_CALLS = 50  # below it they do not look


class Decided(NamedTuple):
    back: Bools
    up: Bools


class Gate(Protocol):
    def __call__(self, stable: Figures, canary: Figures, minutes: Floats, before: Figures | None) -> Decided: ...


class Sequential:
    """What ``judge`` does where the golden set has passed."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __call__(self, stable: Figures, canary: Figures, minutes: Floats, before: Figures | None) -> Decided:
        found = list(weigh(stable, canary, before, self.rules))
        enough = (canary.shares["errors"].trials >= self.rules.min_calls) & (minutes * 60 >= self.rules.min_seconds)
        back = np.logical_or.reduce([each.worse for each in found])
        return Decided(back, np.logical_and.reduce([each.fine for each in found]) & enough & ~back)


class Repeated:
    """The same rates and floors, but with z tests, as if there were only one look."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __call__(self, stable: Figures, canary: Figures, minutes: Floats, before: Figures | None) -> Decided:
        enough = (canary.shares["errors"].trials >= self.rules.min_calls) & (minutes * 60 >= self.rules.min_seconds)
        back, up = [], []
        for each in _differences(stable, canary, self.rules):
            part = rates(self.rules, each.measure)
            back.append(each.worse - each.margin.tolerance > norm.isf(part.rollback) * each.error)
            up.append(each.margin.regression - each.worse > norm.isf(part.promotion) * each.error)
        looks = canary.shares["errors"].trials >= FEW_CALLS
        worse = np.logical_or.reduce(back) & looks
        return Decided(worse, np.logical_and.reduce(up) & enough & ~worse)


class Thresholds:
    """Back as soon as a measure looks worse by its margin, up after ten minutes in which none did."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __call__(self, stable: Figures, canary: Figures, minutes: Floats, before: Figures | None) -> Decided:
        looks = canary.shares["errors"].trials >= FEW_CALLS
        seen = [each.worse >= each.margin.regression for each in _differences(stable, canary, self.rules)]
        back = np.logical_or.reduce(seen) & looks
        return Decided(back, ~back & looks & (minutes >= BAKE_MINUTES))


class EachMinute:
    """Back as soon as a one-sided z test of any measure says p < 0.05, up after ten minutes in which none did."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __call__(self, stable: Figures, canary: Figures, minutes: Floats, before: Figures | None) -> Decided:
        looks = canary.shares["errors"].trials >= FEW_CALLS
        tests = [each.worse > norm.isf(0.05) * each.error for each in _differences(stable, canary, self.rules)]
        back = np.logical_or.reduce(tests) & looks
        return Decided(back, ~back & looks & (minutes >= BAKE_MINUTES))


class Difference(NamedTuple):
    """How much worse the canary looks, with the standard error of that."""

    measure: Measure
    margin: Margin
    worse: Floats
    error: Floats


def _differences(stable: Figures, canary: Figures, rules: Rules) -> list[Difference]:
    """One for each measure judged, of drift one for each pillar."""
    found: list[Difference] = []
    for measure, margin in rules.margins.items():
        if measure == "confidence":
            base, other = stable.confidence, canary.confidence
            # The spread is around a fixed centre: a little more than the variance.
            error = np.sqrt(sum(each.spread / np.maximum(each.trials, 1) ** 2 for each in (base, other)))
            found.append(Difference(measure, margin, base.mean - other.mean, error))
        elif measure == "drift":
            for name, share in stable.pillars.items():
                rise = canary.pillars[name].share - share.share
                found.append(Difference(measure, margin, np.abs(rise), _error(share, canary.pillars[name])))
        else:
            pair = stable.shares[measure], canary.shares[measure]
            found.append(Difference(measure, margin, pair[1].share - pair[0].share, _error(*pair)))
    return found


def _error(base: Sample, other: Sample) -> Floats:
    pooled = (base.hits + other.hits) / np.maximum(base.trials + other.trials, 1)
    parts = 1 / np.maximum(base.trials, 1) + 1 / np.maximum(other.trials, 1)
    return np.asarray(np.sqrt(pooled * (1 - pooled) * parts), dtype=np.float64)
