"""Cut a text into overlapping windows while it comes, and make one list of findings of what was found in them.

A window ends with a sentence where it can, else at white space. It begins so far in front of the last one's end that
whatever is no longer than the overlap lies whole in one window, wherever it was cut: and so does a run without white
space (a key, a token, something encoded) of up to ``LONGEST_RUN``; of a longer one the windows begin where its code can
be read from. No window reaches in front of its own beginning, so what lies there is
done with: that is what may be shown.
"""

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.mapping import Mapping, VendorFinding

LONGEST_RUN = 2_000
"""A private key of 2,048 bits on one line has 1,600 characters, a token with claims seldom more."""
BACKLOG = 4_000
"""Where more has come than was judged, one longer window is cheaper than many."""
_SENTENCE_END = re.compile(r"(?:[.!?…][\"')\]]*\s)|[。！？\n]")
_SPACE = re.compile(r"\s")
_CODE = string.ascii_letters + string.digits + "+/_-"
_CODE_CHARACTERS = 8
"""Base32 is read in eights, base64 in fours, hexadecimal in twos."""

Pair = tuple[VendorFinding, Mapping]
_Key = tuple[str, str, str, object]


@dataclass(frozen=True, slots=True)
class Window:
    """Characters [start, start + len(text)) of the stream; ``next_start`` is where the next window will begin."""

    start: int
    text: str = field(repr=False)
    next_start: int
    last: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Sizes:
    """In characters: a window has at least *least* and at most *most* new ones, after *overlap* known ones."""

    least: int = 120
    most: int = 400
    overlap: int = 200


class Cutter:
    """Takes the text in pieces of any length; gives windows, and what is not released yet."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._fresh = ""
        self._kept = ""  # from `released` to `judged`
        self.released = 0
        self.judged = 0
        self._start = 0
        self._encoded = 0  # where the run at the end of what was judged began

    @property
    def received(self) -> int:
        return self.judged + len(self._fresh)

    def add(self, text: str) -> None:
        self._fresh += text

    def take(self, ended: bool) -> Window | None:
        """Return the next window, if enough has come; once the text has *ended*, all that is left, or the overlap.

        The overlap alone, where the text ended with a window: what was at that window's edge is at no edge then.
        """
        size = _size(self._fresh, self._sizes, ended)
        if not size and not (ended and self._start < self.judged):
            return None
        last = ended and size == len(self._fresh)
        self._encoded = self._run_start(self._fresh[:size])
        self._kept += self._fresh[:size]
        self._fresh = self._fresh[size:]
        self.judged += size
        text = self._kept[self._start - self.released :]
        start, self._start = self._start, self.judged if last else self._next_start()
        return Window(start, text, self._start, last)

    def release(self, up_to: int) -> str:
        """Return the characters from the last release to this one; they are no longer kept."""
        size = up_to - self.released
        text, self._kept, self.released = self._kept[:size], self._kept[size:], up_to
        return text

    def _next_start(self) -> int:
        """The overlap in front of the end, and on to the front of the word that stands there."""
        place = max(0, self.judged - self._sizes.overlap - self.released)
        lowest = max(0, place - LONGEST_RUN)
        while place > lowest and not _SPACE.match(self._kept, place - 1):
            place -= 1
        if self._encoded < self.released + place:
            place = max(0, place - (self.released + place - self._encoded) % _CODE_CHARACTERS)
        return max(self._start, self.released + place)

    def _run_start(self, more: str) -> int:
        front = len(more.rstrip(_CODE))
        return self.judged + front if front else self._encoded


def _size(fresh: str, sizes: Sizes, ended: bool) -> int:
    """How many of the *fresh* characters make the next window; 0 for: wait."""
    most = max(sizes.most, min(len(fresh), BACKLOG))
    if ended and len(fresh) <= most:
        return len(fresh)
    sentences = [m.end() for m in _SENTENCE_END.finditer(fresh, 0, most) if m.end() >= sizes.least]
    if sentences:
        return sentences[-1]
    if len(fresh) < sizes.most:
        return 0
    for place in range(most, sizes.least, -1):
        if _SPACE.match(fresh, place - 1):
            return place
    return most


def moved(pairs: Iterable[Pair], window: Window) -> list[Pair]:
    """*pairs* of a window in the coordinates of the stream."""
    return [
        (
            finding.model_copy(update={"span": _shifted(finding.span, window.start)}) if finding.span else finding,
            mapping,
        )
        for finding, mapping in pairs
    ]


def _shifted(span: Span, by: int) -> Span:
    return Span(start=span.start + by, end=span.end + by)


class Findings:
    """What was found in all windows, each finding once; spans count in the stream."""

    def __init__(self) -> None:
        self._located: dict[tuple[_Key, int, int], Pair] = {}
        self._cut: set[tuple[_Key, int, int]] = set()
        self._of_all: dict[_Key, tuple[Pair, Window]] = {}
        self._windows = 0

    def add(self, pairs: Sequence[Pair], window: Window) -> None:
        """Add what was found in *window*, already ``moved``."""
        self._windows += 1
        for finding, mapping in pairs:
            if finding.span is None:
                best = self._of_all.get(_key(finding))
                if best is None or _score(finding) > _score(best[0][0]):
                    self._of_all[_key(finding)] = (finding, mapping), window
                continue
            key = (_key(finding), finding.span.start, finding.span.end)
            known = self._located.get(key)
            if not _at_inner_edge(finding.span, window):
                self._cut.discard(key)
            elif known is None:
                self._cut.add(key)
            if known is None or _score(finding) > _score(known[0]):
                self._located[key] = (finding, mapping)

    def pairs(self) -> tuple[Pair, ...]:
        """In order; without those that a window's edge cut and that a neighbour saw whole.

        What was said of a window as a whole, and not of the only one, has the span of the window that had most of it.
        """
        whole: dict[_Key, list[tuple[int, int]]] = {}
        for key, start, end in self._located:
            whole.setdefault(key, []).append((start, end))
        kept = [key for key in self._located if key not in self._cut or not _inside(key, whole[key[0]])]
        located = [self._located[key] for key in sorted(kept, key=lambda k: (k[1], k[2], k[0][:3]))]
        if self._windows == 1:
            return (*located, *(pair for pair, _ in self._of_all.values()))
        spans = [(pair, Span(start=window.start, end=window.end)) for pair, window in self._of_all.values()]
        return (*located, *((f.model_copy(update={"span": span}), mapping) for (f, mapping), span in spans))

    def straddling(self, place: int, least: int) -> int:
        """Return *place*, or the beginning of what lies across it, but not less than *least*."""
        spans = sorted({(start, end) for _, start, end in self._located if end > least}, reverse=True)
        for start, end in spans:  # latest beginning first: each step back can only meet those that begin earlier
            if start < place < end:
                place = start
        return max(place, least)


def _key(finding: VendorFinding) -> _Key:
    return (finding.detector, finding.detector_version, finding.label, finding.severity)


def _score(finding: VendorFinding) -> float:
    return 1.0 if finding.score is None else finding.score


def _at_inner_edge(span: Span, window: Window) -> bool:
    """Whether only white space lies between a finding and an edge of its window where the text goes on."""
    before, after = window.text[: span.start - window.start], window.text[span.end - window.start :]
    return (window.start != 0 and not before.strip()) or (not window.last and not after.strip())


def _inside(key: tuple[_Key, int, int], others: Iterable[tuple[int, int]]) -> bool:
    _, start, end = key
    return any(a <= start and end <= b and (a, b) != (start, end) for a, b in others)
