"""Two rates compared, with over-dispersion taken from the days.

The variance of a sum is phi times Poisson's, phi by Pearson's statistic over days (quasi-Poisson: McCullagh and Nelder,
1989, section 6.2.3), and the logarithm of the ratio is judged by Student's t. Where counts are few, that is too sure:
the exact conditional test of two Poisson means (Przyborowski and Wilenski, 1940) is made too, and the greater p and the
wider interval of both stand.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from .table import Array


@dataclass(frozen=True)
class Sides:
    """*seen* and *mean* by day (series x days), and their totals where these hold more than whole days."""

    seen: Array
    mean: Array
    total: Array
    expected: Array


@dataclass(frozen=True)
class Compared:
    """Series by series; ``high`` is infinite where nothing was there before."""

    ratio: Array
    low: Array
    high: Array
    p: Array


def side(seen: Array, mean: Array, total: Array | None = None, expected: Array | None = None) -> Sides:
    return Sides(seen, mean, seen.sum(-1) if total is None else total, mean.sum(-1) if expected is None else expected)


def compare(before: Sides, after: Sides, level: float = 0.95) -> Compared:
    """The ratio of observed to expected *after* over that *before*."""
    from scipy import stats

    zero = before.total == 0
    rate = (before.total + 0.5 * zero) / np.maximum(before.expected, 1e-12)
    ratio = after.total / np.maximum(after.expected, 1e-12) / rate
    log, error, freedom = _logarithm(before, after)
    margin = stats.t.ppf(0.5 + level / 2, freedom) * error
    low, high = _bounds(before, after, level)
    return Compared(
        ratio=ratio,
        low=np.minimum(low, np.minimum(np.exp(log - margin), ratio)),
        high=np.maximum(high, np.maximum(np.exp(log + margin), ratio)),
        p=chance(before, after),
    )


def chance(before: Sides, after: Sides) -> Array:
    """The p value of *compare* alone, two-sided."""
    from scipy import stats

    log, error, freedom = _logarithm(before, after)
    share = _share(before, after)
    c1, n = after.total, after.total + before.total
    # The binomial's tails are incomplete beta functions; scipy.stats' checks around them take ten times as long.
    more = np.where(c1 > 0, special.betainc(np.maximum(c1, 1), n - c1 + 1, share), 1.0)
    less = np.where(c1 < n, special.betaincc(c1 + 1, np.maximum(n - c1, 1), share), 1.0)
    exact = 2 * np.minimum(more, less)
    return np.asarray(np.maximum(2 * stats.t.sf(np.abs(log) / error, freedom), np.minimum(exact, 1.0)))


def _logarithm(before: Sides, after: Sides) -> tuple[Array, Array, int]:
    """The ratio's logarithm, its standard error and the degrees of freedom of that."""
    freedom = max(before.seen.shape[-1] + after.seen.shape[-1] - 1 - (after.seen.shape[-1] > 1), 1)
    phi = np.maximum(1.0, (_pearson(before) + _pearson(after)) / freedom)
    half = 0.5 * ((before.total == 0) | (after.total == 0))
    c0, c1 = before.total + half + 1e-12, after.total + half + 1e-12
    log = np.log(c1 / np.maximum(after.expected, 1e-12)) - np.log(c0 / np.maximum(before.expected, 1e-12))
    return log, np.sqrt(phi * (1 / c1 + 1 / c0)), freedom


def _pearson(one: Sides) -> Array:
    """Pearson's statistic of the days around their own rate; one day alone says nothing."""
    if one.seen.shape[-1] < 2:
        return np.zeros(one.seen.shape[0])
    mean = one.mean.sum(-1)
    rate = np.divide(one.seen.sum(-1), mean, out=np.zeros_like(mean), where=mean > 0)
    fitted = one.mean * rate[:, None]
    return np.asarray(np.divide((one.seen - fitted) ** 2, fitted, out=np.zeros_like(fitted), where=fitted > 0).sum(-1))


def _share(before: Sides, after: Sides) -> Array:
    """Given their sum, the later count is binomial with this chance, if the rates are equal."""
    odds = after.expected / np.maximum(before.expected, 1e-12)
    return np.asarray(odds / (1 + odds))


def _bounds(before: Sides, after: Sides, level: float) -> tuple[Array, Array]:
    """Clopper and Pearson's interval of the binomial, as ratios."""
    odds = after.expected / np.maximum(before.expected, 1e-12)
    c1, n = after.total, after.total + before.total
    tail = (1 - level) / 2
    low = np.where(c1 > 0, special.betaincinv(np.maximum(c1, 1), n - c1 + 1, tail), 0.0)
    high = np.where(n > c1, special.betaincinv(c1 + 1, np.maximum(n - c1, 1), 1 - tail), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = [np.where(odds > 0, bound / (1 - bound) / odds, 0.0) for bound in (low, high)]
    return bounds[0], bounds[1]
