from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_mapper.taxonomy import Taxonomy, TaxonomyError, current_version, load, parse
from llama_mapper.taxonomy.tree import DEFAULT, normalise

from .conftest import Document, Make, document, label


def faults(broken: object) -> tuple[str, ...]:
    with pytest.raises(TaxonomyError) as caught:
        parse(broken)
    return caught.value.faults


def with_labels(*labels: Document, **fields: Any) -> Document:
    whole = document([], **fields)
    return whole | {"labels": [*whole["labels"], *labels]}


def test_a_sound_document_has_no_faults() -> None:
    assert parse(document(["PII.Contact.Email"])).by_name.keys() >= {"PII", "PII.Contact", "PII.Contact.Email"}


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (with_labels(label("PII"), label("PII")), "PII: defined 2 times"),
        (with_labels(label("PII.Contact")), "PII.Contact: its parent PII is not defined"),
        (
            with_labels(label("A", aliases=["E-Mail"]), label("A.B", aliases=["e mail"])),
            "alias 'e mail' is claimed by A and A.B",
        ),
        ({"version": "2026.11", "labels": [label("A")]}, "OTHER.Unknown: every version needs this label"),
        (document([], moves=[{"from": "X", "to": ["Y"]}]), "move from X: no label Y"),
        (document(["A"], moves=[{"from": "A", "to": ["OTHER"]}]), "move from A: that label is still there"),
        (document([], moves=[{"from": "X", "to": ["OTHER"]}] * 2), "move from X: stands 2 times"),
    ],
    ids=["twice", "no parent", "alias twice", "a needed one missing", "to nowhere", "of a survivor", "moved twice"],
)
def test_a_broken_rule_is_named(broken: Document, fault: str) -> None:
    assert fault in faults(broken)


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        (None, ""),
        ([], ""),
        ({}, "version"),
        (document([], version="2026.13"), "version"),
        (document([], version="26.1"), "version"),
        ({"version": "2026.11", "labels": []}, "labels"),
        (with_labels(label("pii")), "(pii)"),
        (with_labels(label("A.B.C.D.E")), "(A.B.C.D.E)"),
        (with_labels(label("A", severity=5)), "severity (A)"),
        (with_labels(label("A", severity=-1)), "severity (A)"),
        (with_labels(label("A", sensitivity="hot")), "sensitivity (A)"),
        (with_labels(label("A", colour="red")), "colour (A)"),
        (with_labels(label("A", aliases=[""])), "aliases.0 (A)"),
        (with_labels(label("A", references={"iso": ["x"]})), "(A)"),
        (with_labels({"name": "A"}), "definition (A)"),
    ],
)
def test_a_wrong_shape_is_named_with_its_label(broken: object, place: str) -> None:
    assert any(place in fault for fault in faults(broken))


def test_every_fault_is_named_at_once() -> None:
    assert len(faults(with_labels(label("A.B"), label("C.D"), label("E"), label("E")))) == 3


def test_pillars_may_share_an_alias() -> None:
    shared = parse(with_labels(label("A", aliases=["age"]), label("B", aliases=["Age"])))
    assert [found.name for found in shared.by_alias["age"]] == ["A", "B"]


def test_the_tree_is_walked_by_names(make: Make) -> None:
    taxonomy = make("PII.Contact.Email", "PII.Contact.Phone", "PIIX")
    assert [child.name for child in taxonomy.children("PII.Contact")] == ["PII.Contact.Email", "PII.Contact.Phone"]
    assert [child.name for child in taxonomy.children(None)] == ["OTHER", "PII", "PIIX", "SAFETY_NEGATIVE"]
    assert (taxonomy["PII.Contact.Email"].pillar, taxonomy["PII.Contact.Email"].parent) == ("PII", "PII.Contact")
    assert taxonomy["PII"].parent is None


@pytest.mark.parametrize(
    ("name", "ancestor", "within"),
    [("PII", "PII", True), ("PII.Contact", "PII", True), ("PIIX", "PII", False), ("PII", "PII.Contact", False)],
)
def test_below_means_below_by_whole_names(make: Make, name: str, ancestor: str, within: bool) -> None:
    assert make("PII.Contact", "PIIX").is_within(name, ancestor) is within


@pytest.fixture
def searched() -> Taxonomy:
    return parse(
        with_labels(
            label("A", definition="Something about a credit card."),
            label("B", aliases=["credit card"]),
            label("CREDIT_CARD"),
        )
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("credit card", ["CREDIT_CARD", "B", "A"]),
        ("CARD  credit", ["CREDIT_CARD", "B", "A"]),
        ("credit-card", ["CREDIT_CARD", "B", "A"]),
        ("something", ["A"]),
        ("credit boat", []),
    ],
)
def test_names_are_found_before_aliases_and_definitions(searched: Taxonomy, words: str, found: list[str]) -> None:
    assert [label.name for label in searched.search(words)] == found


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("E-Mail", "e mail"),
        ("  US_SSN ", "us ssn"),
        ("Straße", "strasse"),
        ("a/b", "a b"),
        ("--", ""),
        ("número", "número"),
    ],
)
def test_words_are_compared_without_case_and_signs(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize("content", [b"labels: [", b"\xff\xfe", b"a: b: c"], ids=["unclosed", "not UTF-8", "no YAML"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(TaxonomyError, match=r"^mine\.yaml: cannot be read"):
        load(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"^mine\.yaml: cannot be read \(FileNotFoundError\)"):
        load(tmp_path / "mine.yaml")


def test_a_file_cannot_make_python_objects(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("version: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(TaxonomyError):
        load(file)


def test_a_taxonomy_written_by_yaml_is_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(document(["A.B"])))
    assert load(file) == parse(document(["A.B"]))


def test_the_version_is_known_without_reading_everything() -> None:
    assert current_version() == load(DEFAULT).version
