from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.detectors.http_adapter import Adapter
from functions.orchestrate.detectors.http_expressions import Evaluation
from functions.orchestrate.detectors.http_reading import read
from llama_mapper.contracts.problems import DetectorCommunicationFailed

WIDTHS = {"code_points": None, "utf16": "utf-16-le", "utf8": "utf-8"}


def adapter(**rule: Any) -> Adapter:
    finding = {"each": "found", "label": "type", **rule}
    return Adapter.model_validate(
        {
            "name": "some-api",
            "reference": "none",
            "family": "pii",
            "request": {"path": "/", "body": "{content}"},
            "response": {"expects": ["found"], "findings": [finding]},
        }
    )


def spans(content: str, unit: str, *places: tuple[int, int]) -> list[tuple[int, int]]:
    answer = {"found": [{"type": "X", "a": a, "b": b} for a, b in places]}
    reading = read(adapter(span={"start": "a", "end": "b", "unit": unit}), answer, content, Evaluation({}))
    return [(one.span.start, one.span.end) for one in reading.detections if one.span]


@pytest.mark.parametrize(
    ("unit", "place"),
    [("code_points", (3, 6)), ("utf16", (4, 7)), ("utf8", (6, 9))],
)
def test_offsets_after_an_emoji_are_code_points(unit: str, place: tuple[int, int]) -> None:
    assert spans("\U0001f600: Ann", unit, place) == [(3, 6)]


@pytest.mark.parametrize(
    ("unit", "place"),
    [
        ("utf16", (1, 4)),  # between the two halves of the emoji
        ("utf8", (1, 6)),
        ("utf16", (4, 8)),
        ("utf8", (6, 10)),
        ("code_points", (3, 7)),
        ("utf16", (4, 4)),
        ("utf16", (-2, 4)),
    ],
)
def test_a_place_that_is_none_is_a_failed_detector(unit: str, place: tuple[int, int]) -> None:
    with pytest.raises(DetectorCommunicationFailed):
        spans("\U0001f600: Ann", unit, place)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), st.data())
def test_every_place_survives_every_unit(content: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    for unit, encoding in WIDTHS.items():

        def units(index: int, encoding: str | None = encoding) -> int:
            if encoding is None:
                return index
            return len(content[:index].encode(encoding)) // (2 if encoding == "utf-16-le" else 1)

        assert spans(content, unit, (units(start), units(end))) == [(start, end)]


@pytest.mark.parametrize(
    ("content", "text", "place"),
    [
        ("Ann and Bob", "Bob", (8, 11)),
        ("Bob and Bob", "Bob", None),
        ("aaa", "aa", None),
        ("Ann", "Bob", None),
        ("Ann", "", None),
    ],
)
def test_a_text_has_a_place_where_it_stands_once(content: str, text: str, place: tuple[int, int] | None) -> None:
    answer = {"found": [{"type": "NAME", "match": text}]}
    (one,) = read(adapter(span={"text": "match"}), answer, content, Evaluation({})).detections
    assert (one.span and (one.span.start, one.span.end)) == place


@pytest.mark.parametrize(
    ("at_least", "found"), [(None, ["sure", "likely"]), (0.0, ["sure", "likely", "maybe"]), (0.95, ["sure"])]
)
def test_the_settings_threshold_stands_above_the_adapters(at_least: float | None, found: list[str]) -> None:
    rule = {"score": "level", "scores": {"HIGH": 1.0, "MEDIUM": 0.6, "LOW": 0.2}, "at_least": 0.5}
    levels = {"sure": "HIGH", "likely": "MEDIUM", "maybe": "LOW"}
    answer = {"found": [{"type": name, "level": level} for name, level in levels.items()]}
    reading = read(adapter(**rule), answer, "content", Evaluation({}), at_least)
    assert [one.label for one in reading.detections] == found
