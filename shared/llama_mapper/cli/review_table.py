"""How `llama-mapper review` shows labels."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from llama_mapper.contracts.reviews import Candidate, ReviewItem

REASONS = {
    "below_threshold": "not sure enough",
    "unknown": "nothing knows it",
    "model_away": "the model was away",
}


def print_list(items: Sequence[ReviewItem]) -> None:
    table = _table("id", "label", "detector", "description")
    table.columns[0].no_wrap = True
    table.add_column("count", justify="right")
    decided = bool(items[0].decision)
    for heading in ("means",) if decided else ("might be", "reason"):
        table.add_column(heading, overflow="fold")
    for item in items:
        detector = item.detector if item.detector_version == "unknown" else f"{item.detector} {item.detector_version}"
        last = (meaning(item),) if decided else (_might_be(item), REASONS[item.reason])
        table.add_row(item.id, item.label, detector, item.description or "", str(item.count), *last)
    _console().print(table)


def print_one(item: ReviewItem) -> None:
    """All that is known, the candidates by their numbers."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, text in _facts(item).items():
        if text:
            table.add_row(name, text)
    for number, candidate in enumerate(item.candidates, start=1):
        table.add_row(str(number), _sure(candidate) + (f" ({candidate.relation})" if candidate.relation else ""))
    _console().print(table)


def meaning(item: ReviewItem) -> str:
    """What was decided."""
    if item.decision is None:
        return "not decided"
    if item.decision.decision == "reject":
        return "no canonical label fits"
    return ", ".join(f"{said.label} ({said.relation})" for said in item.decision.labels)


def _might_be(item: ReviewItem) -> str:
    return "\n".join(_sure(candidate) for candidate in item.candidates[:3])


def _sure(candidate: Candidate) -> str:
    return f"{candidate.label} {candidate.confidence:.2f}"


def _facts(item: ReviewItem) -> dict[str, str]:
    facts = {
        "id": item.id,
        "label": item.label,
        "description": item.description or "",
        "detector": f"{item.detector} ({item.detector_version})",
        "kind": item.kind or "",
        "came": f"{item.count} times, {item.first_seen:%Y-%m-%d %H:%M} to {item.last_seen:%Y-%m-%d %H:%M}",
        "waits because": REASONS[item.reason] + (f" ({item.adapter})" if item.adapter else ""),
    }
    if item.decision:
        decision = item.decision
        whom = " for all tenants" if decision.scope == "platform" else ""
        facts["decided"] = f"{meaning(item)}, {decision.by}, {decision.at:%Y-%m-%d %H:%M}{whom}"
        facts["note"] = decision.note or ""
    return facts


def _console() -> Console:
    return Console(markup=False, highlight=False)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
