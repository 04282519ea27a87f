"""Fits the logistic of ``contracts.confidence`` on vendors kept for that."""

from collections.abc import Sequence

from llama_mapper.contracts.confidence import Scored, Stack, best_of, features


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
    weights = _logistic(rows, right)
    best = [(best_of(weights, scored), gold) for scored, gold in zip(examples, golds, strict=True)]
    found = [(b, gold) for b, gold in best if b]
    reading = _logistic([b.signs() for b, _ in found], [b.label in gold for b, gold in found], 0.01)
    return Stack(weights=weights, reading=reading)


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
