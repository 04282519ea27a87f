"""Bursts: one hour to one day in the period with far more than expected, whatever the period's own level is.

Windows of several widths slide over the period (a scan statistic: Kulldorff, 1997). What a window has is judged by a
negative binomial tail whose variance comes from windows of the same width in the baseline. The least p value times the
number of windows is the series' (Bonferroni).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .expecting import Expected
from .found import LEVEL, Found, Searched, corrected
from .table import DAY, Array, Indexes, Table

WIDTHS = (1, 3, 6, 12, 24)
MIN_BASELINE, MIN_SEEN = 5, 5
MAX_EACH = 3
"""Bursts told of one series."""

_LEVEL_DAYS = 3
"""Fewer days have no level of their own: the middle one of two could be the burst."""


@dataclass(frozen=True)
class _Windows:
    """Side by side for all widths: first hour, width, and (series x windows) counts, means, variances."""

    first: Indexes
    width: Indexes
    seen: Array
    mean: Array
    variance: Array


def bursts(table: Table, expected: Expected, cuts: Mapping[int, int]) -> Searched:
    kept = np.flatnonzero(table.counts[:, : table.split].sum(1) >= MIN_BASELINE)
    if not kept.size:
        return Searched()
    level = np.stack([_level(table, expected, int(row), cuts.get(int(row))) for row in kept])
    windows = _windows(table, expected, kept, level)
    tail = _tail(windows)
    tests = tail.shape[1]
    p = np.minimum(1.0, tail.min(1) * tests)
    q = corrected(p)
    accepted = p[q <= LEVEL].max(initial=0.0)
    found = [
        _found(table, int(kept[i]), windows, i, w, p=min(1.0, float(tail[i, w]) * tests), q=float(q[i]))
        for i in map(int, np.flatnonzero(q <= LEVEL))
        for w in _apart(tail[i], windows, accepted / tests)
    ]
    return Searched(tuple(found), frozenset(table.names[row] for row in kept))


def _level(table: Table, expected: Expected, row: int, cut: int | None) -> Array:
    """How much above the baseline the days of the period are anyway (their median), on each side of a change."""
    level = np.ones(table.hours - table.split)
    middle = [] if cut is None or not table.split < cut < table.hours else [cut]
    edges = [table.split, *middle, table.hours]
    for first, last in pairwise(edges):
        days = (last - first) // DAY
        if days >= _LEVEL_DAYS:
            part = slice(first, first + days * DAY)
            seen = table.counts[row, part].reshape(days, DAY).sum(1)
            mean = expected.mean[row, part].reshape(days, DAY).sum(1)
            ratio = np.divide(seen, mean, out=np.ones_like(seen), where=mean > 0)
            level[first - table.split : last - table.split] = max(1.0, float(np.median(ratio)))
    return level


def _windows(table: Table, expected: Expected, kept: Indexes, level: Array) -> _Windows:
    seen, mean = table.counts[kept][:, table.split :], expected.mean[kept][:, table.split :] * level
    total = [np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0))) for values in (seen, mean)]
    parts = []
    for width in (width for width in WIDTHS if width <= seen.shape[1]):
        first = np.arange(0, seen.shape[1] - width + 1, max(1, width // 3))
        had, due = (sums[:, first + width] - sums[:, first] for sums in total)
        relative = (expected.spread(width) + expected.uncertainty)[kept]
        variance = due + relative[:, None] * due**2
        parts.append((first, np.full(first.size, width), had, due, variance))
    return _Windows(*(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)))


def _tail(windows: _Windows) -> Array:
    """P(at least what was seen): negative binomial with the windows' mean and variance, Poisson where they agree."""
    from scipy import special

    mean = np.maximum(windows.mean, 1e-9)
    extra = np.maximum(windows.variance - mean, 1e-9 * mean)
    size = mean**2 / extra
    # P(X >= k) is the regularised incomplete beta function of k, size (Johnson, Kotz and Kemp, 1992, section 5.6).
    tail = special.betainc(np.maximum(windows.seen, 1), size, mean / (size + mean))
    return np.where(windows.seen >= MIN_SEEN, tail, 1.0)


def _apart(tail: Array, windows: _Windows, bound: float) -> list[int]:
    """The windows at or below *bound*, the surest first, none over another and no two within a day."""
    taken: list[int] = []
    for w in np.lexsort((windows.first, tail)):
        if tail[w] > bound or len(taken) == MAX_EACH:
            break
        if all(_gap(windows, int(w), other) >= DAY // 2 for other in taken):
            taken.append(int(w))
    return taken


def _gap(windows: _Windows, one: int, other: int) -> float:
    starts = windows.first[[one, other]]
    ends = starts + windows.width[[one, other]]
    return float(starts.max() - ends.min())


def _found(table: Table, row: int, windows: _Windows, i: int, w: int, *, p: float, q: float) -> Found:
    from scipy import stats

    seen, mean = float(windows.seen[i, w]), float(windows.mean[i, w])
    # Exact for Poisson counts (Garwood, 1936), of the count as it is worth after over-dispersion.
    phi = max(1.0, float(windows.variance[i, w]) / max(mean, 1e-9))
    low = float(stats.gamma.ppf(0.025, seen / phi)) * phi / mean
    high = float(stats.gamma.ppf(0.975, seen / phi + 1)) * phi / mean
    first = table.split + int(windows.first[w])
    return Found(
        kind="temporal",
        effect="burst-rate-ratio",
        names=(table.names[row],),
        period=table.between(first, first + int(windows.width[w])),
        size=seen / mean,
        low=min(low, seen / mean),
        high=max(high, seen / mean),
        p=p,
        q=q,
        observed=seen,
        expected=mean,
    )
