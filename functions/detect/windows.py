"""Overlapping windows over a text, and one list of detections back from what each window said."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llama_mapper.contracts.detection import Detection, Span

MAX_OVERLAP_CHARACTERS = 200
"""Longer than any address, key line or sentence opening we look for; what is longer may be cut in two."""

_SPACE = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of the text and where it starts, in code points."""

    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def overlap_of(size: int) -> int:
    """Return how many characters two neighbours of *size* share at least, white space permitting."""
    return min(MAX_OVERLAP_CHARACTERS, size // 4)


def split(text: str, size: int) -> list[Window]:
    """Cut *text* into windows of at most *size* characters that begin and end at white space.

    Every stretch of at most ``overlap_of(size) // 2`` characters lies whole inside one window. A run without white
    space that is longer than half an overlap is cut where it has to be. Empty text gives one empty window.
    """
    if size < 1:
        raise ValueError("size must be at least 1")
    return list(_windows(text, size))


def _windows(text: str, size: int) -> Iterator[Window]:
    slack = overlap_of(size) // 2
    start = 0
    while len(text) - start > size:
        end = _last_space(text, start + size - slack, start + size)
        yield Window(start, text[start:end])
        start = max(start + 1, _last_space(text, end - 2 * slack, end - slack))
    yield Window(start, text[start:])


def _last_space(text: str, low: int, high: int) -> int:
    """Return the position after the last white space in text[low:high], or *high* where there is none."""
    for position in range(high, low, -1):
        if _SPACE.match(text, position - 1):
            return position
    return high


def merge(windows: Sequence[Window], said: Sequence[Sequence[Detection]]) -> tuple[Detection, ...]:
    """Join what was said of each window into detections of the whole text, spans shifted.

    The same finding in two windows is kept once, with its highest score. A finding cut by a window's edge gives way
    to the longer one of the same label that a neighbour saw. A detection without a span keeps its highest score; with
    more than one window it gets the span of the window that had it.
    """
    whole: dict[str, tuple[Detection, Window]] = {}
    located: dict[tuple[str, int, int], Detection] = {}
    seen_uncut: set[tuple[str, int, int]] = set()
    for window, detections in zip(windows, said, strict=True):
        for detection in detections:
            if detection.span is None:
                best = whole.get(detection.label)
                if best is None or detection.score > best[0].score:
                    whole[detection.label] = (detection, window)
                continue
            moved = _shift(detection, window.start)
            key = _key(moved)
            held = located.get(key)
            if not _at_inner_edge(key, window, windows):
                seen_uncut.add(key)
            if held is None or moved.score > held.score:
                located[key] = moved
    kept = [d for key, d in located.items() if key in seen_uncut or not _covered(key, located)]
    alone = len(windows) == 1
    kept += [d if alone else _spanning(d, window) for d, window in whole.values()]
    return tuple(sorted(kept, key=_position))


def _shift(detection: Detection, by: int) -> Detection:
    span = detection.span
    if span is None or by == 0:
        return detection
    return detection.model_copy(update={"span": Span(start=span.start + by, end=span.end + by)})


def _spanning(detection: Detection, window: Window) -> Detection:
    return detection.model_copy(update={"span": Span(start=window.start, end=window.end)})


def _key(detection: Detection) -> tuple[str, int, int]:
    span = detection.span
    return (detection.label, span.start, span.end) if span else (detection.label, 0, 0)


def _at_inner_edge(key: tuple[str, int, int], window: Window, windows: Sequence[Window]) -> bool:
    """Tell whether only white space lies between the finding and an edge of its window where the text goes on."""
    _, start, end = key
    before, after = window.text[: start - window.start], window.text[end - window.start :]
    cut_before = window.start != 0 and not before.strip()
    return cut_before or (window is not windows[-1] and not after.strip())


def _covered(key: tuple[str, int, int], located: dict[tuple[str, int, int], Detection]) -> bool:
    label, start, end = key
    return any(
        other_label == label and other_start <= start and end <= other_end and (other_start, other_end) != (start, end)
        for other_label, other_start, other_end in located
    )


def _position(detection: Detection) -> tuple[int, int, str]:
    span = detection.span
    return (span.start, span.end, detection.label) if span else (0, 0, detection.label)
