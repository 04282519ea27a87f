"""What the templates need and the contracts do not say: words, shares, the order of things."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from llama_mapper.contracts.orchestration import OrchestrateResponse
from llama_mapper.contracts.records import Count, DayCount
from llama_mapper.taxonomy import Label, Taxonomy

SEVERITIES = ("none", "low", "medium", "high", "critical")

ACTIONS: Mapping[str, str] = {
    "allow": "Allow",
    "flag": "Flag",
    "redact": "Redact",
    "human_review": "Human review",
    "block": "Block",
}

RELATIONS: Mapping[str, str] = {
    "exact": "means the same",
    "broader": "is wider than the vendor's word",
    "narrower": "is narrower than the vendor's word",
    "related": "overlaps with the vendor's word",
}

METHODS: Mapping[str, str] = {
    "rule": "curated rule",
    "model": "model",
    "cache": "model's answer, from the cache",
    "fallback": "fallback: no rule or model knew it",
}

DOUBTS: Mapping[str, str] = {
    "below_threshold": "not sure enough",
    "unknown": "nothing knows it",
    "model_away": "the model was away",
}

FAMILIES: Mapping[str, str] = {
    "pii": "Personal data",
    "secrets": "Secrets",
    "injection": "Prompt injection",
    "classifiers": "Toxicity",
    "language": "Language",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One day of a column chart; places in percent of the picture."""

    day: date
    requests: int
    findings: int
    left: float
    width: float
    height: float


def columns(days: Sequence[DayCount]) -> list[Column]:
    """A column for each of *days*, which are in order; days without a request leave a gap, the last ends the chart."""
    if not days:
        return []
    # A chart of at least a week: one day alone would fill it.
    span = max(7, (days[-1].day - days[0].day).days + 1)
    first = days[-1].day - timedelta(days=span - 1)
    most = max(day.requests for day in days)
    step = 100 / span
    return [
        Column(
            day.day,
            day.requests,
            day.findings,
            left=round((day.day - first).days * step, 2),
            width=round(step * 0.8, 2),
            height=max(2.0, percent(day.requests, most)),
        )
        for day in days
    ]


def percent(count: int, whole: int) -> float:
    """*count* of *whole* in 0..100; 0 of nothing."""
    return min(100.0, round(100 * count / whole, 1)) if whole else 0.0


def in_order(counts: Sequence[Count], order: Iterable[str]) -> list[Count]:
    """*counts* in the *order* of their names, the worst first."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(counts, key=lambda count: -places.get(count.name, -1))


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart; ``percent`` of the longest bar, never so little that it cannot be seen."""

    name: str
    count: int
    percent: float


def bars(counts: Sequence[Count], most: int) -> list[Bar]:
    """The first *most* of *counts*, which are sorted, largest first."""
    longest = counts[0].count if counts else 1
    return [Bar(c.name, c.count, max(2.0, round(100 * c.count / longest, 1))) for c in counts[:most]]


def spans(answer: OrchestrateResponse) -> str:
    """Where the findings are, as JSON for the page's script: it has the text, the server does not send it back."""
    marks = [
        {"start": span.start, "end": span.end, "label": finding.label, "severity": finding.severity}
        for finding in answer.findings
        for span in finding.spans
    ]
    return json.dumps(sorted(marks, key=lambda mark: (mark["start"], mark["end"])))


class Branch(NamedTuple):
    """A label and the labels below it."""

    label: Label
    children: "list[Branch]"

    @property
    def size(self) -> int:
        return 1 + sum(child.size for child in self.children)


def tree(taxonomy: Taxonomy, top: str | None = None) -> list[Branch]:
    """The tree below *top*, in the file's order."""
    return [Branch(label, tree(taxonomy, label.name)) for label in taxonomy.children(top)]


def last_part(label: str) -> str:
    """``Email`` of ``PII.Contact.Email``."""
    return label.rpartition(".")[2]
