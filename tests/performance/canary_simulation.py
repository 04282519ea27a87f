"""How often the canary gate is wrong, and how long it takes: whole rollouts, a look every minute, against others.

A false step gives the canary more calls in a step in which it is worse by a margin; a false rollback takes them while
nothing is worse. Shares stand with their exact 95 % intervals (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934).

usage: PYTHONPATH=.:shared .venv/bin/python -m tests.performance.canary_simulation [--rollouts 5000] [--seed 1]
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from functions.promote.rules import Rules
from functions.promote.steps import FULL, STEPS
from tests.performance.canary_gates import EachMinute, Gate, Repeated, Sequential, Thresholds
from tests.performance.canary_traffic import Arm, Ints, Scenario, minute, yesterday

CHUNK = 1_000  # rollouts that share one draw of yesterday's figures
NEXT = np.array([next((step for step in STEPS if step > percent), FULL) for percent in range(FULL + 1)])

GATES: Mapping[str, Callable[[Rules], Gate]] = {
    "sequential": Sequential,
    "z tests, same rates": Repeated,
    "thresholds": Thresholds,
    "p < 0.05": EachMinute,
}

SLOWLY = {"calls_per_minute": 300, "hours": 8.0}
ALIKE = {"batch": 10, "together": 0.3, "hours": 4.0}
TOLERANT = {"tolerant": True, "hours": 1.0}

SCENARIOS = (
    Scenario(name="identical", compared=True),
    Scenario(name="identical, yesterday unknown", yesterday=None),
    Scenario(name="identical, yesterday half off", yesterday=0.5),
    Scenario(name="identical, 300 calls a minute", compared=True, **SLOWLY),
    Scenario(name="identical, 300 calls, yesterday unknown", yesterday=None, **SLOWLY),
    Scenario(name="identical, 300 calls, shares swing by half", swing=0.5, **SLOWLY),
    Scenario(name="identical, 30 calls a minute", calls_per_minute=30, hours=8),
    Scenario(name="better", worse={"errors": -0.001, "slow": -0.02, "unsure": -0.05, "confidence": -0.03}),
    Scenario(name="errors at the margin, +1 point", worse={"errors": 0.01}, compared=True),
    Scenario(name="slow at the margin, +3 points", worse={"slow": 0.03}, compared=True),
    Scenario(name="confidence at the margin, -0.02", worse={"confidence": 0.02}),
    Scenario(name="drift at the margin, 10 points", worse={"drift": 0.1}),
    Scenario(name="errors at the margin, less tolerated", worse={"errors": 0.01}, compared=True, **TOLERANT),
    Scenario(name="slow at the margin, less tolerated", worse={"slow": 0.03}, compared=True, **TOLERANT),
    Scenario(name="confidence at the margin, less tolerated", worse={"confidence": 0.02}, **TOLERANT),
    Scenario(name="drift at the margin, less tolerated", worse={"drift": 0.1}, **TOLERANT),
    Scenario(name="half a margin: slow +1.5 points", worse={"slow": 0.015}),
    Scenario(name="errors +5 points", worse={"errors": 0.05}),
    Scenario(name="errors +30 points", worse={"errors": 0.3}),
    Scenario(name="errors +30 points, 300 calls", worse={"errors": 0.3}, **SLOWLY),
    Scenario(name="slow +10 points", worse={"slow": 0.1}),
    Scenario(name="invalid +2 points", worse={"invalid": 0.02}),
    Scenario(name="fallbacks +5 points", worse={"fallbacks": 0.05}),
    Scenario(name="unsure +10 points", worse={"unsure": 0.1}),
    Scenario(name="confidence -0.1", worse={"confidence": 0.1}),
    Scenario(name="drift 25 points", worse={"drift": 0.25}),
    Scenario(name="errors +5 points from the 50 % step on", worse={"errors": 0.05}, from_percent=50, compared=True),
    Scenario(name="errors +1 point from the 50 % step on", worse={"errors": 0.01}, from_percent=50, compared=True),
    Scenario(name="errors +5 points from minute 4 at 50 %", worse={"errors": 0.05}, from_percent=50, from_minute=4),
    Scenario(name="errors +1 point from minute 4 at 50 %", worse={"errors": 0.01}, from_percent=50, from_minute=4),
    Scenario(name="batches of 10, 3 in 10 alike", compared=True, **ALIKE),
    Scenario(name="batches alike, taken as 4 dependent calls", dependent_calls=4, **ALIKE),
    Scenario(name="batches alike, taken as 10", dependent_calls=10, **ALIKE),
    Scenario(name="batches alike, slow at the margin", worse={"slow": 0.03}, **ALIKE),
    Scenario(name="batches alike, slow at the margin, taken as 10", worse={"slow": 0.03}, dependent_calls=10, **ALIKE),
)


class Outcome(NamedTuple):
    """Of each rollout: how it ended, and what it took until then, over all steps."""

    percent: Ints  # 100 promoted, 0 rolled back, else held there
    false_step: NDArray[np.bool_]
    false_rollback: NDArray[np.bool_]
    minutes: Ints
    calls: Ints


def simulate(scenario: Scenario, gate: Gate, rules: Rules, rollouts: int, seed: int) -> Outcome:
    """Run *rollouts* rollouts to their end, or to the scenario's limit of one step."""
    sizes = [min(CHUNK, rollouts - begun) for begun in range(0, rollouts, CHUNK)]
    parts = [_chunk(scenario, gate, rules, size, np.random.default_rng([seed, at])) for at, size in enumerate(sizes)]
    return Outcome(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _chunk(scenario: Scenario, gate: Gate, rules: Rules, rollouts: int, rng: np.random.Generator) -> Outcome:
    before = None if scenario.yesterday is None else yesterday(rng, scenario.yesterday)
    stable = canary = Arm.empty(rollouts)
    percent, since = np.full(rollouts, STEPS[0]), np.zeros(rollouts, np.int64)
    alive = np.arange(rollouts)
    ended, minutes, calls = percent.copy(), since.copy(), since.copy()
    false_step, false_rollback = np.zeros(rollouts, bool), np.zeros(rollouts, bool)
    clock = int(rng.integers(240))
    while len(alive):
        clock += 1
        since = since + 1
        more = minute(rng, scenario, percent, since, clock)
        stable, canary = stable.plus(more[0]), canary.plus(more[1])
        minutes[alive] += 1
        calls[alive] += more[1].calls
        back, up = gate(stable.figures(), canary.figures(), since.astype(float), before)
        begun = scenario.begun(percent, since)
        false_step[alive] |= up & begun & scenario.regressed
        false_rollback[alive] |= back & ~(begun & scenario.harmful)
        percent = np.where(back, 0, np.where(up, NEXT[percent], percent))
        since = np.where(up, 0, since)
        stable, canary = stable.emptied(up), canary.emptied(up)
        ended[alive] = percent
        on = (percent > 0) & (percent < FULL) & (since < scenario.hours * 60)
        alive, percent, since, stable, canary = alive[on], percent[on], since[on], stable.kept(on), canary.kept(on)
    return Outcome(ended, false_step, false_rollback, minutes, calls)


def lines(rollouts: int, seed: int) -> Iterator[str]:
    yield "| scenario | gate | promoted | held | rolled back | false step | false rollback | minutes | canary calls |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for scenario in SCENARIOS:
        for name, gate in GATES.items() if scenario.compared else [("sequential", Sequential)]:
            yield _line(scenario, name, simulate(scenario, gate(scenario.rules), scenario.rules, rollouts, seed))


def _line(scenario: Scenario, gate: str, found: Outcome) -> str:
    ends = [found.percent == FULL, (found.percent > 0) & (found.percent < FULL), found.percent == 0]
    wrong = [
        share(found.false_step) if scenario.regressed else "–",
        "–" if scenario.harmful and not scenario.from_percent else share(found.false_rollback),
    ]
    medians = f"{np.median(found.minutes):,.0f} | {np.median(found.calls):,.0f}"
    return (
        " | ".join([f"| {scenario.name}", gate, *(f"{100 * end.mean():.1f} %" for end in ends), *wrong, medians]) + " |"
    )


def share(wrong: NDArray[np.bool_]) -> str:
    found = binomtest(int(wrong.sum()), len(wrong)).proportion_ci(method="exact")
    return f"{100 * wrong.mean():.2f} % ({100 * found.low:.2f}–{100 * found.high:.2f})"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rollouts", type=int, default=5_000)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    rules, began = Rules(), time.perf_counter()
    print(f"configured: false steps at most {rules.false_promotion:.0%}, false rollbacks {rules.false_rollback:.0%}")
    print(f"{options.rollouts} rollouts a line, seed {options.seed}\n")
    for line in lines(options.rollouts, options.seed):
        print(line, flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
