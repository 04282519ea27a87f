"""Lead and lag: a label whose rises and falls come some hours after another's.

The cross-correlation of what the model of the baseline does not explain, hour by hour: normal scores of standardised
residuals without their daily drift, so that a single burst cannot make a correlation. Turning one series around the
other by more than a day breaks any link and keeps both series' own memory; the correlations at those turns are what
chance gives, and a normal tail with their spread is the p value (a circular-shift test). The best lag is paid for with
the number of lags (Bonferroni), the pairs share series and are corrected by Benjamini and Yekutieli.
"""

import numpy as np

from .expecting import Expected
from .found import LEVEL, Found, Searched, corrected
from .table import DAY, Array, Table

MAX_LAG = 12
MAX_SERIES = 40
"""The most frequent ones; pairs grow with the square."""

MIN_MEAN = 0.3
"""Counts an hour. Rarer labels are nearly all zeros."""

MIN_HOURS = 10 * DAY
_DRIFT = 25


def lags(table: Table, expected: Expected) -> Searched:
    total = table.counts.sum(1)
    common = np.flatnonzero((total >= MIN_MEAN * table.hours) & (table.counts.std(1) > 0))
    # Ties by the name, which is the row's place.
    rows = sorted(sorted(map(int, common), key=lambda row: (-total[row], row))[:MAX_SERIES])
    if table.hours < MIN_HOURS or len(rows) < 2:
        return Searched()
    scores = _scores(table, expected, rows)
    first, second = np.triu_indices(len(rows), k=1)
    turned = np.fft.rfft(scores, axis=1)
    crossed = np.fft.irfft(np.conj(turned[first]) * turned[second], n=table.hours, axis=1) / table.hours
    best, size, spread = _best(crossed)
    from scipy import stats

    p = np.where(best == 0, 1.0, np.minimum(1.0, 2 * stats.norm.sf(np.abs(size) / spread) * (2 * MAX_LAG + 1)))
    q = corrected(p, dependent=True)
    found = []
    for i in np.flatnonzero(q <= LEVEL):
        leads, follows = (int(rows[first[i]]), int(rows[second[i]]))
        if best[i] < 0:
            leads, follows = follows, leads
        low, high = (float(np.tanh(np.arctanh(size[i]) + k * 1.96 * spread[i])) for k in (-1, 1))
        found.append(
            Found(
                kind="correlation",
                effect="lag-correlation",
                names=(table.names[leads], table.names[follows]),
                period=table.between(0, table.hours),
                size=float(size[i]),
                low=low,
                high=high,
                p=float(p[i]),
                q=float(q[i]),
                lag=abs(int(best[i])),
            )
        )
    return Searched(tuple(found), frozenset(table.names[row] for row in rows))


def _scores(table: Table, expected: Expected, rows: list[int]) -> Array:
    """Normal scores of the residuals, each series with mean 0 and variance 1."""
    from scipy import ndimage, stats

    seen, mean = table.counts[rows], np.maximum(expected.mean[rows], 1e-9)
    spread = expected.spread(1)[rows][:, None]
    rest = np.where(table.requests > 0, (seen - mean) / np.sqrt(mean + spread * mean**2), 0.0)
    rest -= ndimage.uniform_filter1d(rest, _DRIFT, axis=1, mode="nearest")
    ranks = stats.rankdata(rest.round(9), axis=1)
    scores = stats.norm.ppf((ranks - 0.5) / table.hours)
    scores -= scores.mean(1, keepdims=True)
    return np.asarray(scores / np.maximum(scores.std(1, keepdims=True), 1e-12))


def _best(crossed: Array) -> tuple[Array, Array, Array]:
    """The lag of greatest correlation (positive: the second series follows), it, and the spread of chance."""
    hours = crossed.shape[1]
    around = np.arange(-MAX_LAG, MAX_LAG + 1)
    near = crossed[:, around % hours]
    far = crossed[:, DAY + 1 : hours - DAY]
    spread = np.maximum(far.std(axis=1), 1 / np.sqrt(hours))
    at = np.abs(near.round(12)).argmax(axis=1)
    return around[at], np.clip(near[np.arange(len(near)), at], -0.999999, 0.999999), spread
