"""Fit how sure an answer is, and the point below which there is none, on the part of the questions for tuning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from functions.analyze.guidance.retrieval import Guidance, Way, Weights

from .questions import Asked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RIDGE = 0.0025
_DEPTH = 5


def fit(guidance: Guidance, questions: Sequence[Asked], way: Way) -> Weights:
    """Logistic regression on the best coverage and likeness of five passages; both kinds of question weigh the same.

    The threshold is the one with the highest mean of the share of answerable questions answered and the share of
    unanswerable ones not answered. Questions that naming alone decides (a section, another law) take no part.
    """
    import numpy as np
    from scipy.optimize import minimize

    rows: list[tuple[float, float]] = []
    answerable: list[bool] = []
    for asked in questions:
        found = guidance.search(asked.ask, None, way, _DEPTH)
        if found and not found[0].by_section:
            rows.append((max(one.coverage for one in found), max(one.likeness for one in found)))
            answerable.append(bool(asked.right))
    signs, truth = np.array(rows), np.array(answerable, dtype=np.float64)
    used = np.array([way != "vectors", way != "lexical"])
    signs = np.column_stack([np.ones(len(signs)), signs * used])
    share = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))

    def loss(weights: "NDArray[np.float64]") -> float:
        odds = signs @ weights
        return float((share * (np.logaddexp(0, odds) - truth * odds)).mean() + _RIDGE * (weights[1:] ** 2).sum())

    fitted = minimize(loss, np.zeros(3)).x
    sure = 1 / (1 + np.exp(-(signs @ fitted)))
    points = np.sort(sure)
    between = (points[1:] + points[:-1]) / 2
    best = max(between, key=lambda at: float((sure[truth == 1] >= at).mean() + (sure[truth == 0] < at).mean()))
    intercept, coverage, likeness = (round(float(weight), 3) for weight in fitted)
    return Weights(intercept=intercept, coverage=coverage, likeness=likeness, threshold=round(float(best), 3))
