"""Fits the logistic of ``contracts.confidence`` and other readings of raw confidences, on vendors kept for that."""

from collections.abc import Sequence

from llama_mapper.contracts.confidence import Scored, Stack, features, ranked
from llama_mapper.contracts.wire import Wire


def fit(examples: Sequence[Scored], golds: Sequence[frozenset[str]], kept: Sequence[bool]) -> Stack:
    """Fit the ranking over all candidates of *examples*, then the reading of the best one's odds.

    Args:
        golds: the labels that are right, empty where none is; one set an example.
        kept: which of FEATURES count; the others get weight 0.
    """
    rows, right = [], []
    for scored, gold in zip(examples, golds, strict=True):
        for i, label in enumerate(scored.labels):
            rows.append(_kept(features(scored, i), kept))
            right.append(label in gold)
    ranking = Stack(weights=_logistic(rows, right))
    best = [ranked(ranking, scored) for scored in examples]
    odds = [(1.0, value) for _, value in best]
    offset, slope = _logistic(odds, [label in gold for (label, _), gold in zip(best, golds, strict=True)], 0.01)
    return Stack(weights=ranking.weights, slope=slope, offset=offset)


def _kept(values: Sequence[float], kept: Sequence[bool]) -> tuple[float, ...]:
    return tuple(v if keep else 0.0 for v, keep in zip(values, kept, strict=True))


def _logistic(
    rows: Sequence[Sequence[float]], right: Sequence[bool], decay: float = 1.0, steps: int = 60
) -> tuple[float, ...]:
    """Fit by Newton's method; *decay* keeps weights small where examples are few, the bias (first) is free."""
    import numpy as np

    x = np.array(rows, dtype=np.float64)
    y = np.array(right, dtype=np.float64)
    weights = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], decay)
    penalty[0] = 1e-3
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - y) + penalty * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        change = np.linalg.solve(hessian, gradient)
        weights -= change
        if float(np.abs(change).max()) < 1e-9:
            break
    return tuple(round(float(w), 6) for w in weights)


class Isotonic(Wire):
    """A rising step function, joined by straight lines: raw confidence -> share that is right."""

    raw: tuple[float, ...]
    calibrated: tuple[float, ...]

    def __call__(self, value: float) -> float:
        if value <= self.raw[0]:
            return self.calibrated[0]
        for left in range(len(self.raw) - 1):
            if value <= self.raw[left + 1]:
                width = self.raw[left + 1] - self.raw[left]
                share = (value - self.raw[left]) / width if width else 1.0
                return self.calibrated[left] + share * (self.calibrated[left + 1] - self.calibrated[left])
        return self.calibrated[-1]


def isotonic(raw: Sequence[float], right: Sequence[bool]) -> Isotonic:
    """Pool adjacent violators; blocks of fewer than ten answers are joined to the next, for a share needs a number.

    Raises:
        ValueError: nothing to fit on.
    """
    if not raw:
        raise ValueError("no answers to calibrate on")
    blocks: list[tuple[float, float, int]] = []  # sum of raw, sum of right, count
    for value, correct in sorted(zip(raw, right, strict=True)):
        blocks.append((value, float(correct), 1))
        while len(blocks) > 1 and (
            blocks[-2][2] < 10 or blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]
        ):
            last, before = blocks.pop(), blocks.pop()
            blocks.append((last[0] + before[0], last[1] + before[1], last[2] + before[2]))
    # One right and one wrong are added to each block: no share of a few answers is certainty.
    return Isotonic(
        raw=tuple(round(b[0] / b[2], 6) for b in blocks),
        calibrated=tuple(round((b[1] + 0.5) / (b[2] + 1), 6) for b in blocks),
    )
