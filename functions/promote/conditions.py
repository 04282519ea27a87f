"""The Canary's conditions, in the way of ``metav1.Condition``: one time for each change of status."""

from datetime import datetime
from typing import Literal

from llama_mapper.contracts.canaries import Canary, CanaryStatus, Condition, Phase

Kind = Literal["Progressing", "Promoted", "RolledBack"]
KINDS: tuple[Kind, ...] = ("Progressing", "Promoted", "RolledBack")
_STUCK = frozenset({"TakenOver", "NoSuchService", "FirstRollout", "Undecided"})
"""Reasons that need a person: the canary does not go on by itself."""


def conditions(canary: Canary, status: CanaryStatus, reason: str, message: str, now: datetime) -> tuple[Condition, ...]:
    before = {one.type: one for one in canary.status.conditions}
    found = []
    for kind in KINDS:
        truth = _truth(kind, status.phase, reason)
        old = before.get(kind)
        found.append(
            Condition(
                type=kind,
                status=truth,
                reason=reason,
                message=message[:300],
                last_transition_time=old.last_transition_time if old and old.status == truth else now,
                observed_generation=canary.generation,
            )
        )
    return tuple(found)


def _truth(kind: Kind, phase: Phase, reason: str) -> Literal["True", "False"]:
    if kind == "Progressing":
        return "True" if phase in ("Pending", "Progressing") and reason not in _STUCK else "False"
    return "True" if phase == kind else "False"
