"""Decide whether a canary goes on, waits or goes back: see README.md, "How it decides"."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .explaining import Reason, explain
from .measures import Counts, Golden
from .rules import MARGINS, Margin, Rules
from .steps import FULL, next_step
from .weighing import Figures, usual_confidence

__all__ = ["MARGINS", "Decision", "Margin", "Reason", "Rules", "Verdict", "judge"]

Decision = Literal["promote", "hold", "roll_back"]


class Verdict(BaseModel):
    """What to do now, and why; the reasons that decided come first.

    asks: the step's time is over without proof either way. The canary keeps its share, and a person should look.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: Decision
    next_percent: int = Field(ge=0, le=100, description="What the canary's share becomes; 100 is all")
    asks: bool = False
    reasons: tuple[Reason, ...] = ()


def judge(
    stable: Counts,
    canary: Counts,
    golden: Golden | None,
    rules: Rules,
    *,
    percent: int,
    elapsed_seconds: float,
    before: Counts | None = None,
) -> Verdict:
    """Judge the canary that has had *percent* of the calls for *elapsed_seconds*.

    Args:
        stable, canary: counted since the step began, both over the same time.
        before: the stable revision's counts from before the step, such as those of the day before; the same ones at all
            looks of a step. They say where to look first, which saves calls; error rates are kept whatever they hold.

    Raises:
        ValueError: *percent* is not a running canary's.
    """
    following = next_step(percent)
    centre = usual_confidence(before)
    now, other = Figures.of(stable, centre), Figures.of(canary, centre)
    live = explain(now, other, Figures.of(before, centre) if before else None, rules)
    failed = _failed(golden)
    worse = tuple(reason for reason in live if reason.says == "worse")
    if failed or worse:
        return Verdict(decision="roll_back", next_percent=0, reasons=(*failed, *worse, *_rest(live, worse)))
    waits = (
        *(reason for reason in live if reason.says != "fine"),
        *_too_short(canary, rules, elapsed_seconds),
        *(_unevaluated(golden, rules) if following == FULL else ()),
    )
    if not waits:
        return Verdict(decision="promote", next_percent=following, reasons=live)
    late = elapsed_seconds >= rules.max_seconds
    return Verdict(decision="hold", next_percent=percent, asks=late, reasons=(*waits, *_rest(live, waits)))


def _failed(golden: Golden | None) -> tuple[Reason, ...]:
    failed = golden.gates_failed if golden else ()
    return (Reason(measure="golden", says="failed", gates=failed),) if failed else ()


def _unevaluated(golden: Golden | None, rules: Rules) -> tuple[Reason, ...]:
    passed = golden.gates_passed if golden else ()
    missing = tuple(gate for gate in rules.gates if gate not in passed)
    return (Reason(measure="golden", says="missing", gates=missing),) if golden is None or missing else ()


def _too_short(canary: Counts, rules: Rules, elapsed_seconds: float) -> tuple[Reason, ...]:
    """Floors below which nobody would believe a promotion, proven or not."""
    found = []
    if canary.calls < rules.min_calls:
        found.append(Reason(measure="calls", says="open", missing_calls=rules.min_calls - canary.calls))
    if elapsed_seconds < rules.min_seconds:
        found.append(Reason(measure="time", says="open"))
    return tuple(found)


def _rest(live: tuple[Reason, ...], before: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return tuple(reason for reason in live if reason not in before)
