import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.detect.windows import Window, merge, overlap_of, split
from llama_mapper.contracts.detection import Detection, Span

WORDS = st.lists(st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=12), max_size=120)
SPACES = st.sampled_from([" ", "\n", "  ", "\t"])
SIZES = st.integers(min_value=100, max_value=400)


def said(label: str, score: float, start: int | None = None, end: int = 0) -> Detection:
    return Detection(label=label, score=score, span=None if start is None else Span(start=start, end=end))


@given(WORDS, SPACES, st.integers(min_value=1, max_value=400))
def test_windows_cover_the_text_in_order_and_are_never_too_long(words: list[str], space: str, size: int) -> None:
    text = space.join(words)
    windows = split(text, size)
    assert windows[0].start == 0
    assert windows[-1].end == len(text)
    assert all(len(w.text) <= size and text[w.start : w.end] == w.text for w in windows)
    assert all(a.start < b.start <= a.end for a, b in itertools.pairwise(windows))


@given(WORDS, SPACES, SIZES)
def test_windows_begin_and_end_at_white_space_when_words_are_short(words: list[str], space: str, size: int) -> None:
    text = space.join(words)
    windows = split(text, size)
    assert all(text[w.start - 1].isspace() for w in windows[1:])
    assert all(w.text[-1].isspace() for w in windows[:-1])


@given(WORDS, SPACES, SIZES, st.data())
def test_a_stretch_of_half_an_overlap_lies_whole_in_one_window(
    words: list[str], space: str, size: int, data: st.DataObject
) -> None:
    text = space.join(words)
    length = min(overlap_of(size) // 2, len(text))
    start = data.draw(st.integers(min_value=0, max_value=len(text) - length))
    assert any(w.start <= start and start + length <= w.end for w in split(text, size))


@given(WORDS, SPACES, SIZES, st.data())
def test_a_finding_in_any_window_comes_back_with_its_span_in_the_text(
    words: list[str], space: str, size: int, data: st.DataObject
) -> None:
    text = space.join(words) or "x"
    windows = split(text, size)
    index = data.draw(st.integers(min_value=0, max_value=len(windows) - 1))
    window = windows[index]
    start = data.draw(st.integers(min_value=0, max_value=len(window.text) - 1))
    end = data.draw(st.integers(min_value=start + 1, max_value=len(window.text)))
    answers = [[said("X", 0.5, start, end)] if w is window else [] for w in windows]
    (found,) = merge(windows, answers)
    assert found.span == Span(start=window.start + start, end=window.start + end)
    assert text[found.span.start : found.span.end] == window.text[start:end]


@given(WORDS, SIZES, st.data())
def test_a_verdict_on_whole_windows_keeps_the_highest_score_and_that_windows_span(
    words: list[str], size: int, data: st.DataObject
) -> None:
    windows = split(" ".join(words) or "x", size)
    scores = data.draw(
        st.lists(st.floats(min_value=0, max_value=1), min_size=len(windows), max_size=len(windows), unique=True)
    )
    (found,) = merge(windows, [[said("toxic", score)] for score in scores])
    best = windows[scores.index(max(scores))]
    assert found.score == max(scores)
    assert found.span == (None if len(windows) == 1 else Span(start=best.start, end=best.end))


TEXT = "aaaa bbbb cccc dddd"
PAIR = [Window(0, "aaaa bbbb cccc "), Window(5, "bbbb cccc dddd")]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(
            [said("X", 0.4, 5, 9)], [said("X", 0.6, 0, 4)], [said("X", 0.6, 5, 9)], id="twice seen is kept once"
        ),
        pytest.param(
            [said("X", 0.9, 10, 14)], [said("X", 0.6, 5, 14)], [said("X", 0.6, 10, 19)], id="cut at the end gives way"
        ),
        pytest.param(
            [said("X", 0.6, 0, 9)], [said("X", 0.9, 0, 4)], [said("X", 0.6, 0, 9)], id="cut at the start gives way"
        ),
        pytest.param(
            [said("Y", 0.9, 10, 14)],
            [said("X", 0.6, 5, 14)],
            [said("Y", 0.9, 10, 14), said("X", 0.6, 10, 19)],
            id="another label does not",
        ),
        pytest.param(
            [said("X", 0.9, 5, 9), said("X", 0.6, 0, 9)],
            [],
            [said("X", 0.6, 0, 9), said("X", 0.9, 5, 9)],
            id="one inside the other away from edges stays",
        ),
        pytest.param([said("X", 0.9, 10, 14)], [], [said("X", 0.9, 10, 14)], id="cut but seen by no neighbour stays"),
    ],
)
def test_findings_of_two_windows_are_merged(
    first: list[Detection], second: list[Detection], expected: list[Detection]
) -> None:
    assert list(merge(PAIR, [first, second])) == expected


def test_a_word_longer_than_a_window_is_cut_where_it_must_be() -> None:
    windows = split("x" * 1000, 100)
    assert windows[-1].end == 1000
    assert all(len(w.text) <= 100 for w in windows)


def test_empty_text_is_one_empty_window() -> None:
    assert split("", 100) == [Window(0, "")]


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split("text", 0)
