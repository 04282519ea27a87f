"""Simulated traffic of a canary and the stable revision beside it, many rollouts at once."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import beta

from functions.promote.evidence import Floats, Moments, Sample
from functions.promote.measures import CONFIDENCE_EDGES, SHARES, Measure, Share
from functions.promote.rules import MARGINS, Margin, Rules
from functions.promote.weighing import MIDDLES, USUAL_CONFIDENCE, Figures, moments

# What a mapper's predictor does on an ordinary day; "slow" is beyond the bound that its p95 keeps.
USUAL: Mapping[Share, float] = {"errors": 0.002, "slow": 0.05, "invalid": 0.003, "fallbacks": 0.03, "unsure": 0.15}
PILLARS: Mapping[str, float] = {
    "PII": 0.38, "HARM": 0.24, "SECURITY": 0.12, "PROMPT_INJECTION": 0.1, "SECRET": 0.09, "OTHER": 0.07
}  # fmt: skip
MEAN_CONFIDENCE, SHARPNESS = 0.8, 6.0  # a Beta(4.8, 1.2): standard deviation 0.15

Ints = NDArray[np.int64]


class Scenario(BaseModel):
    """One kind of canary and of traffic.

    worse: how much worse the canary is, by measure, in the measure's own unit; negative is better.
    from_percent, from_minute: the step, and the minute in it, from which it is worse.
    batch, together: calls come in batches of this size, and in this share of them all calls end alike.
    swing: shares of both revisions rise and fall by this part of themselves, over four hours.
    tolerant: whether everything below the margin is tolerated, so that a rollback cannot come before a false step.
    hours: after which a step is held for a person.
    compared: whether the other gates run as well.
    yesterday: whether the day before is known, and (drawn for each rollout) how far off its shares are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    calls_per_minute: int = 3_000
    worse: dict[Measure, float] = {}
    from_percent: int = 0
    from_minute: int = 0
    batch: int = 1
    together: float = 0.0
    swing: float = 0.0
    yesterday: float | None = 0.1
    dependent_calls: int = 1
    tolerant: bool = False
    hours: float = 2.0
    compared: bool = False

    @property
    def rules(self) -> Rules:
        """The gate's own, apart from what the scenario is about."""
        if not self.tolerant:
            return Rules(dependent_calls=self.dependent_calls)
        margins = {
            name: Margin(regression=each.regression, tolerance=0.99 * each.regression) for name, each in MARGINS.items()
        }
        return Rules(margins=margins, dependent_calls=self.dependent_calls)

    @property
    def regressed(self) -> bool:
        """Whether the canary, once it is worse, must not be promoted."""
        return any(amount >= MARGINS[measure].regression for measure, amount in self.worse.items())

    @property
    def harmful(self) -> bool:
        """Whether the canary, once it is worse, may be rolled back."""
        return any(amount > self.rules.margins[measure].tolerance for measure, amount in self.worse.items())

    def begun(self, percent: Ints, since: Ints) -> NDArray[np.bool_]:
        """Whether the canary is worse by now."""
        return np.asarray(
            (percent > self.from_percent) | ((percent == self.from_percent) & (since >= self.from_minute))
        )


class Arm(NamedTuple):
    """What one revision did, summed over a step: one row a rollout."""

    calls: Ints
    shares: dict[Share, Ints]
    buckets: Ints
    pillars: Ints

    @classmethod
    def empty(cls, rollouts: int) -> "Arm":
        none = np.zeros(rollouts, np.int64)
        buckets, pillars = np.zeros((rollouts, len(MIDDLES)), np.int64), np.zeros((rollouts, len(PILLARS)), np.int64)
        return cls(none, dict.fromkeys(SHARES, none), buckets, pillars)

    def plus(self, other: "Arm") -> "Arm":
        shares = {name: count + other.shares[name] for name, count in self.shares.items()}
        return Arm(self.calls + other.calls, shares, self.buckets + other.buckets, self.pillars + other.pillars)

    def kept(self, rows: NDArray[np.bool_]) -> "Arm":
        shares = {name: count[rows] for name, count in self.shares.items()}
        return Arm(self.calls[rows], shares, self.buckets[rows], self.pillars[rows])

    def emptied(self, rows: NDArray[np.bool_]) -> "Arm":
        keep = ~rows
        shares = {name: count * keep for name, count in self.shares.items()}
        return Arm(self.calls * keep, shares, self.buckets * keep[:, None], self.pillars * keep[:, None])

    def figures(self, centre: float = USUAL_CONFIDENCE) -> Figures:
        calls, answers = self.calls.astype(float), self.pillars.sum(axis=1).astype(float)
        return Figures(
            {name: Sample(calls, count.astype(float)) for name, count in self.shares.items()},
            {name: Sample(answers, self.pillars[:, at].astype(float)) for at, name in enumerate(PILLARS)},
            moments(self.buckets, centre),
        )


def minute(rng: np.random.Generator, scenario: Scenario, percent: Ints, since: Ints, clock: int) -> tuple[Arm, Arm]:
    """One minute of all rollouts: the stable revision's and the canary's.

    Args:
        percent, since: of each rollout, the canary's share and the minutes in this step.
        clock: minutes since the simulation began.
    """
    batches = rng.poisson(scenario.calls_per_minute / scenario.batch, len(percent))
    canary = rng.binomial(batches, percent / 100)
    swing = 1 + scenario.swing * np.sin(2 * np.pi * clock / 240)
    begun = scenario.begun(percent, since)
    worse = {measure: np.asarray(amount * begun, dtype=np.float64) for measure, amount in scenario.worse.items()}
    return _arm(rng, scenario, batches - canary, {}, swing), _arm(rng, scenario, canary, worse, swing)


def yesterday(rng: np.random.Generator, off: float) -> Figures:
    """A day of the stable revision whose shares were off from today's by a factor of about 1 +- *off*."""
    trials = np.float64(100_000)
    shares = {name: _off(rng, off, trials, share) for name, share in USUAL.items()}
    pillars = {name: _off(rng, off, trials, share) for name, share in PILLARS.items()}
    none = np.zeros(1)
    return Figures(shares, pillars, Moments(none, none, none))


def _off(rng: np.random.Generator, off: float, trials: np.float64, share: float) -> Sample:
    return Sample(np.asarray(trials), np.asarray(np.rint(trials * min(share * rng.lognormal(0, off), 0.95))))


def _arm(
    rng: np.random.Generator, scenario: Scenario, batches: Ints, worse: Mapping[Measure, Floats], swing: float
) -> Arm:
    alike = rng.binomial(batches, scenario.together)  # batches in which all calls end alike
    apart = (batches - alike) * scenario.batch

    def hits(share: Floats | float) -> Ints:
        return np.asarray(scenario.batch * rng.binomial(alike, share) + rng.binomial(apart, share))

    def kinds(shares: Floats) -> Ints:
        return np.asarray(scenario.batch * rng.multinomial(alike, shares) + rng.multinomial(apart, shares))

    shares = {name: hits(np.clip(usual * swing + worse.get(name, 0.0), 0.0, 1.0)) for name, usual in USUAL.items()}
    buckets, pillars = kinds(_confidences(0.0)), kinds(np.array(list(PILLARS.values())))
    if "confidence" in worse:
        buckets = _where(worse["confidence"], buckets, kinds(_confidences(float(worse["confidence"].max()))))
    if "drift" in worse:
        pillars = _where(worse["drift"], pillars, kinds(_drifted(float(worse["drift"].max()))))
    return Arm(batches * scenario.batch, shares, buckets, pillars)


def _where(amount: Floats, usual: Ints, other: Ints) -> Ints:
    return np.where((np.asarray(amount) != 0)[:, None], other, usual)


@cache
def _confidences(fall: float) -> Floats:
    """Shares of the buckets, with the mean *fall* below the usual one: measured in bucket middles, exactly so."""
    low, high = MEAN_CONFIDENCE - fall - 0.1, MEAN_CONFIDENCE - fall + 0.1
    wanted = MIDDLES @ _bucketed(MEAN_CONFIDENCE) - fall
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if MIDDLES @ _bucketed(middle) < wanted else (low, middle)
    return _bucketed(low)


def _bucketed(mean: float) -> Floats:
    edges = np.concatenate([[0.0], CONFIDENCE_EDGES])
    return np.asarray(np.diff(beta.cdf(edges, SHARPNESS * mean, SHARPNESS * (1 - mean))), dtype=np.float64)


@cache
def _drifted(amount: float) -> Floats:
    """*amount* of the answers moves from the first pillar to the second."""
    shares = np.array(list(PILLARS.values()))
    shares[0] -= amount
    shares[1] += amount
    return shares
