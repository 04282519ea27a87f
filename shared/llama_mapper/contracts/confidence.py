"""From what retrieval and the model say to one choice and a probability that means what it says.

A candidate's features go through one logistic with few weights, fitted on vendors that the model has not seen. Training
fits it and serving applies it, so it stands here. Why an answer got its confidence can be read off the weights.
"""

import math
from collections.abc import Sequence

from .identifiers import AnyCanonicalLabel
from .mapping import Relation
from .wire import Wire

FEATURES = ("bias", "model_in_doubt", "score", "lead", "votes", "log_none")
_FLOOR = 1e-4


class Stack(Wire):
    """Weights of the logistic that ranks candidates, in the order of FEATURES, and how the best one's odds are read.

    A best of six is right more often than its own odds say when the others are far behind: ``slope`` and ``offset``
    turn its log-odds into a confidence.
    """

    weights: tuple[float, ...]
    slope: float = 1.0
    offset: float = 0.0

    def log_odds(self, features: Sequence[float]) -> float:
        return sum(w * f for w, f in zip(self.weights, features, strict=True))

    def confidence(self, log_odds: float) -> float:
        return _sigmoid(self.slope * log_odds + self.offset)


class Scored(Wire):
    """One prompt's answer: a probability a candidate (they and ``none`` sum to 1), and what retrieval had said."""

    labels: tuple[AnyCanonicalLabel, ...]
    letters: tuple[float, ...]
    none: float
    relations: dict[Relation, float]
    scores: tuple[float, ...]
    votes: tuple[float, ...]


def features(scored: Scored, candidate: int) -> tuple[float, ...]:
    """The features of one candidate: what the model gives it, what retrieval gives it, and how far it leads.

    The model's log-odds count the less the surer retrieval is: over unseen vendors a small model that overruled an
    equal spelling was wrong.

    ``lead`` is its score above the best other candidate, ``votes`` its share among the nearest entries.
    """
    probability = min(max(scored.letters[candidate], _FLOOR), 1 - _FLOOR)
    doubt = min(1.0, max(0.0, 1 - max(scored.scores)))
    others = [s for i, s in enumerate(scored.scores) if i != candidate]
    lead = scored.scores[candidate] - max(others, default=0.0)
    return (
        1.0,
        doubt * math.log(probability / (1 - probability)),
        scored.scores[candidate],
        lead,
        scored.votes[candidate],
        math.log(max(scored.none, _FLOOR)),
    )


def ranked(stack: Stack, scored: Scored) -> tuple[str | None, float]:
    """Return the candidate with the highest odds, and their logarithm; None without candidates."""
    odds = [stack.log_odds(features(scored, i)) for i in range(len(scored.labels))]
    if not odds:
        return None, -30.0
    best = max(range(len(odds)), key=lambda i: (odds[i], -i))
    return scored.labels[best], odds[best]


def choose(stack: Stack, scored: Scored) -> tuple[str | None, float]:
    """Return the candidate with the highest odds and how likely it is right; None without candidates."""
    label, odds = ranked(stack, scored)
    return label, (stack.confidence(odds) if label else 0.0)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
