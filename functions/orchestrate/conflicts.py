"""What happens when two detectors read the same characters differently.

Two findings conflict when their spans overlap by more than half of the shorter and they belong to one pillar but to
different branches. Which one stays depends on the content type:

- text, document: the more certain one (score, then the longer span), unless one is only a broader word for the other;
- code: as text, and a secret beats any other reading of the same characters (keys look like phone numbers);
- structured: both stay: in a record one value may well be two things.

A finding that only names an ancestor of the other's label is dropped in every case: it says less about the same thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.mapping import Mapping, VendorFinding
from llama_mapper.contracts.orchestration import ContentType

Pair = tuple[VendorFinding, Mapping]


@dataclass(frozen=True, slots=True)
class _Reading:
    index: int
    span: Span
    labels: tuple[str, ...]
    certainty: tuple[float, int]

    @property
    def pillars(self) -> set[str]:
        return {label.split(".", 1)[0] for label in self.labels}


def settle(pairs: Sequence[Pair], content_type: ContentType) -> tuple[Pair, ...]:
    """Return *pairs* without the losers of conflicts, in their order."""
    readings = [_reading(i, f, m) for i, (f, m) in enumerate(pairs) if f.span and not m.negative]
    by_place = sorted((r for r in readings if r), key=lambda r: (r.span.start, r.span.end))
    losers: set[int] = set()
    open_readings: list[_Reading] = []
    for reading in by_place:  # a sweep: only readings that are still open can overlap
        open_readings = [other for other in open_readings if other.span.end > reading.span.start]
        for other in open_readings:
            if loser := _loser(other, reading, content_type):
                losers.add(loser.index)
        open_readings.append(reading)
    return tuple(pair for index, pair in enumerate(pairs) if index not in losers)


def _reading(index: int, finding: VendorFinding, mapping: Mapping) -> _Reading | None:
    if finding.span is None:
        return None
    score = (1.0 if finding.score is None else finding.score) * max(label.confidence for label in mapping.labels)
    length = finding.span.end - finding.span.start
    return _Reading(index, finding.span, tuple(label.label for label in mapping.labels), (score, length))


def _loser(one: _Reading, two: _Reading, content_type: ContentType) -> _Reading | None:
    if not _same_characters(one.span, two.span) or set(one.labels) & set(two.labels):
        return None
    for broader, narrower in ((one, two), (two, one)):
        if all(any(n.startswith(b + ".") for n in narrower.labels) for b in broader.labels):
            return broader
    if content_type == "structured":
        return None
    if content_type == "code" and ("SECRET" in one.pillars) != ("SECRET" in two.pillars):
        return two if "SECRET" in one.pillars else one
    if not one.pillars & two.pillars:
        return None
    return min(one, two, key=lambda r: (r.certainty, -r.index))


def _same_characters(one: Span, two: Span) -> bool:
    shared = min(one.end, two.end) - max(one.start, two.start)
    return shared * 2 > min(one.end - one.start, two.end - two.start)
