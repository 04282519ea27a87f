"""Other readings of a content, judged beside it: without its disguises, and with what it hides decoded.

A view is made only where it differs from the content in a way that a detector could miss, so ordinary content is
judged once. The content itself is always judged too: a disguise taken back by mistake must not hide anything. What is
found in a view is reported at the place of the content, as received, that it was made from, and says which view it was.
Views are as many and as long as the content allows, no more: what decodes is never longer than what it was.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llama_mapper.contracts.detection import Detection, DetectorReport, Reading, Span
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.wire import MAX_CONTENT_CHARACTERS

from ..routing import Route
from .disguises import disguised_words, normalised
from .encodings import Piece, decoded, hidden, overridden
from .mapped_text import MappedText, joined

DETECTOR, VERSION = DetectorId("llama-mapper-views"), "1"
HIDDEN, DISGUISED = "hidden_text", "disguised_words"
# One cut or mixed word may be a slip of an editor or a name; from three on somebody does it.
_DISGUISED_WORDS = 3
_MOST_SPANS = 100
# An ordinary text of this length is read in about a millisecond, a contrived one in ten.
_LONG = 4_000
_SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class View:
    """One more reading, and its way back."""

    reading: Reading
    mapped: MappedText

    @property
    def text(self) -> str:
        return self.mapped.text

    def located(self, detection: Detection) -> Detection:
        """*detection* at its place in the content; one of all of a decoded view is where that was encoded."""
        span = detection.span
        if span is None and self.reading == "normalised":
            return detection.model_copy(update={"reading": self.reading})
        start, end = self.mapped.origin(span.start, span.end) if span else (min(self.mapped.starts), self._end)
        return detection.model_copy(update={"reading": self.reading, "span": Span(start=start, end=end)})

    @property
    def _end(self) -> int:
        return max(self.mapped.ends)


@dataclass(frozen=True, slots=True)
class Readings:
    """What to judge besides the content, and what the content already shows of itself."""

    views: tuple[View, ...] = ()
    signals: tuple[Detection, ...] = ()


def readings(content: str) -> Readings:
    """Read *content* for tricks; nothing comes back for a text without any."""
    plain = normalised(content, MAX_CONTENT_CHARACTERS)
    unseen, reversed_runs = hidden(content), overridden(content)
    pieces = [*unseen, *reversed_runs, *decoded(plain or MappedText.of(content))]
    views = [View("normalised", plain)] if plain and plain.text != content and plain.text.strip() else []
    views += [View("decoded", joined(group, _SEPARATOR)) for group in _groups(pieces)]
    words = disguised_words(content) if plain else []
    places = [(start, end) for _, start, end in reversed_runs]
    if len(words) >= _DISGUISED_WORDS:
        places += words
    signals = [*_signals(HIDDEN, ((start, end) for _, start, end in unseen)), *_signals(DISGUISED, places)]
    return Readings(tuple(views), tuple(signals))


async def read(content: str) -> Readings:
    """``readings``, beside the other requests where reading takes long enough for them to notice."""
    return readings(content) if len(content) < _LONG else await asyncio.to_thread(readings, content)


def together(
    content: Sequence[DetectorReport], viewed: Iterable[tuple[View, Sequence[DetectorReport]]]
) -> list[DetectorReport]:
    """Add what was found in views to the reports about *content*; the content's own findings come first.

    A finding of a view that the content's reading has at the same place too adds nothing and is left out.
    """
    more: dict[str, list[Detection]] = {}
    for view, reports in viewed:
        for report in reports:
            more.setdefault(report.detector, []).extend(view.located(one) for one in report.detections)
    return [
        report.model_copy(update={"detections": (*report.detections, *_new(report.detections, more[report.detector]))})
        if report.detector in more
        else report
        for report in content
    ]


def lost(viewed: Iterable[tuple[View, Sequence[DetectorReport]]]) -> list[str]:
    """Name what could not be judged in a view although the content may have been."""
    return sorted({f"view.{v.reading}.{r.detector}.{r.status}" for v, reports in viewed for r in reports if _failed(r)})


def readable(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Those whose word about a view counts; the language of a text is that of the text as received."""
    return tuple(route for route in routes if route.family != "language")


def signalled(routes: Sequence[Route], found: Readings) -> list[DetectorReport]:
    """The report on the disguises themselves, where whoever asked wants to know of attacks on a model."""
    if not found.signals or not any(route.family == "injection" for route in routes):
        return []
    return [
        DetectorReport(detector=DETECTOR, version=VERSION, family="injection", status="ok", detections=found.signals)
    ]


def _failed(report: DetectorReport) -> bool:
    return report.status != "ok"


def _new(known: Sequence[Detection], found: Iterable[Detection]) -> Iterator[Detection]:
    seen = {(one.label, one.span) for one in known}
    scores = {(one.label, one.span): one.score for one in known}
    for one in found:
        key = (one.label, one.span)
        if key not in seen or one.score > scores[key]:
            seen.add(key)
            scores[key] = one.score
            yield one


def _groups(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces, in views no longer than a content may be."""
    group: list[Piece] = []
    length = 0
    for piece in sorted(pieces, key=lambda piece: piece[1:]):
        text = piece[0][:MAX_CONTENT_CHARACTERS]
        if group and length + len(text) + len(_SEPARATOR) > MAX_CONTENT_CHARACTERS:
            yield group
            group, length = [], 0
        group.append((text, piece[1], piece[2]))
        length += len(text) + len(_SEPARATOR)
    if group:
        yield group


def _signals(label: str, places: Iterable[tuple[int, int]]) -> list[Detection]:
    spans = sorted(set(places))[:_MOST_SPANS]
    return [Detection(label=label, score=1.0, span=Span(start=start, end=end)) for start, end in spans]
