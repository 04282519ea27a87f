"""From a vendor's JSON answer to detections. What was asked and answered never stands in an error."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from llama_mapper.contracts.detection import Detection, Span
from llama_mapper.contracts.problems import DetectorCommunicationFailed

from .http_adapter import Adapter, FindingRule, SpanRule
from .http_expressions import Evaluation

# JMESPath's own errors are ValueErrors; the others are what a function of ours or pydantic meets in another shape.
_ODD = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
_WIDTH = {
    "utf16": lambda character: 2 if ord(character) > 0xFFFF else 1,
    "utf8": lambda character: len(character.encode("utf-8", "surrogatepass")),
}


@dataclass(frozen=True, slots=True)
class Reading:
    version: str | None
    detections: tuple[Detection, ...]


class _Places:
    """The content, and where its characters begin in other units; counted once an answer."""

    def __init__(self, content: str) -> None:
        self.content = content
        self._begin: dict[str, list[int]] = {}

    def point(self, unit: str, offset: int) -> int:
        """The code point that begins at *offset*; one inside a character belongs to nobody."""
        if unit == "code_points":
            return offset
        if unit not in self._begin:
            self._begin[unit] = [0, *accumulate(map(_WIDTH[unit], self.content))]
        begin = self._begin[unit]
        index = bisect_left(begin, offset)
        if index == len(begin) or begin[index] != offset:
            raise ValueError("inside a character or outside the content")
        return index


def read(adapter: Adapter, answer: Any, content: str, evaluate: Evaluation, at_least: float | None = None) -> Reading:
    """Read *answer* to *content*; *at_least* stands above the adapter's own thresholds.

    Raises:
        DetectorCommunicationFailed: another shape than the adapter describes.
    """
    places = _Places(content)
    try:
        for expected in adapter.response.expects:
            if evaluate(expected, answer) in (None, False):
                raise ValueError("the answer lacks what it must hold")
        version = evaluate(adapter.response.version, answer) if adapter.response.version else None
        found = [
            detection
            for rule in adapter.response.findings
            for item in _items(evaluate(rule.each, answer))
            if (detection := _detection(rule, item, places, evaluate, at_least))
        ]
    except _ODD:
        # Without its cause: JMESPath's errors quote the value, and a vendor's answer can quote the content.
        raise DetectorCommunicationFailed("the detector answered in a shape we do not know") from None
    return Reading(version if isinstance(version, str) else None, tuple(found))


def _items(value: Any) -> Iterator[Any]:
    if value is None:
        return
    if not isinstance(value, list):
        raise TypeError("not an array")
    yield from value


def _detection(
    rule: FindingRule, item: Any, places: _Places, evaluate: Evaluation, at_least: float | None
) -> Detection | None:
    if rule.when is not None:
        holds = evaluate(rule.when, item)
        if not isinstance(holds, bool):
            raise TypeError("neither true nor false")
        if not holds:
            return None
    score = _score(rule, item, evaluate)
    if score < (rule.at_least if at_least is None else at_least):
        return None
    severity = evaluate(rule.severity, item) if rule.severity else None
    if rule.severity and (severity is None or isinstance(severity, bool)):
        raise TypeError("no severity")
    return Detection(
        label=_label(rule, item, evaluate),
        score=score,
        severity=severity,
        span=_span(rule.span, item, places, evaluate) if rule.span else None,
    )


def _label(rule: FindingRule, item: Any, evaluate: Evaluation) -> str:
    if rule.fixed_label is not None:
        return rule.fixed_label
    assert rule.label is not None
    word = evaluate(rule.label, item)
    if not isinstance(word, str):
        raise TypeError("not a word")
    return rule.labels.get(word, word)


def _score(rule: FindingRule, item: Any, evaluate: Evaluation) -> float:
    if rule.score is None:
        return 1.0
    said = evaluate(rule.score, item)
    if isinstance(said, str):
        return rule.scores[said]
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= 1:
        raise TypeError("not a score")
    return float(said)


def _span(rule: SpanRule, item: Any, places: _Places, evaluate: Evaluation) -> Span | None:
    if rule.text is not None:
        return _standing(evaluate(rule.text, item), places.content)
    assert rule.start is not None
    assert rule.end is not None
    start, end = (places.point(rule.unit, _whole(evaluate(each, item))) for each in (rule.start, rule.end))
    if not 0 <= start < end <= len(places.content):
        raise ValueError("outside the content")
    return Span(start=start, end=end)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError("not a whole number")
    return int(value)


def _standing(text: Any, content: str) -> Span | None:
    """Where *text* stands; nothing where it stands nowhere, or more than once and nobody says which."""
    if not isinstance(text, str):
        raise TypeError("not a text")
    start = content.find(text) if text else -1
    if start < 0 or content.find(text, start + 1) >= 0:
        return None
    return Span(start=start, end=start + len(text))
