"""What happens when two detectors read the same characters differently.

Two findings conflict when their spans overlap by more than half of the shorter, no label is common to both, and they
belong to one pillar. Which one stays depends on the content type:

- text, document: the more certain one (score, then the longer span), unless one is only a broader word for the other;
- code: as text, and a secret beats any other reading of the same characters (keys look like phone numbers);
- structured: both stay: in a record one value may well be two things.

A finding that only names an ancestor of the other's label gives way in every case: it says less about the same thing.

The strongest reading is taken first and each further one where it conflicts with none that was taken. So a reading is
dropped only for one that stays, and neither the detectors' order nor the number of readings changes who wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.mapping import Mapping, VendorFinding
from llama_mapper.contracts.orchestration import ContentType

Pair = tuple[VendorFinding, Mapping]
Strength = tuple[bool, bool, int, float, int, int, tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class _Reading:
    index: int
    span: Span
    labels: tuple[str, ...]
    certainty: float
    detector: str

    @property
    def pillars(self) -> set[str]:
        return {label.split(".", 1)[0] for label in self.labels}

    def says_less_than(self, other: "_Reading") -> bool:
        """Whether each of its labels is an ancestor of one of the other's."""
        return all(any(theirs.startswith(ours + ".") for theirs in other.labels) for ours in self.labels)


def settle(pairs: Sequence[Pair], content_type: ContentType) -> tuple[Pair, ...]:
    """Return *pairs* without the losers of conflicts, in their order."""
    readings = [_reading(i, f, m) for i, (f, m) in enumerate(pairs) if f.span and not m.negative]
    rivals = _rivals([reading for reading in readings if reading], content_type)
    kept: set[int] = set()
    for reading, others in sorted(rivals, key=lambda rival: _strength(rival[0], rival[1], content_type)):
        if not any(other.index in kept for other in others):
            kept.add(reading.index)
    losers = {reading.index for reading, _ in rivals} - kept
    return tuple(pair for index, pair in enumerate(pairs) if index not in losers)


def _reading(index: int, finding: VendorFinding, mapping: Mapping) -> _Reading | None:
    if finding.span is None:
        return None
    score = (1.0 if finding.score is None else finding.score) * max(label.confidence for label in mapping.labels)
    labels = tuple(sorted(label.label for label in mapping.labels))
    return _Reading(index, finding.span, labels, score, finding.detector)


def _rivals(readings: Sequence[_Reading], content_type: ContentType) -> list[tuple[_Reading, list[_Reading]]]:
    """Each reading with those it conflicts with; a sweep, as only readings that are still open can overlap."""
    rivals: dict[int, tuple[_Reading, list[_Reading]]] = {}
    open_readings: list[_Reading] = []
    for reading in sorted(readings, key=lambda r: (r.span.start, r.span.end)):
        rivals[reading.index] = (reading, [])
        open_readings = [other for other in open_readings if other.span.end > reading.span.start]
        for other in open_readings:
            if _conflict(other, reading, content_type):
                rivals[reading.index][1].append(other)
                rivals[other.index][1].append(reading)
        open_readings.append(reading)
    return list(rivals.values())


def _strength(reading: _Reading, others: Sequence[_Reading], content_type: ContentType) -> Strength:
    """Sorts the strongest first; what follows certainty and length only makes the order total."""
    vague = any(reading.says_less_than(other) for other in others)
    return (
        not (content_type == "code" and "SECRET" in reading.pillars),
        vague,
        -max(label.count(".") for label in reading.labels) if vague else 0,
        -reading.certainty,
        reading.span.start - reading.span.end,
        reading.span.start,
        reading.labels,
        reading.detector,
    )


def _conflict(one: _Reading, two: _Reading, content_type: ContentType) -> bool:
    if not _same_characters(one.span, two.span) or set(one.labels) & set(two.labels):
        return False
    if one.says_less_than(two) or two.says_less_than(one):
        return True
    if content_type == "structured":
        return False
    if content_type == "code" and ("SECRET" in one.pillars) != ("SECRET" in two.pillars):
        return True
    return bool(one.pillars & two.pillars)


def _same_characters(one: Span, two: Span) -> bool:
    shared = min(one.end, two.end) - max(one.start, two.start)
    return shared * 2 > min(one.end - one.start, two.end - two.start)
