"""Labels that come more or less often in the period than in its baseline, given the requests there were."""

import numpy as np

from .expecting import Expected
from .found import LEVEL, Found, Searched, corrected
from .rates import compare, side
from .table import DAY, Table, blocks

MIN_COUNT = 10
"""Both spans together; fewer could show nothing at any ratio worth telling."""


def frequencies(table: Table, expected: Expected) -> Searched:
    kept = np.flatnonzero(table.counts.sum(1) >= MIN_COUNT)
    if not kept.size:
        return Searched()
    seen, mean, split = table.counts[kept], expected.mean[kept], table.split
    (seen0, seen1), (mean0, mean1) = blocks(seen, split, DAY), blocks(mean, split, DAY)
    before = side(seen0, mean0, seen[:, :split].sum(1), mean[:, :split].sum(1))
    after = side(seen1, mean1, seen[:, split:].sum(1), mean[:, split:].sum(1))
    told = compare(before, after)
    q = corrected(told.p)
    rate = before.total / np.maximum(before.expected, 1e-12)
    return Searched(
        tuple(
            Found(
                kind="frequency",
                effect="rate-ratio",
                names=(table.names[row],),
                period=table.between(split, table.hours),
                size=float(told.ratio[i]),
                low=float(told.low[i]),
                high=float(told.high[i]) if np.isfinite(told.high[i]) else None,
                p=float(told.p[i]),
                q=float(q[i]),
                observed=float(after.total[i]),
                expected=float(after.expected[i] * rate[i]),
            )
            for i, row in enumerate(kept)
            if q[i] <= LEVEL
        ),
        frozenset(table.names[row] for row in kept),
    )
