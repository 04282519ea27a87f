"""A verdict in the words of a condition: one CamelCase reason, and a line a measure for people."""

from datetime import datetime

from llama_mapper.contracts.canaries import Calls, CanaryVerdict, Decision

from .judging import Reason, Verdict

_DECISIONS: dict[str, Decision] = {"promote": "promote", "hold": "hold", "roll_back": "rollback"}
MAX_LINES, MAX_LINE = 16, 300


def said(verdict: Verdict, calls: Calls, now: datetime) -> CanaryVerdict:
    return CanaryVerdict(
        decision=_DECISIONS[verdict.decision],
        reason=reason(verdict),
        reasons=tuple(line(one) for one in verdict.reasons[:MAX_LINES]),
        calls=calls,
        at=now,
    )


def reason(verdict: Verdict) -> str:
    """``NotWorse``, ``WorseErrors``, ``FailedGolden``, ``MissingSlow``, ``Undecided``, else ``Collecting``."""
    if verdict.decision == "promote":
        return "NotWorse"
    if verdict.asks:
        return "Undecided"
    first = verdict.reasons[0] if verdict.reasons else None
    prefix = {"worse": "Worse", "failed": "Failed", "missing": "Missing"}.get(first.says, "") if first else ""
    if first and prefix:
        return f"{prefix}{first.measure.capitalize()}"
    return "Worse" if verdict.decision == "roll_back" else "Collecting"


def line(one: Reason) -> str:
    parts = [f"{one.measure}: {one.says}"]
    if one.pillar:
        parts.append(one.pillar)
    if one.gates:
        parts.append(", ".join(one.gates))
    if one.stable is not None and one.canary is not None:
        parts.append(f"{_number(one.canary)} against {_number(one.stable)}")
    if one.low is not None and one.high is not None:
        parts.append(f"worse by {_number(one.low)} to {_number(one.high)}")
    if one.missing_calls:
        parts.append(f"about {one.missing_calls} more calls needed")
    return "; ".join(parts)[:MAX_LINE]


def _number(value: float) -> str:
    return f"{value:.4g}"
