"""Seasons: labels that keep to hours of the day or days of the week more than the requests do, and the requests.

Whether there is one: each day is put into one vector, what it had beyond its share of the day's requests along two
harmonics of the day, and Hotelling's T² asks whether the days' mean vector is zero. Days are the units, so hours that
hang together do no harm. For the week the logarithms of the days' rates are compared by weekday (one-way analysis of
variance). How strong it is: STL (Cleveland et al., 1990) and the strength of seasonality,
1 - Var(remainder) / Var(season + remainder) (Wang, Smith and Hyndman, 2006), with a bootstrap of days or weeks for its
interval.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import numpy as np

from llama_mapper.contracts.patterns import Period

from .found import LEVEL, Effect, Found, Searched, corrected
from .table import DAY, Array, Indexes, Name, Table

MIN_DAYS, MIN_WEEKS = 14, 3
MIN_PER_DAY = 5.0
WEAK = 0.3
"""A weaker season is not worth telling, however sure it is; noise alone reaches 0.2."""

MAX_FITTED = 40
"""Series that are decomposed, the surest first: STL takes some milliseconds each."""

_DRAWS = 400


def seasons(table: Table) -> Searched:
    # Whole days from the first midnight on.
    first = (24 - table.start.hour) % 24
    days = (table.hours - first) // DAY
    rows = np.flatnonzero(table.counts.sum(1) >= MIN_PER_DAY * max(days, 1))
    if days < MIN_DAYS:
        return Searched()
    part = slice(first, first + days * DAY)
    requests = table.requests[part]
    names = (*(table.names[row] for row in rows), Name())
    counts = np.vstack([table.counts[rows][:, part], requests])
    due = np.vstack([np.broadcast_to(requests, counts[:-1].shape), np.ones_like(requests)])
    by_day = (len(names), days, DAY)
    daily, daily_due = counts.reshape(by_day).sum(2), due.reshape(by_day).sum(2)
    level = np.divide(daily, daily_due, out=np.zeros_like(daily), where=daily_due > 0)
    due_by_hour = due * np.repeat(level, DAY, axis=1)
    found = _told(
        _Tested(names, "daily-seasonal-strength", table.between(first, part.stop), counts, due_by_hour, DAY),
        _daily_p(counts.reshape(by_day), due_by_hour.reshape(by_day)),
    )
    if days >= MIN_WEEKS * 7:
        weekday = (np.arange(days) + (table.start + timedelta(hours=first)).weekday()) % 7
        mean = daily_due * (daily.sum(1) / np.maximum(daily_due.sum(1), 1e-12))[:, None]
        weekly = _Tested(names, "weekly-seasonal-strength", table.between(first, part.stop), daily, mean, 7)
        found += _told(weekly, _weekly_p(_relative(daily, mean), weekday))
    return Searched(found, frozenset(names[:-1]))


@dataclass(frozen=True)
class _Tested:
    """``counts`` and what would be ``due`` without a season of ``period`` steps (series x steps)."""

    names: tuple[Name, ...]
    effect: Effect
    span: Period
    counts: Array
    due: Array
    period: int


def _relative(counts: Array, due: Array) -> Array:
    """Logarithms of what was over what was due; a half keeps zeros finite."""
    return np.asarray(np.log((counts + 0.5) / (due + 0.5)))


def _daily_p(counts: Array, due: Array) -> Array:
    from scipy import stats

    turn = 2 * np.pi * np.arange(DAY) / DAY
    waves = np.column_stack([wave(k * turn) for k in (1, 2) for wave in (np.cos, np.sin)])
    vectors = ((counts - due) @ waves) / np.sqrt(np.maximum(counts.sum(2), 1))[:, :, None]
    n, k = vectors.shape[1:]
    p = np.ones(len(counts))
    for i, days in enumerate(vectors):
        spread = np.cov(days.T)
        if np.linalg.matrix_rank(spread, tol=1e-9) == k:  # constant counts have none
            mean = days.mean(0)
            t2 = n * mean @ np.linalg.solve(spread, mean)
            p[i] = stats.f.sf(t2 * (n - k) / (k * (n - 1)), k, n - k)
    return p


def _weekly_p(values: Array, weekday: Indexes) -> Array:
    from scipy import stats

    p = np.ones(len(values))
    for i in np.flatnonzero(values.std(1) > 1e-9):
        p[i] = stats.f_oneway(*(values[i, weekday == day] for day in range(7))).pvalue
    return np.asarray(np.nan_to_num(p, nan=1.0))


def _told(tested: _Tested, p: Array) -> tuple[Found, ...]:
    q = corrected(p)
    surest = sorted(np.flatnonzero(q <= LEVEL), key=lambda i: (p[i], i))[:MAX_FITTED]
    if not surest:
        return ()
    from statsmodels.tsa.seasonal import STL

    found = []
    for i in sorted(surest):
        size, low, high = strength(_relative(tested.counts[i], tested.due[i]), tested.period, STL)
        if size >= WEAK:
            found.append(
                Found(
                    kind="temporal",
                    effect=tested.effect,
                    names=(tested.names[i],),
                    period=tested.span,
                    size=size,
                    low=min(low, size),
                    high=max(high, size),
                    p=float(p[i]),
                    q=float(q[i]),
                    observed=float(tested.counts[i].sum()),
                )
            )
    return tuple(found)


def strength(values: Array, period: int, stl: Callable[..., Any]) -> tuple[float, float, float]:
    """The strength of the season of *period* steps in *values*, with its 95 % interval."""
    parts = stl(values, period=period, seasonal=13).fit()
    whole = values.size // period * period
    season, rest = (np.asarray(part)[:whole].reshape(-1, period) for part in (parts.seasonal, parts.resid))
    # The same values give the same draws, in whatever order the series come.
    random = np.random.default_rng(int.from_bytes(blake2b(values.tobytes(), digest_size=8).digest(), "big"))
    drawn = random.integers(0, len(season), (_DRAWS, len(season)))
    bounds = np.quantile(_share(season[drawn], rest[drawn]), [0.025, 0.975])
    return float(_share(season, rest)), float(bounds[0]), float(bounds[1])


def _share(season: Array, rest: Array) -> Array:
    """The strength of each draw; the last two axes are days and hours, or weeks and days."""
    both = np.asarray(np.var(season + rest, axis=(-2, -1)))
    left = np.divide(np.var(rest, axis=(-2, -1)), both, out=np.ones_like(both), where=both > 0)
    return np.asarray(np.maximum(0.0, 1.0 - left))
