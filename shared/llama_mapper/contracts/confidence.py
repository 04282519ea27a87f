"""From what retrieval and the model say to one choice and a probability that means what it says.

A candidate's features go through one logistic with few weights, fitted on vendors that the model has not seen. Training
fits it and serving applies it, so it stands here. Why an answer got its confidence can be read off the weights.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field

from .identifiers import AnyCanonicalLabel
from .mapping import Relation
from .wire import Wire

FEATURES = ("bias", "model_in_doubt", "odds", "lead", "log_none")
READING = ("offset", "odds", "lead", "near")
_FLOOR = 1e-4


class Stack(Wire):
    """Weights of the logistic that ranks candidates, in the order of FEATURES, and how the best one's odds are read.

    ``reading``, in the order of READING, turns the best candidate's log-odds, their lead over the next one's and its
    nearness into a confidence: a best of six that leads by little, or that nothing is near to, is right less often.
    """

    weights: tuple[float, ...] = Field(min_length=len(FEATURES), max_length=len(FEATURES))
    reading: tuple[float, ...] = Field(min_length=len(READING), max_length=len(READING))


class Scored(Wire):
    """One prompt's answer: a probability a candidate (they and ``none`` sum to 1), and what retrieval had said.

    ``odds`` are the ranker's log-odds, ``scores`` the likeness of each candidate's nearest entry.
    """

    labels: tuple[AnyCanonicalLabel, ...]
    letters: tuple[float, ...]
    none: float
    relations: dict[Relation, float]
    scores: tuple[float, ...]
    odds: tuple[float, ...]


class Best(NamedTuple):
    """A candidate, its log-odds, their lead over the best of the others (below 0 for all but one), its nearness."""

    label: str
    odds: float
    lead: float
    near: float

    def signs(self) -> tuple[float, ...]:
        """In the order of READING."""
        return (1.0, self.odds, self.lead, self.near)


def features(scored: Scored, candidate: int) -> tuple[float, ...]:
    """The features of one candidate: what the model gives it, what the ranker gives it, and how far it leads.

    The model's log-odds count the less the surer the ranker is: over unseen vendors a small model that overruled an
    equal spelling was wrong.
    """
    probability = min(max(scored.letters[candidate], _FLOOR), 1 - _FLOOR)
    others = [odds for i, odds in enumerate(scored.odds) if i != candidate]
    return (
        1.0,
        (1 - sigmoid(max(scored.odds))) * math.log(probability / (1 - probability)),
        scored.odds[candidate],
        scored.odds[candidate] - max(others, default=-10.0),
        math.log(max(scored.none, _FLOOR)),
    )


def best_of(weights: Sequence[float], scored: Scored) -> Best | None:
    """Return the candidate with the highest odds under *weights*; None without candidates."""
    odds = _odds(weights, scored)
    return _beside_others(scored, odds, max(range(len(odds)), key=lambda i: (odds[i], -i))) if odds else None


def choose(stack: Stack, scored: Scored) -> tuple[str | None, float]:
    """Return the candidate with the highest odds and how likely it is right; None without candidates."""
    best = best_of(stack.weights, scored)
    return (best.label, _read(stack, best)) if best else (None, 0.0)


def confidences(stack: Stack, scored: Scored) -> tuple[tuple[str, float], ...]:
    """Return every candidate, the one of ``choose`` first, each with its confidence.

    The others' odds are read as the best one's are, with the lead that they lack. The reading was not fitted on such
    answers, so none gets more than the one before it.
    """
    odds = _odds(stack.weights, scored)
    said: list[tuple[str, float]] = []
    for i in sorted(range(len(odds)), key=lambda i: -odds[i]):
        most = said[-1][1] if said else 1.0
        said.append((scored.labels[i], min(most, _read(stack, _beside_others(scored, odds, i)))))
    return tuple(said)


def _odds(weights: Sequence[float], scored: Scored) -> list[float]:
    return [_dot(weights, features(scored, i)) for i in range(len(scored.labels))]


def _beside_others(scored: Scored, odds: Sequence[float], candidate: int) -> Best:
    others = max((o for i, o in enumerate(odds) if i != candidate), default=odds[candidate] - 10.0)
    return Best(scored.labels[candidate], odds[candidate], odds[candidate] - others, scored.scores[candidate])


def _read(stack: Stack, candidate: Best) -> float:
    return sigmoid(_dot(stack.reading, candidate.signs()))


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
