from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.analyze.compliance.gaps import gaps
from functions.analyze.frameworks import Frameworks
from llama_mapper.contracts.compliance import GapsRequest, GapsResponse
from llama_mapper.contracts.problems import InvalidRequest
from llama_mapper.taxonomy import parse

from .samples import SPEAKERS, framework

NAMES = (
    "PII", "PII.Contact", "PII.Contact.Email", "PII.Health", "SECRET", "SECRET.Token", "SECRET.Key", "HARM",
    "SAFETY_NEGATIVE", "SAFETY_NEGATIVE.NONE", "OTHER", "OTHER.Unknown",
)  # fmt: skip
TAXONOMY = parse(
    {
        "version": "2026.11",
        "labels": [
            {"name": n, "definition": "A sentence.", "aliases": [n], "severity": 1, "sensitivity": "internal"}
            for n in NAMES
        ],
    }
)
FRAMEWORKS = Frameworks([framework("rules"), framework("more")], default=("rules",))


def ask(*detectors: str, seen: dict[str, int] | None = None, **rest: Any) -> GapsResponse:
    request = {
        "detectors": [{"detector": name} for name in detectors],
        "seen": [{"label": label, "findings": n} for label, n in (seen or {}).items()],
        "frameworks": ["rules"],
    }
    return gaps(GapsRequest.model_validate(request | rest), FRAMEWORKS, TAXONOMY, SPEAKERS)


def standings(answer: GapsResponse) -> dict[str, str]:
    return {control.control: control.standing for control in answer.frameworks[0].controls}


@pytest.mark.parametrize(
    ("detectors", "seen", "expected"),
    [
        ((), {}, ("not_judged", "not_judged", "not_judged")),
        (("mail",), {}, ("watched", "watched", "not_judged")),
        (("mail",), {"PII.Contact.Email": 3}, ("evidence", "evidence", "not_judged")),
        (("broad",), {}, ("watched", "broader_only", "not_judged")),
        (("keys",), {}, ("not_judged", "not_judged", "watched")),
        (("nobody",), {"SECRET.Key": 1}, ("not_judged", "not_judged", "evidence")),
        (("mail",), {"HARM": 1}, ("watched", "watched", "not_judged")),
    ],
)
def test_a_control_stands_by_the_best_of_its_labels(
    detectors: tuple[str, ...], seen: dict[str, int], expected: tuple[str, ...]
) -> None:
    assert tuple(standings(ask(*detectors, seen=seen)).values()) == expected


def test_standings_count_every_control_once() -> None:
    (result,) = ask("mail", seen={"PII.Contact.Email": 3}).frameworks
    counted = result.standings
    assert (counted.evidence, counted.watched, counted.broader_only, counted.not_judged) == (2, 0, 0, 1)


def test_evidence_is_told_with_its_findings_added_up() -> None:
    twice = {"detectors": [], "seen": [{"label": "PII.Contact.Email", "findings": 2}] * 2, "frameworks": ["rules"]}
    answer = gaps(GapsRequest.model_validate(twice), FRAMEWORKS, TAXONOMY, SPEAKERS)
    (first, *_) = answer.frameworks[0].controls
    assert [(one.label, one.findings) for one in first.seen] == [("PII.Contact.Email", 4)]


def test_labels_that_nobody_judged_are_named_with_how_many_detectors_could() -> None:
    answer = ask("mail")
    assert {each.label: (each.reach, each.reported_by) for each in answer.not_judged} == {
        "PII.Health": ("none", 0),
        "SECRET": ("none", 1),
        "SECRET.Token": ("none", 1),
        "SECRET.Key": ("none", 1),
        "HARM": ("none", 0),
    }


def test_a_broader_word_alone_is_not_enough() -> None:
    reaches = {str(each.label): each.reach for each in ask("broad").not_judged}
    assert reaches["PII.Health"] == "broader"
    assert "PII" not in reaches


def test_verdicts_and_unread_findings_are_no_labels_to_be_judged() -> None:
    answer = ask()
    labels = answer.labels
    assert labels.itself + labels.narrower + labels.broader + labels.none == len(NAMES) - 4
    assert not {each.label for each in answer.not_judged} & {"SAFETY_NEGATIVE.NONE", "OTHER.Unknown"}


def test_detectors_that_close_a_gap_are_offered_most_labels_first_and_not_those_that_ran() -> None:
    controls = {control.control: control for control in ask("mail").frameworks[0].controls}
    assert [(one.detector, one.versions, one.labels) for one in controls["R 3"].closed_by] == [("keys", ("1",), 2)]
    assert controls["R 3"].closed_by_total == 1
    assert [one.detector for one in controls["R 1"].closed_by] == []
    assert ("mail",) not in [tuple(one.detector for one in control.closed_by) for control in controls.values()]


def test_a_detector_that_ran_under_another_name_is_not_offered() -> None:
    offered = {one.detector for control in ask("post").frameworks[0].controls for one in control.closed_by}
    assert "mail" not in offered


def test_few_detectors_that_open_every_control_are_named_in_order() -> None:
    (result,) = ask().frameworks
    assert [(step.detector, step.controls) for step in result.close_with] == [("mail", 2), ("keys", 1)]
    assert ask("mail", "keys").frameworks[0].close_with == ()


def test_a_detector_that_no_vocabulary_knows_is_said_to_be_unknown() -> None:
    answer = ask("mail", "nobody")
    assert [(d.detector, d.known, d.labels) for d in answer.detectors] == [("mail", True, 1), ("nobody", False, 0)]


def test_what_nobody_was_expected_to_see_is_named() -> None:
    answer = ask("mail", seen={"SECRET.Key": 1, "PII.Contact.Email": 1, "IP": 2})
    assert answer.unexpected == ("SECRET.Key",)
    assert answer.unknown == ("IP",)


def test_seen_labels_without_a_control_keep_their_reason() -> None:
    (result,) = ask("mail", seen={"HARM": 1}).frameworks
    assert [(one.label, one.reason) for one in result.seen_without_control] == [
        ("HARM", "These rules are not about harm.")
    ]


def test_all_frameworks_answer_unless_some_are_named() -> None:
    assert [one.framework for one in ask("mail", frameworks=None).frameworks] == ["more", "rules"]


def test_a_framework_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        ask("mail", frameworks=["hippa"])


DETECTORS = st.lists(st.sampled_from(["mail", "broad", "keys", "nobody"]), unique=True)
SEEN = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9))
RANK = {"not_judged": 0, "broader_only": 1, "watched": 2, "evidence": 3}


@settings(max_examples=60, deadline=None)
@given(detectors=DETECTORS, seen=SEEN, more=st.sampled_from(["mail", "broad", "keys"]))
def test_one_more_detector_never_makes_a_control_stand_worse(
    detectors: list[str], seen: dict[str, int], more: str
) -> None:
    before, after = ask(*detectors, seen=seen), ask(*detectors, more, seen=seen)
    assert all(RANK[standings(after)[name]] >= RANK[stand] for name, stand in standings(before).items())
    assert len(after.not_judged) <= len(before.not_judged)


@settings(max_examples=60, deadline=None)
@given(detectors=DETECTORS, seen=SEEN)
def test_following_the_steps_leaves_no_control_that_could_be_opened(detectors: list[str], seen: dict[str, int]) -> None:
    before = ask(*detectors, seen=seen).frameworks[0]
    added = [step.detector for step in before.close_with]
    assert ask(*detectors, *added, seen=seen).frameworks[0].close_with == ()
