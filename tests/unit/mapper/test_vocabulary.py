from pathlib import Path
from typing import Any

import pytest
import yaml

from mapper_serving.vocabulary import (
    Rule,
    SeverityScale,
    Target,
    Vocabularies,
    Vocabulary,
    VocabularyError,
    read,
    read_all,
)

from .conftest import MINIMAL, Write


def faults_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(VocabularyError) as refused:
        read(path)
    return refused.value.faults


def vocabulary(**changes: Any) -> Vocabulary:
    return Vocabulary.model_validate(MINIMAL | changes)


def test_the_minimal_file_is_read(write: Write) -> None:
    read_back = read(write())
    assert read_back.labels == {"EMAIL": Rule(targets=(Target.model_validate({"label": "PII.Contact.Email"}),))}
    assert (read_back.id, read_back.covered) == ("tool:any", 1.0)


@pytest.mark.parametrize(
    ("entry", "targets", "negative"),
    [
        ("PII.Contact", [("PII.Contact", "exact")], False),
        ("negative", [], True),
        ({"to": "PII.Contact", "relation": "broader"}, [("PII.Contact", "broader")], False),
        ({"to": "negative", "description": "all is well"}, [], True),
        ({"to": ["PII", "HARM"]}, [("PII", "exact"), ("HARM", "exact")], False),
        ({"to": ["PII", "HARM"], "relation": "narrower"}, [("PII", "narrower"), ("HARM", "narrower")], False),
        (
            {"to": ["PII", {"label": "HARM", "relation": "related"}], "relation": "narrower"},
            [("PII", "narrower"), ("HARM", "related")],
            False,
        ),
    ],
)
def test_every_short_form_of_an_entry(entry: Any, targets: list[tuple[str, str]], negative: bool) -> None:
    rule = vocabulary(labels={"WORD": entry}).labels["WORD"]
    assert ([(t.label, t.relation) for t in rule.targets], rule.negative) == (targets, negative)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"detektor": "x"}, "detektor"),
        ({"detector": "Upper Case"}, "detector"),
        ({"aliases": ["fine", "not fine"]}, "aliases.1"),
        ({"versions": []}, "versions"),
        ({"versions": ["1.*"]}, "versions.0"),
        ({"versions": ["a" * 60, "b" * 60, "c" * 60]}, "(file)"),
        ({"source": {"reference": "x", "read": "guessed"}}, "source.read"),
        ({"source": None}, "source"),
        ({"published": 0}, "published"),
        ({"labels": {}}, "labels"),
        ({"labels": ["EMAIL"]}, "labels"),
        ({"labels": {"EMAIL": "pii.contact.email"}}, "labels.EMAIL.targets.0.label"),
        ({"labels": {"EMAIL": "PII.Contact.Email.Address.Line"}}, "labels.EMAIL.targets.0.label"),
        ({"labels": {"EMAIL": {"to": "PII", "relation": "exactly"}}}, "labels.EMAIL.targets.0.relation"),
        ({"labels": {"EMAIL": {"to": ["PII"], "relation": "exactly"}}}, "labels.EMAIL.targets.0.relation"),
        ({"labels": {"EMAIL": {"to": "negative", "relation": "exact"}}}, "EMAIL"),
        ({"labels": {"EMAIL": {"to": "PII", "negative": True}}}, "EMAIL"),
        ({"labels": {"EMAIL": {"targets": [{"label": "PII"}]}}}, "EMAIL"),
        ({"labels": {"EMAIL": {"to": "PII", "notes": "typo"}}}, "labels.EMAIL.notes"),
        ({"labels": {"EMAIL": {"relation": "exact"}}}, "labels.EMAIL.targets.0.label"),
        ({"labels": {"EMAIL": None}}, "labels.EMAIL"),
        ({"labels": {5: "PII"}}, "5 is not text"),
        ({"labels": {False: "PII"}}, "False is not text"),
        ({"labels": {"": "PII"}}, "labels."),
        ({"unmapped": {"X": ""}}, "unmapped.X"),
        ({"severity": {"scale": {"HIGH": 5}}}, "severity.scale.HIGH"),
        ({"severity": {"skale": {}}}, "severity.skale"),
        ({"severity": {"scale": {"LOW": 1}, "negative": ["NONE"]}}, "severity"),
        ({"severity": {"bands": [{"at_most": 3, "severity": 1}, {"at_most": 1, "severity": 2}]}}, "severity"),
        ({"severity": {"bands": [{"at_most": 3, "severity": 1}, {"at_most": 3, "severity": 2}]}}, "severity"),
    ],
)
def test_a_fault_is_named_with_file_and_place(write: Write, changes: dict[str, Any], place: str) -> None:
    faults = faults_of(write("typo.yaml", **changes))
    assert all(fault.startswith("typo.yaml: ") for fault in faults)
    assert any(place in fault for fault in faults), faults


def test_all_faults_of_a_file_are_named_at_once(write: Write) -> None:
    assert len(faults_of(write(detektor="x", published=0, labels={"A": "wrong", "B": "wrong"}))) == 4


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("detector: a\ndetector: b\n", "x.yaml: line 2: 'detector' stands twice"),
        ("labels:\n  A: PII\n  B: PII\n  A: HARM\n", "x.yaml: line 4: 'A' stands twice"),
        ("labels: {A: PII, A: PII}\n", "x.yaml: line 1: 'A' stands twice"),
        ("labels:\n  A: {to: PII, to: HARM}\n", "x.yaml: line 2: 'to' stands twice"),
        ("a: [1\nb: 2\n", "x.yaml: not YAML, line 2"),
        ("a: !!python/object/apply:os.getcwd []\n", "x.yaml: not YAML, line 1"),
        ("", "x.yaml: (file): Input should be a valid dictionary or instance of Vocabulary"),
        ("- a\n", "x.yaml: (file): Input should be a valid dictionary or instance of Vocabulary"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused_with_the_line(write: Write, text: str, fault: str) -> None:
    assert faults_of(write("x.yaml", text=text)) == (fault,)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Müller".encode("latin-1"))
    assert faults_of(path) == ("latin.yaml: cannot be read (UnicodeDecodeError)",)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "none.yaml") == ("none.yaml: cannot be read (FileNotFoundError)",)


def test_a_folder_tells_the_faults_of_all_its_files(write: Write, tmp_path: Path) -> None:
    write("a.yaml", published=0)
    write("b.yaml")
    write("c.yaml", kind=None)
    with pytest.raises(VocabularyError) as refused:
        read_all(tmp_path)
    assert [fault.split(":")[0] for fault in refused.value.faults] == ["a.yaml", "c.yaml"]


def test_a_folder_without_vocabularies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(VocabularyError, match="no vocabularies here"):
        read_all(tmp_path)


VERSIONED = Vocabularies(
    vocabulary(name=pattern, versions=[pattern]) for pattern in ("*", "1", "1.2", "1.2.3", "3-8b", "unknowable")
)


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.3.4", "1.2.3"),
        ("1.2.4", "1.2"),
        ("1.2", "1.2"),
        ("1.20", "1"),
        ("1.2-rc1", "1.2"),
        ("1.2+cpu", "1.2"),
        ("1", "1"),
        ("10", "*"),
        ("12.3", "*"),
        ("v1", "*"),
        ("3", "*"),
        ("3-8b", "3-8b"),
        ("3-8B", "*"),
        ("3-8b-instruct", "3-8b"),
        ("3-80b", "*"),
    ],
)
def test_the_version_pattern_that_fits_best_wins(version: str, fits: str) -> None:
    found = VERSIONED.find("tool", version)
    assert found is not None
    assert found.name == fits


def test_without_a_pattern_for_all_an_unmatched_version_has_no_vocabulary() -> None:
    only = Vocabularies([vocabulary(versions=["1", "2"])])
    assert [only.find("tool", version) is not None for version in ("1.9", "2", "3", "21")] == [True, True, False, False]


def test_an_unstated_version_fits_where_there_is_one_vocabulary() -> None:
    assert Vocabularies([vocabulary(versions=["7"])]).find("tool", "unknown") is not None


def test_an_unstated_version_fits_nothing_where_there_are_several() -> None:
    assert VERSIONED.find("tool", "unknown") is None


def test_an_unstated_version_is_no_obstacle_for_an_alias_of_one_vocabulary() -> None:
    both = Vocabularies([vocabulary(versions=["1"], aliases=["tool-1"]), vocabulary(versions=["2"])])
    assert both.find("tool", "unknown") is None
    assert both.find("tool-1", "unknown") is both.all[0]


def test_an_unknown_detector_has_no_vocabulary() -> None:
    assert VERSIONED.find("tools", "1") is None


WORDS = {
    "Person": "PII.Person",
    "LOC": "PII.Location",
    "B-ORG": "OTHER.Entity.Organization",
    "org": "OTHER.Entity",
    "Hate": "HARM.Hate",
    "HATE": "HARM.Speech",
    "same": "PII",
    "SAME": "PII",
}


@pytest.mark.parametrize(
    ("label", "meaning"),
    [
        ("Person", "PII.Person"),
        ("PERSON", "PII.Person"),
        ("person", "PII.Person"),
        ("B-Person", "PII.Person"),
        ("I-PERSON", "PII.Person"),
        ("E-loc", "PII.Location"),
        ("S-LOC", "PII.Location"),
        ("b-org", "OTHER.Entity.Organization"),
        ("B-ORG", "OTHER.Entity.Organization"),
        ("I-ORG", "OTHER.Entity"),
        ("Hate", "HARM.Hate"),
        ("HATE", "HARM.Speech"),
        ("hate", None),
        ("I-Hate", "HARM.Hate"),
        ("I-hate", None),
        ("Same", "PII"),
        ("Persons", None),
        ("X-Person", None),
        ("B-", None),
        ("B-B-LOC", None),
    ],
)
def test_a_word_is_found_as_spelled_then_in_another_case_then_without_its_tag(label: str, meaning: str | None) -> None:
    words = vocabulary(labels=WORDS)
    rule = Vocabularies([words]).rule(words, label)
    assert (rule.targets[0].label if rule else None) == meaning


SCALE = SeverityScale(scale={"NONE": 0, "Low": 1, "HIGH": 3}, negative=("None",))
BANDS = SeverityScale.model_validate(
    {
        "bands": [
            {"at_most": 1, "severity": 0, "negative": True},
            {"at_most": 3, "severity": 1},
            {"at_most": 7, "severity": 3},
        ]
    }
)


@pytest.mark.parametrize(
    ("scale", "value", "grade"),
    [
        (SCALE, "HIGH", (3, False)),
        (SCALE, "high", (3, False)),
        (SCALE, "none", (0, True)),
        (SCALE, "higher", None),
        (SCALE, "3", None),
        (SCALE, 3, None),
        (BANDS, 0, (0, True)),
        (BANDS, -5, (0, True)),
        (BANDS, 1, (0, True)),
        (BANDS, 1.01, (1, False)),
        (BANDS, 7, (3, False)),
        (BANDS, 8, (3, False)),
        (BANDS, "0", (0, True)),
        (BANDS, "2.5", (1, False)),
        (BANDS, "zero", None),
        (BANDS, "1e3", None),
        (SeverityScale(), 1, None),
        (SeverityScale(), "1", None),
    ],
)
def test_a_grade_is_read_by_word_or_by_band(
    scale: SeverityScale, value: float | str, grade: tuple[int, bool] | None
) -> None:
    assert scale.grade(value) == grade


def test_a_file_written_out_and_read_again_is_the_same(write: Write) -> None:
    read_back = read(write(labels=WORDS))
    again = yaml.safe_load(yaml.safe_dump(MINIMAL | {"labels": WORDS}))
    assert Vocabulary.model_validate(again) == read_back


REVIEWED = {"source": {"reference": "its review", "read": "reviewed"}}


def layered(*versions: str) -> Vocabularies:
    """The vendor's list of EMAIL for every version, and NEW as it was reviewed for *versions*."""
    labels = {"EMAIL": "HARM", "NEW": "PII.Contact"}
    return Vocabularies([vocabulary(**REVIEWED, versions=list(versions), labels=labels), vocabulary()])


@pytest.mark.parametrize(
    ("reviewed", "version", "label", "target"),
    [
        ("1.2", "1.2", "EMAIL", "PII.Contact.Email"),
        ("1.2", "1.2", "NEW", "PII.Contact"),
        ("1.2", "1.2.1", "NEW", "PII.Contact"),
        ("1.2", "1.3", "NEW", None),
        ("1.2", "unknown", "NEW", None),
        ("unknown", "unknown", "NEW", "PII.Contact"),
        ("unknown", "1.2", "NEW", None),
        ("*", "unknown", "NEW", "PII.Contact"),
    ],
)
def test_what_was_reviewed_stands_behind_the_vendors_list_and_holds_for_its_version(
    reviewed: str, version: str, label: str, target: str | None
) -> None:
    found = layered(reviewed).lookup("tool", version, label)
    assert (found[1].targets[0].label if found else None) == target


def test_what_was_reviewed_does_not_hide_the_vendors_list() -> None:
    assert layered("1.2").find("tool", "1.2") == vocabulary()
    assert layered("1.2").find("tool", "unknown") == vocabulary()


def test_a_reviewed_map_is_named_so_and_says_who_decided() -> None:
    rule = {"to": "HARM", "reviewed": {"by": "ada", "at": "2026-11-23T08:00:00Z", "adapter": "lora.1"}}
    read_back = vocabulary(**REVIEWED, labels={"NEW": rule})
    assert read_back.id == "reviewed:tool:any"
    reviewed = read_back.labels["NEW"].reviewed
    assert reviewed is not None
    assert (reviewed.by, reviewed.adapter) == ("ada", "lora.1")
