from pathlib import Path
from typing import Any

import pytest

from llama_mapper.taxonomy import Taxonomy
from mapper_serving.lint import lint

from .conftest import Write


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"published": 2}, "published 2 labels, only 1 are mapped or explained"),
        ({"unmapped": {"EMAIL": "no"}}, "EMAIL: both mapped and unmapped"),
        ({"labels": {"EMAIL": {"to": []}}}, "EMAIL: no target"),
        ({"labels": {"E1": {"to": ["PII", "PII"]}}}, "E1: a target stands twice"),
        ({"labels": {"EMAIL": "PII.Contact.Mail"}}, "EMAIL: no label PII.Contact.Mail"),
        ({"labels": {"EMAIL": ["PII"]}}, None),
        ({"labels": {"WHAT": "OTHER.Unknown"}}, "WHAT: OTHER.Unknown is no target of a curated map"),
        ({"labels": {"SAFE": "SAFETY_NEGATIVE.NONE"}}, "SAFE: SAFETY_NEGATIVE.NONE is written 'negative'"),
        ({"labels": {"SAFE": "SAFETY_NEGATIVE"}}, "SAFE: SAFETY_NEGATIVE is written 'negative'"),
        (
            {"labels": {"email address": "PII.Contact"}},
            "email address: PII.Contact.Email below PII.Contact has this very alias; use it, or say why not in a note",
        ),
        (
            {"labels": {"E1": {"to": "PII.Contact", "description": "Email address"}}},
            "E1: PII.Contact.Email below PII.Contact has this very alias; use it, or say why not in a note",
        ),
    ],
)
def test_a_planted_fault_is_found(write: Write, taxonomy: Taxonomy, changes: dict[str, Any], fault: str | None) -> None:
    path = write(**changes)
    faults = lint(path.parent, taxonomy).faults
    assert len(faults) == 1
    assert fault is None or faults == (f"tool.yaml: {fault}",)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"labels": {"email address": "PII.Contact.Email"}},
        {"labels": {"email address": {"to": "PII.Contact", "note": "any address, of the post too"}}},
        {"labels": {"email address": {"to": ["PII.Contact", "PII.Contact.Email"]}}},
        {"published": 2, "unmapped": {"OTHER": "holds what fits nowhere else"}},
        {"labels": {"SAFE": "negative"}},
    ],
)
def test_a_near_miss_is_clean(write: Write, taxonomy: Taxonomy, changes: dict[str, Any]) -> None:
    path = write(**changes)
    assert lint(path.parent, taxonomy).faults == ()


def test_two_files_for_one_detector_and_version_are_a_fault(write: Write, taxonomy: Taxonomy) -> None:
    write("a.yaml", versions=["1", "2"])
    path = write("b.yaml", detector="another", aliases=["tool"], versions=["2", "3"])
    assert lint(path.parent, taxonomy).faults == ("b.yaml: tool 2 is already the business of a.yaml",)


def test_a_file_that_cannot_be_read_does_not_hide_the_others_faults(write: Write, taxonomy: Taxonomy) -> None:
    write("a.yaml", text="[")
    path = write("b.yaml", published=3)
    faults = lint(path.parent, taxonomy).faults
    assert [fault.split(":")[0] for fault in faults] == ["a.yaml", "b.yaml"]


def test_a_folder_without_vocabularies_is_not_clean(tmp_path: Path, taxonomy: Taxonomy) -> None:
    assert lint(tmp_path, taxonomy).faults == (f"{tmp_path}: no vocabularies here",)


def test_coverage_and_reach_are_counted(write: Write, taxonomy: Taxonomy) -> None:
    labels = {"EMAIL": "PII.Contact.Email", "C": {"to": "PII.Contact", "relation": "broader"}, "SAFE": "negative"}
    path = write(published=6, labels=labels, unmapped={"X": "x", "Y": "y", "Z": "z"})
    report = lint(path.parent, taxonomy)
    (one,) = report.coverage
    assert (one.mapped, one.negatives, one.unmapped, one.exact, one.share) == (3, 1, 3, 1, 0.5)
    assert report.reached == {"PII.Contact.Email", "PII.Contact", "SAFETY_NEGATIVE.NONE"}
    assert report.reached_share == pytest.approx(3 / (len(taxonomy.labels) - 1))
    assert "OTHER.Unknown" not in report.unreached


REVIEWED = {"source": {"reference": "its review", "read": "reviewed"}}
WHO = {"by": "ada", "at": "2026-11-23T08:00:00Z"}


def test_a_reviewed_map_may_stand_beside_the_vendors_list_but_not_beside_another_of_its_kind(
    write: Write, taxonomy: Taxonomy
) -> None:
    labels = {"NEW": {"to": "HARM", "reviewed": WHO}}
    write("a.yaml")
    path = write("b.yaml", **REVIEWED, labels=labels)
    assert lint(path.parent, taxonomy).faults == ()
    write("c.yaml", **REVIEWED, labels=labels)
    assert lint(path.parent, taxonomy).faults == ("c.yaml: tool * is already the business of b.yaml",)


def test_a_reviewed_rule_says_who_decided_and_that_is_reason_enough(write: Write, taxonomy: Taxonomy) -> None:
    path = write(**REVIEWED, labels={"email address": {"to": "PII.Contact", "reviewed": WHO}})
    assert lint(path.parent, taxonomy).faults == ()
    write(**REVIEWED, labels={"NEW": "HARM"})
    assert lint(path.parent, taxonomy).faults == ("tool.yaml: NEW: nobody is named who reviewed it",)
