from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.conflicts import Pair, settle
from llama_mapper.contracts.orchestration import ContentType
from tests.fakes.mapping import finding
from tests.fakes.orchestration import mapping

LABELS = (
    "PII",
    "PII.Contact",
    "PII.Contact.Email",
    "PII.Contact.Phone",
    "PII.Identifier",
    "PII.Identifier.Tax",
    "SECRET",
    "SECRET.Key",
    "HARM.Hate",
)


def pair(
    span: tuple[int, int] | None, *labels: str, score: float | None = 0.8, detector: str = "one", negative: bool = False
) -> Pair:
    place = {"start": span[0], "end": span[1]} if span else None
    said = finding("WORD", detector, score=score, span=place)
    return said, mapping(said, *labels, negative=negative)


def labels_of(pairs: Sequence[Pair]) -> list[str]:
    return [label.label for _, mapped in pairs for label in mapped.labels]


EMAIL, TAX = "PII.Contact.Email", "PII.Identifier.Tax"


@pytest.mark.parametrize(
    ("one", "two", "stay"),
    [
        (pair((0, 9), EMAIL, score=0.9), pair((0, 9), TAX, score=0.8), [EMAIL]),
        (pair((0, 9), EMAIL, score=0.7), pair((0, 9), TAX, score=0.8), [TAX]),
        (pair((0, 9), EMAIL, score=None), pair((0, 9), TAX, score=0.99), [EMAIL]),
        (pair((0, 9), EMAIL), pair((0, 12), TAX), [TAX]),
        (pair((0, 10), EMAIL), pair((6, 16), TAX), [EMAIL, TAX]),
        (pair((0, 10), EMAIL), pair((5, 15), TAX), [EMAIL, TAX]),
        (pair((0, 10), EMAIL), pair((4, 15), TAX), [TAX]),
        (pair((0, 10), EMAIL), pair((10, 20), TAX), [EMAIL, TAX]),
        (pair((0, 100), EMAIL, score=0.9), pair((50, 52), TAX, score=0.8), [EMAIL]),
        (pair((0, 9), EMAIL, score=0.9), pair((0, 9), EMAIL, score=0.8), [EMAIL, EMAIL]),
        (pair((0, 9), EMAIL, score=0.9), pair((0, 9), "HARM.Hate"), [EMAIL, "HARM.Hate"]),
        (pair((0, 9), EMAIL, score=0.9), pair((0, 9), "SECRET.Key"), [EMAIL, "SECRET.Key"]),
        (pair((0, 9), EMAIL, score=0.3), pair((0, 9), "PII.Contact"), [EMAIL]),
        (pair((0, 9), EMAIL, score=0.3), pair((0, 9), "PII"), [EMAIL]),
        (pair((0, 9), "PII.Contact"), pair((0, 9), "PII.ContactX", score=0.9), ["PII.ContactX"]),
        (pair(None, EMAIL), pair((0, 9), TAX), [EMAIL, TAX]),
        (pair((0, 9), "SAFETY_NEGATIVE.NONE", negative=True), pair((0, 9), TAX), ["SAFETY_NEGATIVE.NONE", TAX]),
        (pair((0, 9), "PII.Contact", "PII.Identifier"), pair((0, 9), EMAIL, TAX, score=0.1), [EMAIL, TAX]),
        (pair((0, 9), "PII.Contact", "HARM"), pair((0, 9), EMAIL, score=0.1), ["PII.Contact", "HARM"]),
    ],
)
def test_of_two_readings_of_a_text(one: Pair, two: Pair, stay: list[str]) -> None:
    assert labels_of(settle([one, two], "text")) == stay


@pytest.mark.parametrize("content_type", ["text", "document", "code"])
def test_the_more_certain_one_stays_in_prose_and_in_code(content_type: ContentType) -> None:
    both = [pair((0, 9), EMAIL, score=0.7), pair((0, 9), TAX, score=0.8)]
    assert labels_of(settle(both, content_type)) == [TAX]


def test_in_structured_content_one_value_may_be_two_things() -> None:
    both = [pair((0, 9), EMAIL, score=0.7), pair((0, 9), TAX, score=0.8)]
    assert labels_of(settle(both, "structured")) == [EMAIL, TAX]


def test_a_broader_word_gives_way_in_structured_content_too() -> None:
    both = [pair((0, 9), "PII.Contact", score=0.9), pair((0, 9), EMAIL, score=0.2)]
    assert labels_of(settle(both, "structured")) == [EMAIL]


@pytest.mark.parametrize("secret", ["SECRET", "SECRET.Key"])
@pytest.mark.parametrize("other", [EMAIL, "HARM.Hate"])
def test_in_code_a_secret_beats_any_other_reading(secret: str, other: str) -> None:
    both = [pair((0, 9), other, score=1.0), pair((0, 9), secret, score=0.1)]
    assert labels_of(settle(both, "code")) == [secret]
    assert labels_of(settle(both, "text")) == [other, secret]


def test_in_code_of_two_secrets_the_more_certain_stays() -> None:
    both = [pair((0, 9), "SECRET.Key", score=0.5), pair((0, 9), "SECRET.Token", score=0.6)]
    assert labels_of(settle(both, "code")) == ["SECRET.Token"]


def test_a_reading_that_lost_takes_nobody_with_it() -> None:
    chain = [
        pair((0, 10), "PII.Contact.Email", score=0.5),
        pair((4, 14), "PII.Identifier.Tax", score=0.6),
        pair((8, 18), "PII.Financial", score=0.7),
    ]
    assert labels_of(settle(chain, "text")) == ["PII.Contact.Email", "PII.Financial"]


def test_three_that_beat_each_other_in_a_circle_do_not_all_fall() -> None:
    circle = [
        pair((0, 9), "PII.Contact", score=0.99),
        pair((0, 9), "PII.Contact.Email", score=0.5),
        pair((0, 9), "PII.Identifier.Tax", score=0.7),
    ]
    assert labels_of(settle(circle, "text")) == ["PII.Identifier.Tax"]


def test_what_stays_keeps_its_order() -> None:
    pairs = [pair((20, 30), EMAIL), pair((0, 9), TAX), pair(None, "HARM.Hate"), pair((40, 50), EMAIL)]
    assert settle(pairs, "text") == tuple(pairs)


SPANS = st.tuples(st.integers(0, 20), st.integers(1, 12)).map(lambda place: (place[0], place[0] + place[1]))
PAIRS = st.lists(
    st.builds(
        lambda span, labels, score, detector: pair(span, *sorted(labels), score=score, detector=detector),
        st.none() | SPANS,
        st.sets(st.sampled_from(LABELS), min_size=1, max_size=2),
        st.none() | st.sampled_from([0.2, 0.5, 0.8]),
        st.sampled_from(["one", "two"]),
    ),
    max_size=8,
)
TYPES = st.sampled_from(["text", "document", "code", "structured"])


def same_characters(one: Pair, two: Pair) -> bool:
    assert one[0].span
    assert two[0].span
    shared = min(one[0].span.end, two[0].span.end) - max(one[0].span.start, two[0].span.start)
    shorter = min(span.end - span.start for span in (one[0].span, two[0].span))
    return shared * 2 > shorter


@given(PAIRS, TYPES, st.randoms(use_true_random=False))
def test_the_order_of_the_findings_does_not_matter(
    pairs: list[Pair], content_type: ContentType, random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    one, other = settle(pairs, content_type), settle(shuffled, content_type)
    assert sorted(map(repr, one)) == sorted(map(repr, other))


@given(PAIRS, TYPES)
def test_nothing_is_lost_unless_a_conflicting_one_stays(pairs: list[Pair], content_type: ContentType) -> None:
    kept = settle(pairs, content_type)
    for lost in [one for one in pairs if not any(one is stayed for stayed in kept)]:
        assert lost[0].span is not None
        rivals = [one for one in kept if one[0].span and same_characters(one, lost)]
        assert any(not set(labels_of([one])) & set(labels_of([lost])) for one in rivals)


@given(PAIRS, TYPES)
def test_what_was_settled_is_settled(pairs: list[Pair], content_type: ContentType) -> None:
    once = settle(pairs, content_type)
    assert settle(once, content_type) == once


@given(PAIRS)
def test_in_code_no_secret_is_lost_to_anything_but_a_secret(pairs: list[Pair]) -> None:
    kept = settle(pairs, "code")
    for lost in [one for one in pairs if not any(one is stayed for stayed in kept)]:
        if any(label.startswith("SECRET") for label in labels_of([lost])):
            rivals = [one for one in kept if one[0].span and same_characters(one, lost)]
            assert any(label.startswith("SECRET") for one in rivals for label in labels_of([one]))
