"""Whole simulated rollouts, with a look every minute, keep the configured error rates."""

import numpy as np
import pytest
from scipy.stats import binomtest

from functions.promote.judging import judge
from functions.promote.measures import SHARES, Counts, Golden
from functions.promote.rules import Rules
from functions.promote.steps import FULL
from tests.performance.canary_gates import Sequential
from tests.performance.canary_simulation import Outcome, simulate
from tests.performance.canary_traffic import PILLARS, Arm, Scenario, minute

ROLLOUTS = 400


def run(scenario: Scenario) -> Outcome:
    return simulate(scenario, Sequential(scenario.rules), scenario.rules, ROLLOUTS, seed=1)


def at_most(wrong: int, rate: float) -> bool:
    return bool(binomtest(wrong, ROLLOUTS).proportion_ci(0.95, method="exact").high <= rate)


@pytest.mark.parametrize("yesterday", [None, 0.1])
def test_a_canary_that_is_the_same_is_promoted_and_hardly_ever_rolled_back(yesterday: float | None) -> None:
    found = run(Scenario(name="identical", yesterday=yesterday))
    assert at_most(int(found.false_rollback.sum()), Rules().false_rollback)
    assert (found.percent == FULL).mean() > 0.95


@pytest.mark.parametrize("measure", ["errors", "confidence"])
def test_a_canary_at_the_margin_hardly_ever_gets_more_calls(measure: str) -> None:
    """Everything below the margin is tolerated, so that no rollback comes before a false step."""
    worse = {"errors": 0.01, "confidence": 0.02}[measure]
    scenario = Scenario.model_validate({"name": "margin", "worse": {measure: worse}, "tolerant": True, "hours": 0.4})
    found = run(scenario)
    assert at_most(int(found.false_step.sum()), Rules().false_promotion)


def test_a_canary_that_breaks_is_rolled_back_within_two_looks() -> None:
    found = run(Scenario(name="broken", worse={"errors": 0.3}, calls_per_minute=1_000))
    assert (found.percent == 0).all()
    assert np.quantile(found.minutes, 0.95) <= 2


def test_what_breaks_at_the_half_is_rolled_back_there() -> None:
    found = run(Scenario(name="late", worse={"errors": 0.05}, from_percent=50))
    assert (found.percent == 0).mean() > 0.99
    assert at_most(int(found.false_step.sum()), Rules().false_promotion)


@pytest.mark.parametrize(("slower", "decision"), [(0.0, "promote"), (0.04, "roll_back")])
def test_the_simulated_gate_decides_as_the_function_does(slower: float, decision: str) -> None:
    rng = np.random.default_rng(3)
    scenario = Scenario(name="some", worse={"slow": slower}, calls_per_minute=4_000)
    percent, since = np.array([5, 25, 50] * 4), np.repeat([1, 4, 8, 20], 3)
    stable = canary = Arm.empty(len(percent))
    for at in range(int(since.max())):
        more = minute(rng, scenario, percent, since, at)
        stable, canary = stable.plus(more[0].emptied(at >= since)), canary.plus(more[1].emptied(at >= since))
    found = Sequential(Rules())(stable.figures(), canary.figures(), since.astype(float), None)
    decided = np.where(found.back, "roll_back", np.where(found.up, "promote", "hold"))
    golden = Golden(gates_passed=Rules().gates)
    for row, (share, minutes) in enumerate(zip(percent.tolist(), since.tolist(), strict=True)):
        base, other = counted(stable, row), counted(canary, row)
        verdict = judge(base, other, golden, Rules(), percent=share, elapsed_seconds=60.0 * minutes)
        assert verdict.decision == decided[row]
    assert set(decided) == {decision, "hold"}


def counted(arm: Arm, row: int) -> Counts:
    """One row of *arm* as the function gets it."""
    pillars = dict(zip(PILLARS, arm.pillars[row].tolist(), strict=True))
    shares = {name: int(arm.shares[name][row]) for name in SHARES}
    return Counts.model_validate(
        {
            "calls": int(arm.calls[row]),
            "confidence": arm.buckets[row].cumsum().tolist(),
            "pillars": pillars,
            **shares,
        }
    )
