"""Lift: two labels (or two detectors) that meet in one request more often than their own rates explain.

Expected are the meetings if each hour's requests were shuffled: the sum over the hours of first x second / requests.
Hours are strata (as Mantel and Haenszel, 1959, do with tables): two labels that are both frequent at night are no pair
for that. Meetings are then nearly Poisson; its exact upper tail is a little on the safe side.
"""

from datetime import datetime

import numpy as np

from llama_mapper.contracts.series import PairsAnswer, SeriesAnswer

from .found import LEVEL, Found, Searched, corrected
from .table import table_of


def lifts(series: SeriesAnswer, pairs: PairsAnswer, begins: datetime) -> Searched:
    """*series* has one series for each label, or each detector, that *pairs* was asked for."""
    table = table_of(series, begins)
    if len(table.names) < 2 or table.hours <= table.split:
        return Searched()
    from scipy import stats

    counts, requests = table.counts[:, table.split :], table.requests[table.split :]
    share = np.divide(counts, requests, out=np.zeros_like(counts), where=requests > 0)
    first, second = np.triu_indices(len(table.names), k=1)
    expected = (counts @ share.T)[first, second]
    words = [str(name) for name in table.names]
    keys = [(words[i], words[j]) for i, j in zip(first, second, strict=True)]
    met = {(str(one.first), str(one.second)): one.requests for one in pairs.labels or pairs.detectors}
    seen = np.array([met.get((min(key), max(key)), 0) for key in keys], dtype=float)
    p = np.where(expected > 0, stats.poisson.sf(seen - 1, np.maximum(expected, 1e-12)), 1.0)
    q = corrected(p)
    found = tuple(
        Found(
            kind="correlation",
            effect="lift",
            names=(table.names[first[i]], table.names[second[i]]),
            period=table.between(table.split, table.hours),
            size=float(seen[i] / expected[i]),
            low=float(stats.gamma.ppf(0.025, seen[i]) / expected[i]),
            high=float(stats.gamma.ppf(0.975, seen[i] + 1) / expected[i]),
            p=float(p[i]),
            q=float(q[i]),
            observed=float(seen[i]),
            expected=float(expected[i]),
            evidence=pairs.query,
        )
        for i in np.flatnonzero(q <= LEVEL)
    )
    return Searched(found, frozenset(table.names))
