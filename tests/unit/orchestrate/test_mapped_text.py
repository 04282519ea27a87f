from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.views.mapped_text import Edit, MappedText, joined


@st.composite
def texts_and_edits(draw: Any) -> tuple[str, list[Edit]]:
    text = draw(st.text(min_size=1, max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    places = list(zip(cuts[::2], cuts[1::2], strict=False))
    return text, [(start, end, draw(st.text(max_size=3))) for start, end in places]


def test_the_source_itself_stands_for_itself() -> None:
    whole = MappedText.of("abc")
    assert (whole.text, whole.origin(0, 3), whole.origin(1, 2)) == ("abc", (0, 3), (1, 2))


def test_what_is_put_in_stands_for_all_it_replaces_and_a_removal_lies_inside_its_neighbours() -> None:
    edited = MappedText.of("a--bcd").edited([(1, 3, ""), (4, 6, "XYZ")])
    assert edited.text == "abXYZ"
    assert edited.origin(0, 2) == (0, 4)
    assert (edited.origin(2, 3), edited.origin(3, 5)) == ((4, 6), (4, 6))


@given(texts_and_edits(), st.data())
def test_maps_never_fall_and_stay_within_the_source_however_often_a_text_is_edited(
    given_text: tuple[str, list[Edit]], data: st.DataObject
) -> None:
    source, edits = given_text
    once = MappedText.of(source).edited(edits)
    places = sorted(data.draw(st.sets(st.integers(0, len(once.text)), max_size=2)))
    twice = once.edited([(places[0], places[1], "+")] if len(places) == 2 else [])
    for mapped in (once, twice):
        assert len(mapped.text) == len(mapped.starts) == len(mapped.ends)
        assert list(mapped.starts) == sorted(mapped.starts)
        assert list(mapped.ends) == sorted(mapped.ends)
        assert all(0 <= start < end <= len(source) for start, end in zip(mapped.starts, mapped.ends, strict=True))


@given(texts_and_edits())
def test_what_was_not_edited_keeps_its_place(given_text: tuple[str, list[Edit]]) -> None:
    source, edits = given_text
    edited = MappedText.of(source).edited(edits)
    touched = {i for start, end, _ in edits for i in range(start, end)}
    kept = {s: c for c, s, e in zip(edited.text, edited.starts, edited.ends, strict=True) if s not in touched}
    assert kept == {i: c for i, c in enumerate(source) if i not in touched}


def test_joined_pieces_each_stand_for_their_range() -> None:
    both = joined([("one", 4, 20), ("two", 30, 40)], "\n\n")
    assert both.text == "one\n\ntwo"
    assert (both.origin(0, 3), both.origin(5, 8), both.origin(1, 6)) == ((4, 20), (30, 40), (4, 40))
