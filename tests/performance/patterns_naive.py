"""What a dashboard's alert would say of the same counts: three standard deviations from the baseline's mean."""

from itertools import combinations
from typing import Any

import numpy as np

from tests.fakes.seasonal_counts import Array, World

LIMIT = 3.0
Key = tuple[str, ...]


def _z(values: Array, baseline: Array) -> Array:
    spread = np.maximum(baseline.std(1, keepdims=True), 1e-9)
    return np.asarray((values - baseline.mean(1, keepdims=True)) / spread)


def _daily(world: World) -> tuple[Array, Array]:
    counts = world.counts()[1].reshape(world.series, -1, 24).sum(2)
    return counts[:, : world.baseline], counts[:, world.baseline :]


def _labels(world: World, flagged: Any) -> set[Key]:
    return {(world.label(int(row)),) for row in np.flatnonzero(flagged)}


def bursts(world: World) -> set[Key]:
    counts = world.counts()[1]
    return _labels(world, (_z(counts[:, world.split :], counts[:, : world.split]) > LIMIT).any(1))


def changes(world: World) -> set[Key]:
    """A day of the period that is off."""
    baseline, period = _daily(world)
    return _labels(world, (np.abs(_z(period, baseline)) > LIMIT).any(1))


def rates(world: World) -> set[Key]:
    """The period's mean day, with the standard error that independent days would have."""
    baseline, period = _daily(world)
    z = _z(period.mean(1, keepdims=True), baseline)[:, 0] * np.sqrt(world.period)
    return _labels(world, np.abs(z) > LIMIT)


def lags(world: World) -> set[Key]:
    """Correlations of raw counts among the forty commonest, at any lag up to twelve hours but none."""
    counts = world.counts()[1][:40]
    scores = (counts - counts.mean(1, keepdims=True)) / np.maximum(counts.std(1, keepdims=True), 1e-9)
    found = set()
    for hours in range(1, 13):
        crossed = scores[:, hours:] @ scores[:, :-hours].T / world.hours
        for row, other in np.argwhere(np.abs(crossed) * np.sqrt(world.hours) > LIMIT):
            if row != other:
                found.add(tuple(sorted((str(world.label(int(row))), str(world.label(int(other)))))))
    return found


def lifts(world: World) -> set[Key]:
    """Meetings against those that rates over the whole period give."""
    evidence = world.evidence()
    met = {(pair.first, pair.second): pair.requests for pair in evidence.pairs[0][1].labels}
    requests, counts = world.counts()
    total = counts[:, world.split :].sum(1)
    found: set[Key] = set()
    for row, other in combinations(range(world.paired), 2):
        due = total[row] * total[other] / requests[world.split :].sum()
        if due and (met.get((world.label(row), world.label(other)), 0) - due) / np.sqrt(due) > LIMIT:
            found.add((str(world.label(row)), str(world.label(other))))
    return found


def anomalies(world: World) -> set[Key]:
    """A quarter of a day whose sum of all labels is off."""
    total = world.counts()[1].sum(0).reshape(-1, 6).sum(1)[None, :]
    split = world.split // 6
    z = _z(total[:, split:], total[:, :split])[0]
    return {(str(int(at)),) for at in np.flatnonzero(np.abs(z) > LIMIT)}
