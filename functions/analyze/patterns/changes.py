"""Change points: an hour in the period from which on a label comes at another rate.

Every day of the period is tried as the cut, the days before it (baseline included) against those after it. The least p
value times the number of cuts is the series' (Bonferroni), which is nearly exact for few cuts and never too sure.
The hour is then the one of greatest Poisson likelihood within a day of the cut (Hinkley, 1970).
"""

from dataclasses import dataclass

import numpy as np

from .expecting import Expected
from .found import LEVEL, Found, Searched, corrected
from .rates import Sides, chance, compare, side
from .table import DAY, Array, Table, blocks

MIN_DAYS = 2
"""On the later side; a single day is a burst."""

MIN_COUNT = 20


@dataclass(frozen=True)
class Changes:
    """``cuts`` gives the hour of the change of every series that has one, by the series' row."""

    searched: Searched
    cuts: dict[int, int]


def changes(table: Table, expected: Expected) -> Changes:
    kept = np.flatnonzero(table.counts.sum(1) >= MIN_COUNT)
    seen0, seen1 = blocks(table.counts[kept], table.split, DAY)
    mean0, mean1 = blocks(expected.mean[kept], table.split, DAY)
    first, last = seen0.shape[1] + 1, seen0.shape[1] + seen1.shape[1] - MIN_DAYS
    if not kept.size or last < first:
        return Changes(Searched(), {})
    seen, mean = np.hstack([seen0, seen1]), np.hstack([mean0, mean1])
    cuts = range(first, last + 1)
    p = np.stack([chance(*_sides(seen, mean, cut)) for cut in cuts], axis=1)
    days, q = p.argmin(1) + first, corrected(np.minimum(1.0, p.min(1) * len(cuts)))
    found, at = [], {}
    for i in map(int, np.flatnonzero(q <= LEVEL)):
        row = int(kept[i])
        rough = table.split + (int(days[i]) - seen0.shape[1]) * DAY
        at[row] = _hour(table.counts[row], expected.mean[row], rough)
        found.append(_told(table, expected, row, at[row], min(1.0, float(p[i].min()) * len(cuts)), float(q[i])))
    return Changes(Searched(tuple(found), frozenset(table.names[row] for row in kept)), at)


def _told(table: Table, expected: Expected, row: int, hour: int, p: float, q: float) -> Found:
    seen, mean = table.counts[[row]], expected.mean[[row]]
    (days0, days1), (means0, means1) = blocks(seen, hour, DAY), blocks(mean, hour, DAY)
    before = side(days0, means0, seen[:, :hour].sum(1), mean[:, :hour].sum(1))
    after = side(days1, means1, seen[:, hour:].sum(1), mean[:, hour:].sum(1))
    told = compare(before, after)
    return Found(
        kind="temporal",
        effect="change-rate-ratio",
        names=(table.names[row],),
        period=table.between(hour, table.hours),
        size=float(told.ratio[0]),
        low=float(told.low[0]),
        high=float(told.high[0]) if np.isfinite(told.high[0]) else None,
        p=p,
        q=q,
        observed=float(after.total[0]),
        expected=float(after.expected[0] * before.total[0] / max(float(before.expected[0]), 1e-12)),
    )


def _sides(seen: Array, mean: Array, cut: int) -> tuple[Sides, Sides]:
    return side(seen[:, :cut], mean[:, :cut]), side(seen[:, cut:], mean[:, cut:])


def _hour(seen: Array, mean: Array, rough: int) -> int:
    """The cut of greatest likelihood within a day of *rough*."""
    rates = [seen[part].sum() / max(mean[part].sum(), 1e-12) for part in (slice(0, rough), slice(rough, None))]
    before, after = (np.log(max(rate, 1e-9)) for rate in rates)
    gain = np.cumsum(seen * (before - after) - mean * (rates[0] - rates[1]))
    # gain[h - 1] is what hours up to h win by belonging to the earlier side.
    window = range(max(1, rough - DAY), min(seen.size, rough + DAY))
    return max(window, key=lambda hour: (round(float(gain[hour - 1]), 9), -abs(hour - rough)))
