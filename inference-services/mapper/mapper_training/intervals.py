"""How far figures would move with other vendors: 95 % percentile bootstrap over vendors, 2,000 resamples, seeded.

Vendors are what is drawn, not words: a vendor's words are alike, and the question is how a new vendor would fare.
"""

from collections.abc import Sequence
from typing import NamedTuple

from . import metrics
from .metrics import Outcome

RESAMPLES = 2000
LEVEL = 0.95
SEED = 11


class Ratio(NamedTuple):
    """A figure as a ratio of sums over vendors, so that it can be taken again over any choice of vendors."""

    numerators: tuple[float, ...]
    denominators: tuple[float, ...]


def macro_f1(outcomes: Sequence[Outcome], threshold: float) -> Ratio:
    """Macro-F1 of the words that get a label; vendors of which none does weigh nothing."""
    groups = [[o for o in group if metrics.covered(o, threshold)] for group in metrics.by_vendor(outcomes).values()]
    return Ratio(tuple(metrics.macro_f1(group) for group in groups), tuple(float(bool(group)) for group in groups))


def accuracy(outcomes: Sequence[Outcome]) -> Ratio:
    groups = metrics.by_vendor(outcomes).values()
    return Ratio(tuple(float(sum(o.right for o in group)) for group in groups), tuple(float(len(g)) for g in groups))


def interval(ratio: Ratio) -> tuple[float, float] | None:
    """Return the interval's ends; None of fewer than two vendors."""
    return _bootstrap(ratio)


def difference(one: Ratio, other: Ratio) -> dict[str, float | None]:
    """Return *one* minus *other* with its interval; both are taken over the same vendors in each resample."""
    ends = _bootstrap(one, other)
    low, high = ends or (None, None)
    return {"difference": round(_value(one) - _value(other), 4), "low": low, "high": high}


def _value(ratio: Ratio) -> float:
    return sum(ratio.numerators) / max(sum(ratio.denominators), 1e-9)


def _bootstrap(*ratios: Ratio) -> tuple[float, float] | None:
    """The interval of the first ratio, or of the first minus the second."""
    import numpy as np
    from numpy.typing import NDArray
    from scipy.stats import bootstrap

    if len(ratios[0].numerators) < 2:
        return None
    samples = [np.array(values) for ratio in ratios for values in ratio]

    def statistic(*drawn: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        sums = [part.sum(axis=axis) for part in drawn]
        shares = [top / np.maximum(bottom, 1e-9) for top, bottom in zip(sums[::2], sums[1::2], strict=True)]
        found: NDArray[np.float64] = shares[0] - shares[1] if len(shares) > 1 else shares[0]
        return found

    found = bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        paired=True,
        vectorized=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return round(float(found.low), 4), round(float(found.high), 4)
