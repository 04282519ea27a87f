"""Planted patterns: what each method of functions/analyze/patterns finds, and what it makes up.

    PYTHONPATH=.:shared .venv/bin/python -m tests.performance.patterns --worlds 4 --clean 20

Each world is 200 labels over 28 + 7 days (tests/fakes/seasonal_counts.py) with ten plants of one kind and one size.
A naive rule, three standard deviations from the baseline, judges the same counts.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from functions.analyze.patterns.search import search
from functions.analyze.patterns.table import table_of
from llama_mapper.contracts.patterns import PatternFinding, PatternKind, PatternsRequest
from tests.fakes.seasonal_counts import PERIOD_START, Array, World, latent
from tests.performance import patterns_naive as naive

PLANTS = 10
Key = tuple[str, ...]


@dataclass
class Score:
    """Plants, those found, and findings that are of none."""

    planted: int = 0
    hit: int = 0
    false: int = 0

    def add(self, planted: set[Key], found: Iterable[Key]) -> None:
        told = set(found)
        self.planted += len(planted)
        self.hit += len(planted & told)
        self.false += len(told - planted)

    def __str__(self) -> str:
        told = self.hit + self.false
        precision = f"{self.hit / told:.2f}" if told else "–"
        return f"{precision} | {self.hit / max(self.planted, 1):.2f}"


@dataclass(frozen=True)
class Trial:
    """*plant* puts one size into a world and says what must be found; *sizes* are factors, or spreads of a lag."""

    effect: str
    kind: PatternKind
    sizes: tuple[float, ...]
    plant: Callable[[World, float], set[Key]]
    naive: Callable[[World], set[Key]]
    scores: dict[float, tuple[Score, Score]] = field(default_factory=dict)


def keys(world: World, effect: str, found: Iterable[PatternFinding]) -> set[Key]:
    """What a finding is about: its labels, or the quarter of a day for anomalies."""
    told = [one for one in found if one.effect == effect]
    if effect == "deviance-ratio":
        return {(str(int((one.period.start - PERIOD_START) / timedelta(hours=6))),) for one in told}
    return {tuple(sorted(one.labels)) for one in told if one.labels}


def _rows(world: World, among: int = 120) -> list[int]:
    return sorted(np.random.default_rng([world.seed, 3]).choice(among, PLANTS, replace=False).tolist())


def burst(world: World, size: float) -> set[Key]:
    for row in _rows(world):
        world.plant(row, 80, 86, size)
    return {(world.label(row),) for row in _rows(world)}


def change(world: World, size: float) -> set[Key]:
    for row in _rows(world):
        world.plant(row, 72, world.period * 24, size)
    return {(world.label(row),) for row in _rows(world)}


def rate(world: World, size: float) -> set[Key]:
    for row in _rows(world):
        world.plant(row, 0, world.period * 24, size)
    return {(world.label(row),) for row in _rows(world)}


def lag(world: World, size: float) -> set[Key]:
    rows = _rows(world, 40)
    linked: dict[int, Array] = {}
    for n, (leads, follows) in enumerate(zip(rows[::2], rows[1::2], strict=True)):
        common = latent(world.seed * 100 + n, world.hours, size)
        linked |= {leads: common, follows: np.roll(common, 3)}
    world.shared = linked
    return {(world.label(a), world.label(b)) for a, b in zip(rows[::2], rows[1::2], strict=True)}


def lift(world: World, size: float) -> set[Key]:
    rows = _rows(world, 40)
    world.lifted = dict.fromkeys(zip(rows[::2], rows[1::2], strict=True), size)
    return {(world.label(a), world.label(b)) for a, b in world.lifted}


def anomaly(world: World, size: float) -> set[Key]:
    """One quarter of a day in which a fifth of the fifty commonest labels come *size* times as often."""
    for row in _rows(world, 50):
        world.plant(row, 60, 66, size)
    return {("10",)}


def trials() -> tuple[Trial, ...]:
    return (
        Trial("burst-rate-ratio", "temporal", (1.5, 2.0, 3.0, 5.0), burst, naive.bursts),
        Trial("change-rate-ratio", "temporal", (1.2, 1.5, 2.0, 3.0), change, naive.changes),
        Trial("rate-ratio", "frequency", (1.2, 1.5, 2.0, 3.0), rate, naive.rates),
        Trial("lag-correlation", "correlation", (0.2, 0.4, 0.8), lag, naive.lags),
        Trial("lift", "correlation", (1.2, 1.5, 2.0, 3.0), lift, naive.lifts),
        Trial("deviance-ratio", "anomaly", (1.2, 1.5, 2.0, 3.0), anomaly, naive.anomalies),
    )


def run(trial: Trial, worlds: int) -> None:
    for size in trial.sizes:
        ours, theirs = trial.scores.setdefault(size, (Score(), Score()))
        for seed in range(worlds):
            world = World(1000 + seed)
            planted = trial.plant(world, size)
            answer = search(PatternsRequest(period=world.span, kinds=(trial.kind,)), world.evidence())
            ours.add(planted, keys(world, trial.effect, answer.patterns))
            theirs.add(planted, trial.naive(world))
        print(f"| {trial.effect} | {size} | {ours} | {theirs} |", flush=True)


def clean(worlds: int) -> None:
    """False alarms of each method where nothing is planted; a season of one's own is no false alarm."""
    known = trials()
    ours: dict[str, list[int]] = {trial.effect: [] for trial in known}
    theirs: dict[str, list[int]] = {trial.effect: [] for trial in known}
    seasons, flat = [], World(0).series
    for seed in range(worlds):
        world = World(5000 + seed)
        answer = search(PatternsRequest(period=world.span), world.evidence())
        for trial in known:
            ours[trial.effect].append(len(keys(world, trial.effect, answer.patterns)))
            theirs[trial.effect].append(len(trial.naive(world)))
        level = World(7000 + seed, season=0.0)
        told = search(PatternsRequest(period=level.span, kinds=("temporal",)), level.evidence()).patterns
        seasons.append(sum("seasonal" in one.effect for one in told))
    ours["…-seasonal-strength (no season)"] = seasons
    for effect, counts in ours.items():
        any_share = np.mean(np.array(counts) > 0)
        rest = f"{np.mean(theirs[effect]) * 100 / flat:.2f}" if effect in theirs else "–"
        print(f"| {effect} | {np.mean(counts) * 100 / flat:.3f} | {any_share:.2f} | {rest} |", flush=True)


def cost() -> None:
    """Seconds and memory of 30 days, 200 series, after four weeks of baseline."""
    world = World(1, period=30)
    evidence, request = world.evidence(), PatternsRequest(period=world.span)
    table_of(evidence.sources, PERIOD_START)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    answer = search(request, evidence)
    first = time.perf_counter() - wall, time.process_time() - cpu
    wall, cpu = time.perf_counter(), time.process_time()
    search(request, evidence)
    again = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"30 days x {world.series} series; {answer.series_tested} series tested, kinds of pairs counted apart")
    print(f"first {first[0]:.1f} s ({first[1]:.1f} s CPU), again {again[0]:.1f} s ({again[1]:.1f} s CPU)")
    print(f"peak {peak / 1024:.0f} MiB, {(peak - before) / 1024:.0f} more than with the counts alone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--clean", type=int, default=20)
    given = parser.parse_args()
    cost()
    print("| effect | size | precision | recall | naive precision | naive recall |\n|---|---|---|---|---|---|")
    for trial in trials():
        run(trial, given.worlds)
    print("| effect | false alarms per 100 series | worlds with any | naive, per 100 series |\n|---|---|---|---|")
    clean(given.clean)


if __name__ == "__main__":
    main()
