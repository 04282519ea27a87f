import itertools
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.orchestrate.ports import RedactionRule
from functions.orchestrate.redaction.redactor import MASK, Place, Redactor, places, sensitive, stretches
from functions.orchestrate.redaction.tokens import Hashes, Tokens
from llama_mapper.chassis.sealing import new_token_keyset
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import InsufficientRbac, InvalidRequest
from llama_mapper.contracts.redaction import RedactionOperator
from tests.fakes.orchestration import DEMO, Fakes, mapping, report

OTHER = TenantId("other")
RULE = RedactionRule("mask", ("PII", "SECRET", "OTHER.Unknown"), 0.5)
TOKENS = Tokens(new_token_keyset())
REDACTOR = Redactor(Hashes(b"k" * 32), TOKENS)
LABELS = ["PII.Contact.Email", "PII.Contact", "SECRET.Key.Private", "PII.Person.Name"]
# Letters, marks that combine with what stands in front of them, characters outside the first plane, white space.
TEXTS = st.text(alphabet="abcXYZ 09@.\n\t\u0301\u200d\u00e9\U0001f600\U0001f468\u202e", min_size=1, max_size=60)


@st.composite
def found(draw: st.DrawFn) -> tuple[str, list[Place]]:
    """A text and places in it: nested, overlapping, touching, equal ones among them."""
    text = draw(TEXTS)
    starts = st.integers(0, len(text) - 1)
    spans = draw(st.lists(starts.flatmap(lambda s: st.tuples(st.just(s), st.integers(s + 1, len(text)))), max_size=8))
    said = [
        {
            "label": draw(st.sampled_from(LABELS)),
            "confidence": draw(st.sampled_from([0.5, 0.7, 1.0])),
            "start": s,
            "end": e,
        }
        for s, e in spans
    ]
    return text, [Place.model_validate(one) for one in said]


def covered(said: list[Place]) -> set[int]:
    return {i for place in said if place.start is not None for i in range(place.start, place.end or 0)}


@given(found())
def test_masked_no_character_of_a_finding_survives_and_no_other_changes(case: tuple[str, list[Place]]) -> None:
    text, said = case
    answer = REDACTOR.redact(text, said, "mask", DEMO, seen=True)
    expected = "".join(MASK if i in covered(said) else character for i, character in enumerate(text))
    assert (answer.content, answer.complete) == (expected, True)


@settings(max_examples=200)
@given(found())
def test_tokens_are_turned_back_into_the_text_as_it_was(case: tuple[str, list[Place]]) -> None:
    text, said = case
    answer = REDACTOR.redact(text, said, "token", DEMO, seen=True)
    assert TOKENS.restore(answer.content, DEMO) == (text, answer.replaced, 0)
    assert answer.replaced == len(stretches(said, len(text))[0])


@pytest.mark.parametrize("operator", ["hash", "token"])
@given(found())
def test_what_stands_between_the_replaced_is_untouched_and_in_order(
    operator: RedactionOperator, case: tuple[str, list[Place]]
) -> None:
    text, said = case
    rest = REDACTOR.redact(text, said, operator, DEMO, seen=True).content
    end = 0
    for stretch in stretches(said, len(text))[0]:
        between = text[end : stretch.start]
        assert rest.startswith(f"{between}<{stretch.label}:")
        rest = rest[len(between) :].partition(">")[2]
        end = stretch.end
    assert rest == text[end:]


@given(found())
def test_stretches_are_in_order_apart_and_cover_what_the_places_cover(case: tuple[str, list[Place]]) -> None:
    text, said = case
    united, lost = stretches(said, len(text))
    assert all(one.end <= two.start for one, two in itertools.pairwise(united))
    assert {i for one in united for i in range(one.start, one.end)} == covered(said)
    assert lost == []


def test_two_values_that_touch_are_two_tokens_and_a_space_between_names_stays() -> None:
    said = [place("PII.Person.Name", 0, 3), place("PII.Person.Name", 4, 8), place("PII.Contact.Email", 8, 11)]
    answer = REDACTOR.redact("Ada King@x.", said, "mask", DEMO, seen=True)
    assert (answer.content, answer.replaced) == ("*** *******", 3)


def test_a_mark_that_combines_is_replaced_only_where_it_was_found() -> None:
    text = unicodedata.normalize("NFD", "Zoé rang")  # Z o e ́
    assert REDACTOR.redact(text, [place("PII.Person.Name", 0, 3)], "mask", DEMO, seen=True).content == "***\u0301 rang"
    assert REDACTOR.redact(text, [place("PII.Person.Name", 0, 4)], "mask", DEMO, seen=True).content == "**** rang"


def test_the_surest_of_what_overlaps_gives_the_label() -> None:
    said = [place("PII.Person.Name", 0, 9, 0.6), place("SECRET.Key.Private", 4, 12, 0.9)]
    assert REDACTOR.redact("0123456789abcdef", said, "hash", DEMO, seen=True).content.startswith(
        "<SECRET.Key.Private:h."
    )


def test_equal_values_are_equal_in_a_text_and_in_no_other_tenants() -> None:
    said = [place("PII.Person.Name", 0, 3), place("PII.Person.Name", 4, 7)]
    ours = REDACTOR.redact("Ada Ada", said, "token", DEMO, seen=True).content
    theirs = REDACTOR.redact("Ada Ada", said, "token", OTHER, seen=True).content
    assert len(set(ours.split())) == len(set(theirs.split())) == 1
    assert set(ours.split()).isdisjoint(theirs.split())


@pytest.mark.parametrize(
    ("label", "confidence", "replaced"),
    [
        ("PII.Contact.Email", 0.5, True),
        ("PII.Contact.Email", 0.49, False),
        ("SECRET", 1.0, True),
        ("OTHER.Unknown", 1.0, True),
        ("OTHER.Entity", 1.0, False),
        ("HARM.Hate", 1.0, False),
        ("PIIX.Contact", 1.0, False),
    ],
)
def test_what_the_policy_names_is_replaced(label: str, confidence: float, replaced: bool) -> None:
    assert bool(sensitive([place(label, 0, 3, confidence)], RULE)) is replaced


def test_a_label_that_is_sure_in_one_place_is_replaced_in_all() -> None:
    said = [place("PII.Person.Name", 0, 3, 0.9), place("PII.Person.Name", 9, 12, 0.1)]
    assert sensitive(said, RULE) == said


def test_what_has_no_place_is_said_and_the_answer_does_not_pretend() -> None:
    said = [place("PII.Contact.Email", 0, 3), place("SECRET.Key.Private"), place("PII.Person.Name", 2, 99)]
    answer = REDACTOR.redact("0123456", said, "mask", DEMO, seen=True)
    assert (answer.complete, answer.without_span) == (False, ("PII.Person.Name", "SECRET.Key.Private"))
    assert answer.content == "***3456"


def test_what_nobody_could_map_counts_as_certain_and_what_was_said_to_be_safe_does_not_count() -> None:
    said = VendorFinding.model_validate(
        {"detector": "d", "detector_version": "1", "label": "X", "score": 0.2, "span": {"start": 1, "end": 4}}
    )
    unmapped = mapping(said, "OTHER.Unknown", confidence=0.0).model_copy(update={"method": "fallback"})
    assert [p.confidence for p in places([(said, unmapped)])] == [1.0]
    assert places([(said, mapping(said, "SAFETY_NEGATIVE.NONE", negative=True))]) == ()


def test_every_span_of_a_label_is_replaced_though_an_answer_lists_a_thousand() -> None:
    said = [place("PII.Contact.Email", 2 * i, 2 * i + 1) for i in range(3000)]
    assert REDACTOR.redact("a " * 3000, said, "mask", DEMO, seen=True).content == "* " * 3000


@pytest.mark.parametrize("operator", ["hash", "token"])
async def test_an_operator_without_a_key_is_refused_before_anything_runs(operator: str) -> None:
    fakes = Fakes()
    with pytest.raises(InvalidRequest) as refused:
        await fakes.judge(redaction=operator)
    assert [error.field for error in refused.value.errors] == ["redaction"]
    assert fakes.detect.asked == []


async def test_the_answer_carries_the_content_without_what_was_found() -> None:
    fakes = Fakes()
    fakes.detect.says = {"words": located("words", ("EMAIL", 9, 24), ("EMAIL", 17, 24))}
    answer = await fakes.judge(content="write to ada@example.org!", redaction="mask")
    assert answer.redaction is not None
    assert (answer.redaction.content, answer.redaction.complete) == ("write to ***************!", True)
    assert "ada@" not in fakes.emit.events[0].model_dump_json()


async def test_nothing_is_given_back_where_nobody_asked() -> None:
    assert (await Fakes().judge()).redaction is None


async def test_the_policy_can_want_it_unasked() -> None:
    fakes = Fakes()
    fakes.policy.unasked, fakes.policy.obligations = "mask", ("mask_spans",)
    fakes.detect.says = {"words": located("words", ("EMAIL", 0, 4))}
    answer = await fakes.judge(content="ada@ wrote")
    assert answer.redaction is not None
    assert answer.redaction.content == "**** wrote"


async def test_the_policy_can_refuse_it() -> None:
    fakes = Fakes()
    fakes.policy.unasked = InsufficientRbac("not you")
    fakes.policy.obligations = ("mask_spans",)
    with pytest.raises(InsufficientRbac):
        await fakes.judge()


async def test_a_detector_that_was_lost_makes_the_redaction_incomplete() -> None:
    fakes = Fakes()
    fakes.detect.says = {"words": located("words", ("EMAIL", 0, 4)), "numbers": report("numbers", status="timeout")}
    answer = await fakes.judge(content="ada@ wrote", redaction="mask", detector_types=["words", "numbers"])
    assert answer.redaction is not None
    assert (answer.redaction.content, answer.redaction.complete) == ("**** wrote", False)


async def test_what_loses_a_conflict_is_replaced_too_as_it_may_be_longer() -> None:
    fakes = Fakes()
    fakes.detect.says = {
        "words": located("words", ("EMAIL", 0, 6)),
        "numbers": located("numbers", ("EMAILISH", 2, 10), score=0.6),
    }
    fakes.mapper.words = {"EMAIL": "PII.Contact.Email", "EMAILISH": "PII.Contact.Phone"}
    answer = await fakes.judge(content="0123456789ab", redaction="mask", detector_types=["words", "numbers"])
    assert answer.redaction is not None
    assert [finding.label for finding in answer.findings] == ["PII.Contact.Email"]
    assert answer.redaction.content == "**********ab"


def place(label: str, start: int | None = None, end: int | None = None, confidence: float = 1.0) -> Place:
    return Place.model_validate({"label": label, "start": start, "end": end, "confidence": confidence})


def located(detector: str, *said: tuple[str, int, int], score: float = 0.9) -> Any:
    detections = [{"label": label, "score": score, "span": {"start": s, "end": e}} for label, s, e in said]
    plain = report(detector)
    return type(plain).model_validate(plain.model_dump() | {"detections": detections})
