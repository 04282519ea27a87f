"""Anomalies: a quarter of a day in which the tenant's labels together look like none before.

Each series' count becomes a normal score of its negative binomial tail (mid-p, both tails), the volume of requests one
more. Their squares are summed (a deviance vector); how great such sums are, with all that hangs together, is learned
from the baseline: cube roots of sums of squares are nearly normal (Wilson and Hilferty, 1931), so their median and
median absolute deviation give the p value of each quarter of the period by Student's t.
"""

import numpy as np

from .expecting import Expected, without_itself
from .found import LEVEL, Found, Searched, corrected
from .table import Array, Name, Table, blocks

WIDTH = 6
MAX_SERIES = 50
MIN_BLOCK_MEAN = 0.5
TOLD = 3
"""Series named with an anomaly: those that deviate most."""

_FARTHEST = 8.0
"""A score is cut here, so that one series alone weighs at most so much."""


def anomalies(table: Table, expected: Expected) -> Searched:
    """*expected* has the requests as its last series."""
    names = (*table.names, Name())
    _, mean1 = blocks(expected.mean, table.split, WIDTH)
    mean0, _ = blocks(without_itself(table), table.split, WIDTH)
    seen0, seen1 = blocks(expected.observed, table.split, WIDTH)
    common = np.flatnonzero(mean0.mean(1) >= MIN_BLOCK_MEAN)
    rows = np.array(sorted(sorted(common, key=lambda row: (-mean0[row].mean(), row))[:MAX_SERIES]), dtype=int)
    if rows.size < 2 or not seen1.shape[1]:
        return Searched()
    usual, now = (
        _scores(seen[rows], mean[rows], expected.variance(mean, WIDTH)[rows])
        for seen, mean in ((seen0, mean0), (seen1, mean1))
    )
    sums0, sums1 = (usual**2).sum(0), (now**2).sum(0)
    p, low, high = _judged(sums0, sums1)
    q = corrected(p)
    found = []
    for at in np.flatnonzero(q <= LEVEL):
        worst = np.lexsort((rows, -np.abs(now[:, at])))[:TOLD]
        first = table.split + int(at) * WIDTH
        found.append(
            Found(
                kind="anomaly",
                effect="deviance-ratio",
                names=tuple(names[rows[i]] for i in worst),
                period=table.between(first, first + WIDTH),
                size=float(sums1[at] / np.median(sums0)),
                low=float(sums1[at] / high),
                high=float(sums1[at] / low),
                p=float(p[at]),
                q=float(q[at]),
                observed=float(seen1[rows[worst[0]], at]),
                expected=float(mean1[rows[worst[0]], at]),
            )
        )
    return Searched(tuple(found), frozenset(names[row] for row in rows if names[row].labels or names[row].detectors))


def _scores(seen: Array, mean: Array, variance: Array) -> Array:
    from scipy import stats

    mean = np.maximum(mean, 1e-6)
    extra = np.maximum(variance - mean, 1e-6 * mean)
    size = mean**2 / extra
    chance = size / (size + mean)
    less, exact = stats.nbinom.cdf(seen - 1, size, chance), stats.nbinom.pmf(seen, size, chance)
    # The upper tail by its own function: one minus a number close to one has no digits left.
    above = stats.nbinom.sf(seen, size, chance) + exact / 2
    below = less + exact / 2
    scores = np.where(
        below < above, stats.norm.ppf(np.maximum(below, 1e-300)), stats.norm.isf(np.maximum(above, 1e-300))
    )
    return np.asarray(np.clip(scores, -_FARTHEST, _FARTHEST))


def _judged(usual: Array, now: Array) -> tuple[Array, float, float]:
    """p values of *now*, and between which sums 95 % of the usual ones lie."""
    from scipy import stats

    roots = np.cbrt(usual)
    centre = float(np.median(roots))
    spread = 1.4826 * float(np.median(np.abs(roots - centre)))
    # The sum of n squares of independent normals: what hangs together spreads more, never less.
    spread = max(spread, float(np.std(roots)) * 0.8, 1e-9) * float(np.sqrt(1 + 1 / usual.size))
    freedom = usual.size - 1
    reach = float(stats.t.ppf(0.975, freedom)) * spread
    low, high = max(centre - reach, 0.1 * centre) ** 3, (centre + reach) ** 3
    return np.asarray(stats.t.sf((np.cbrt(now) - centre) / spread, freedom)), low, high
