"""What each hour would have had by the baseline: a log-linear model of counts with the requests as exposure.

    log E[count] = log(requests) + a + two harmonics of the day + two of the week

It is fitted on the baseline alone by penalised Poisson likelihood (iteratively reweighted least squares: McCullagh and
Nelder, Generalized Linear Models, 1989, section 2.5). Poisson's scores give the right mean whatever the variance is;
the variance is taken from the residuals of windows as wide as those that are judged, so that hours that hang together
do not count as independent.
"""

from dataclasses import dataclass

import numpy as np

from .table import DAY, Array, Indexes, Table, blocks

FEW = 20
"""Below so many a baseline tells a rate, no daily pattern."""

_RIDGE, _ROUNDS, _PARAMETERS = 2.0, 30, 9
"""The penalty draws the harmonics of rare labels to none; Newton's method needs a handful of rounds."""


@dataclass(frozen=True)
class Expected:
    """``mean`` (series x hours); ``observed`` beside it; ``uncertainty`` is the relative variance of the fit."""

    observed: Array
    mean: Array
    split: int
    uncertainty: Array

    def spread(self, width: int) -> Array:
        """The over-dispersion a of sums over *width* hours, variance = mean + a·mean², by moments.

        One standard error is added: a tail far out hangs on it, and too small an estimate would cry wolf.
        """
        seen, _ = blocks(self.observed, self.split, width)
        mean, _ = blocks(self.mean, self.split, width)
        n = seen.shape[-1]
        square, extra = (mean**2).sum(-1), ((seen - mean) ** 2 * n / max(n - 5, 1) - mean).sum(-1)
        found = np.divide(extra, square, out=np.zeros_like(extra), where=square > 0)
        return np.asarray(np.maximum(found, 0) * (1 + np.sqrt(2 / n)))

    def variance(self, mean: Array, width: int) -> Array:
        """The variance of what is counted where *mean* is expected over *width* hours (series x windows)."""
        relative = (self.spread(width) + self.uncertainty)[:, None]
        return np.asarray(mean + relative * mean**2)


def expect(table: Table, *, traffic: bool = False) -> Expected:
    """Fit the baseline; with *traffic* the requests themselves are one more series, the last."""
    counts, exposure = _series(table, traffic=traffic)
    mean = _mean(table, counts, exposure, np.arange(table.split))
    total = counts[:, : table.split].sum(1)
    fitted = Expected(counts, mean, table.split, np.zeros(len(counts)))
    parameters, days = np.where(total >= FEW, 5, 1), max(table.split / DAY, 1)
    uncertainty = 1 / np.maximum(total, 0.5) + fitted.spread(DAY) * parameters / days
    return Expected(counts, mean, table.split, uncertainty)


def without_itself(table: Table, parts: int = 4) -> Array:
    """The mean of each baseline hour by a fit that has not seen its part of the baseline, traffic included.

    How far the baseline itself strays from this is how far a later span may stray, not less as from a fit to itself.
    """
    counts, exposure = _series(table, traffic=True)
    part = np.arange(table.split) * parts // table.split
    mean = np.zeros((len(counts), table.split))
    for one in range(parts):
        mean[:, part == one] = _mean(table, counts, exposure, np.flatnonzero(part != one))[:, : table.split][
            :, part == one
        ]
    return mean


def _series(table: Table, *, traffic: bool) -> tuple[Array, Array]:
    """Counts and exposures; that of the requests is one in every hour that had any."""
    counts, exposure = table.counts, np.broadcast_to(table.requests, table.counts.shape)
    if not traffic:
        return counts, np.asarray(exposure)
    there = np.where(table.requests > 0, 1.0, 0.0)
    return np.vstack([counts, table.requests]), np.vstack([exposure, there])


def _mean(table: Table, counts: Array, exposure: Array, hours: Indexes) -> Array:
    """What every hour should have by a fit to *hours*."""
    total = counts[:, hours].sum(1)
    start = np.where(total > 0, total, 0.5) / np.maximum(exposure[:, hours].sum(1), 1e-12)
    mean = exposure * start[:, None]
    rich = total >= FEW
    if rich.any():
        design = _design(table)
        found = _fit(counts[rich][:, hours], exposure[rich][:, hours], design[hours], np.log(start[rich]))
        mean[rich] = exposure[rich] * np.exp(np.clip(found @ design.T, -30, 30))
    return np.asarray(mean)


def _design(table: Table) -> Array:
    """Columns of the intercept and the harmonics, in hours since the week began."""
    hour = table.start.weekday() * 24 + table.start.hour + np.arange(table.hours)
    turns = [2 * np.pi * hour * k / length for length in (24, 168) for k in (1, 2)]
    return np.column_stack([np.ones(table.hours), *(wave(turn) for turn in turns for wave in (np.cos, np.sin))])


def _fit(counts: Array, exposure: Array, design: Array, intercept: Array) -> Array:
    penalty = np.diag([0.0] + [_RIDGE] * (_PARAMETERS - 1))
    found = np.zeros((len(counts), _PARAMETERS))
    found[:, 0] = intercept
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    for _ in range(_ROUNDS):
        mean = exposure * np.exp(np.clip(found @ design.T, -30, 30))
        slope = (counts - mean) @ design - found @ penalty
        curve = (mean @ products).reshape(-1, _PARAMETERS, _PARAMETERS) + penalty + 1e-9 * np.eye(_PARAMETERS)
        step = np.clip(np.linalg.solve(curve, slope[:, :, None])[:, :, 0], -1, 1)
        found += step
        if np.abs(step).max() < 1e-8:
            break
    return found
