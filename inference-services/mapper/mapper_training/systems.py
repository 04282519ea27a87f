"""The ways of answering that are compared: baselines, the model alone, and model with retrieval.

Each takes what was said about a posed example and returns a label (or none) with a confidence. What has weights is
fitted on the calibration vendors.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_mapper.contracts.confidence import Scored, Stack, choose
from llama_mapper.taxonomy.tree import UNKNOWN

from .calibration import fit
from .data import Posed
from .metrics import Outcome
from .split import family

Answering = Callable[[Posed, Scored], tuple[str | None, float]]
# Which of FEATURES count when the model is not asked.
_RETRIEVAL = (True, False, True, True, True, False)
_BOTH = (True,) * 6


def exact(posed: Posed, _: Scored) -> tuple[str | None, float]:
    """The label of an alias or of another vendor's word that is spelled the same."""
    same = [f for f in posed.found if f.lexical > 0.9999]
    return (same[0].label, 1.0) if same else (None, 0.0)


def fuzzy(posed: Posed, _: Scored) -> tuple[str | None, float]:
    """The label of the entry nearest in spelling, among those retrieval found."""
    if not posed.found:
        return None, 0.0
    best = max(posed.found, key=lambda f: f.lexical)
    return best.label, min(1.0, max(0.0, best.lexical))


def nearest(posed: Posed, _: Scored) -> tuple[str | None, float]:
    """The label of the nearest entry in spelling and meaning."""
    return (posed.found[0].label, min(1.0, max(0.0, posed.found[0].score))) if posed.found else (None, 0.0)


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


def retrieval(fitting: Fitting) -> Stack:
    return fitting.stack(_RETRIEVAL)


def model_and_retrieval(fitting: Fitting) -> Stack:
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
