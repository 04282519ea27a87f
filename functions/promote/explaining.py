"""Say of each measure what a person wants to know: both values, bounds on the difference, and what is still missing."""

from collections.abc import Callable, Sequence
from math import ceil, log
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from llama_mapper.contracts.evaluation import GateName

from .evidence import Floats, Moments, Sample
from .measures import Measure
from .rules import Rules
from .weighing import Figures, Rates, Weighed, rates, weigh

Finding = Literal["fine", "worse", "open", "missing", "failed"]

MOST_LOG_EVIDENCE = 15 * log(10)
LONGER = np.geomspace(1.0, 10_000.0, 400)  # how many times the calls so far; beyond it nobody waits


class Reason(BaseModel):
    """What one measure says. ``difference`` is canary minus stable, turned so that positive is worse.

    low, high: the difference lies between them, each with the error rate that its decision has, at all looks together.
    evidence_worse, evidence_fine: e-values, 1 to 1e15; each proves its case from 1 / rate on. None for confidence.
    missing_calls: of the canary, until "fine" if the values stay as they are; None if it would not become so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Measure | Literal["golden", "calls", "time"]
    says: Finding
    pillar: str | None = Field(default=None, pattern=r"^[A-Z][A-Z_]{0,31}$", description="Of drift: the furthest off")
    gates: tuple[GateName, ...] = Field(default=(), description="Of golden: failed, or not measured")
    stable: float | None = None
    canary: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    evidence_worse: float | None = None
    evidence_fine: float | None = None
    missing_calls: NonNegativeInt | None = None


def explain(stable: Figures, canary: Figures, before: Figures | None, rules: Rules) -> tuple[Reason, ...]:
    """Return one reason for each measure judged, in the order of the rules."""
    found = list(weigh(stable, canary, before, rules))
    longer = list(weigh(_longer(stable), _longer(canary), before, rules))
    calls = float(canary.shares["errors"].trials)
    reasons = []
    for measure in rules.margins:
        pairs = [(now, later) for now, later in zip(found, longer, strict=True) if now.measure == measure]
        if not pairs or _unmeasured(measure, stable, canary):
            reasons.append(Reason(measure=measure, says="missing"))
            continue
        shown = max((now for now, _ in pairs), key=_prominence)
        missing = _missing_calls([later for _, later in pairs], calls)
        reasons.append(_reason(shown, all(bool(now.fine) for now, _ in pairs), missing, rules))
    return tuple(reasons)


def _reason(shown: Weighed, fine: bool, missing_calls: int | None, rules: Rules) -> Reason:
    rise = float(shown.canary - shown.stable)
    low, high = _bounds(shown, rates(rules, shown.measure))
    return Reason(
        measure=shown.measure,
        says="worse" if shown.worse else "fine" if fine else "open",
        pillar=shown.pillar,
        stable=float(shown.stable),
        canary=float(shown.canary),
        difference=-rise if shown.measure == "confidence" else abs(rise) if shown.measure == "drift" else rise,
        low=low,
        high=high,
        evidence_worse=_e_value(shown.log_worse),
        evidence_fine=_e_value(shown.log_fine),
        missing_calls=0 if fine else missing_calls,
    )


def _bounds(shown: Weighed, rate: Rates) -> tuple[float, float]:
    if shown.pair is None:
        assert shown.low is not None
        assert shown.high is not None
        return float(shown.low), float(shown.high)
    pair = shown.pair.turned() if shown.measure == "drift" and shown.canary < shown.stable else shown.pair
    seen = float(pair.other.share - pair.base.share)
    low = _last(seen, -1.0, lambda at: bool(pair.against_at_most(at) < -np.log(rate.rollback)))
    high = _last(seen, 1.0, lambda at: bool(pair.against_at_least(at) < -np.log(rate.promotion)))
    return low, high


def _last(inside: float, outside: float, holds: Callable[[float], bool]) -> float:
    """The point furthest from *inside* towards *outside* that *holds*, to a millionth; beyond it none does."""
    if holds(outside):
        return outside
    while abs(outside - inside) > 1e-6:
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _missing_calls(later: Sequence[Weighed], calls: float) -> int | None:
    """How many calls more the canary needs if all counts grow in proportion."""
    fine = np.logical_and.reduce([each.fine for each in later])
    return ceil(calls * (LONGER[int(fine.argmax())] - 1)) if calls and fine.any() else None


def _longer(figures: Figures) -> Figures:
    """The figures of longer and longer steps with today's values."""
    return Figures(
        {name: _grown(sample) for name, sample in figures.shares.items()},
        {name: _grown(sample) for name, sample in figures.pillars.items()},
        Moments(*(LONGER * part for part in figures.confidence)),
    )


def _grown(sample: Sample) -> Sample:
    return Sample(LONGER * sample.trials, LONGER * sample.hits)


def _unmeasured(measure: Measure, stable: Figures, canary: Figures) -> bool:
    """Whether calls were answered on both sides, but this was counted on neither or on one."""
    if measure != "confidence":
        return False
    return not (stable.confidence.trials and canary.confidence.trials)


def _prominence(found: Weighed) -> tuple[bool, float]:
    return bool(found.worse), abs(float(found.canary - found.stable))


def _e_value(log_evidence: Floats | None) -> float | None:
    return None if log_evidence is None else float(np.exp(min(float(log_evidence), MOST_LOG_EVIDENCE)))
