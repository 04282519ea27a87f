"""The ways of answering that are compared: baselines, the model alone, and model with ranker.

What has weights is fitted on other vendors than those it is asked about.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llama_mapper.contracts.confidence import Scored, Stack, choose
from llama_mapper.taxonomy.retrieval import Index, Likeness
from llama_mapper.taxonomy.tree import UNKNOWN

from .calibration import fit
from .data import Posed
from .metrics import Outcome
from .split import family

if TYPE_CHECKING:
    from llama_mapper.taxonomy.retrieval import Floats

Answering = Callable[[Posed, Scored], tuple[str | None, float]]
# Which of FEATURES count when the model is not asked.
_RANKER = (True, False, True, True, False)
_BOTH = (True,) * 5
_SAME = 0.9999


def exact(index: Index, likeness: Likeness) -> tuple[str | None, float]:
    """The label of an alias or of another vendor's word that is spelled the same."""
    label, spelled = fuzzy(index, likeness)
    return (label, 1.0) if spelled > _SAME else (None, 0.0)


def fuzzy(index: Index, likeness: Likeness) -> tuple[str | None, float]:
    """The label of the entry nearest in spelling (cosine of rare character n-grams)."""
    return _nearest(index, likeness, likeness.lexical)


def minilm(index: Index, likeness: Likeness) -> tuple[str | None, float]:
    """The label of the entry nearest in meaning (cosine of MiniLM vectors)."""
    return _nearest(index, likeness, likeness.semantic)


def nearest(index: Index, likeness: Likeness) -> tuple[str | None, float]:
    """The label of the entry nearest in both."""
    return _nearest(index, likeness, likeness.score)


BASELINES = {"exact": exact, "fuzzy": fuzzy, "minilm": minilm, "nearest": nearest}


def _nearest(index: Index, likeness: Likeness, values: "Floats") -> tuple[str | None, float]:
    import numpy as np

    best = index.best_of_labels(np.where(likeness.score >= 0, values, -1.0))
    label = int(np.argmax(best))
    return index.labels[label], min(1.0, max(0.0, float(best[label])))


def letter(temperature: float = 1.0) -> Answering:
    """The model's likeliest letter; none of these is an answer of its own."""

    def answering(_: Posed, scored: Scored) -> tuple[str | None, float]:
        shares = [*scored.letters, scored.none]
        logs = [math.log(max(s, 1e-9)) / temperature for s in shares]
        top = max(logs)
        total = sum(math.exp(value - top) for value in logs)
        best = max(range(len(logs)), key=lambda i: logs[i])
        return (scored.labels[best] if best < len(scored.labels) else None), 1 / total

    return answering


def stacked(stack: Stack) -> Answering:
    return lambda _, scored: choose(stack, scored)


@dataclass(frozen=True, slots=True)
class Fitting:
    """Examples of calibration vendors with what was said about them."""

    posed: Sequence[Posed]
    scored: Sequence[Scored]

    def stack(self, kept: Sequence[bool]) -> Stack:
        """Fit with the features that are *kept*."""
        return fit(self.scored, [p.example.labels for p in self.posed], kept)

    def part(self, rows: Sequence[int]) -> "Fitting":
        return Fitting([self.posed[i] for i in rows], [self.scored[i] for i in rows])

    def temperature(self) -> float:
        """The temperature under which the right letters are likeliest, by grid."""
        grid: list[float] = [0.5 + 0.1 * i for i in range(36)]
        best: float = min(grid, key=self._surprise)
        return round(best, 2)

    def _surprise(self, temperature: float) -> float:
        total = 0.0
        for posed, scored in zip(self.posed, self.scored, strict=True):
            powers = [max(s, 1e-9) ** (1 / temperature) for s in (*scored.letters, scored.none)]
            wanted = [p for p, label in zip(powers, scored.labels, strict=False) if label in posed.example.labels]
            total -= math.log((sum(wanted) if wanted else powers[-1]) / sum(powers))
        return total


Making = Callable[[Fitting], Answering]


def ranker(fitting: Fitting) -> Stack:
    return fitting.stack(_RANKER)


def model_and_ranker(fitting: Fitting) -> Stack:
    return fitting.stack(_BOTH)


def crossed(making: Making, pool: Fitting, asked: Fitting) -> list[Outcome]:
    """Answer *asked*, each vendor's words by what was fitted on all other families of *pool*.

    No family's words calibrate their own test, and none of *pool* trained the model: the fit sees more vendors than
    those set aside for it alone.
    """
    whose = [family(p.example.vendor) for p in pool.posed]
    rows = {name: [i for i, p in enumerate(asked.posed) if family(p.example.vendor) == name] for name in set(whose)}
    found: dict[int, Outcome] = {}
    for name, its in sorted(rows.items()):
        if its:
            others = [i for i, other in enumerate(whose) if other != name]
            answering = making(pool.part(others))
            part = asked.part(its)
            found.update(zip(its, outcomes(answering, part.posed, part.scored), strict=True))
    return [found[i] for i in range(len(asked.posed))]


def outcomes(answering: Answering, posed: Sequence[Posed], scored: Sequence[Scored]) -> list[Outcome]:
    found = []
    for example, said in zip(posed, scored, strict=True):
        chosen, confidence = answering(example, said)
        label = None if chosen == UNKNOWN else chosen
        found.append(Outcome(example.example.vendor, example.example.labels, label, confidence))
    return found
