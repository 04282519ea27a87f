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
_UNANSWERED = 0.1


def fit(guidance: Guidance, questions: Sequence[Asked], way: Way) -> Weights:
    """Logistic regression on the best likeness of five passages, or where words alone are compared the best coverage.

    Both kinds of question weigh the same. The threshold leaves one in ten of the answerable questions without an
    answer: where it parts the two kinds best hangs on a handful of questions. Those that naming alone decides (a
    section, another law) take no part.
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
    # Coverage beside likeness did not help: AUC 0.85 with it (each tuning question left out in turn), 0.86 of likeness.
    used = np.array([way == "lexical", way != "lexical"])
    signs = np.column_stack([np.ones(len(signs)), signs * used])
    share = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))

    def loss(weights: "NDArray[np.float64]") -> float:
        odds = signs @ weights
        return float((share * (np.logaddexp(0, odds) - truth * odds)).mean() + _RIDGE * (weights[1:] ** 2).sum())

    fitted = minimize(loss, np.zeros(3)).x
    sure = 1 / (1 + np.exp(-(signs @ fitted)))
    threshold = float(np.quantile(sure[truth == 1], _UNANSWERED))
    intercept, coverage, likeness = (round(float(weight), 3) + 0.0 for weight in fitted)
    return Weights(intercept=intercept, coverage=coverage, likeness=likeness, threshold=round(threshold, 3))
