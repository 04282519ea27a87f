"""Decisions as vocabularies: what people said, in files that lint clean and that nothing is lost from."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_mapper.contracts.reviews import ReviewItem
from llama_mapper.taxonomy import Taxonomy
from mapper_serving.lint import lint
from mapper_serving.review_export import Exported, export, file_name
from mapper_serving.rules import Rules
from mapper_serving.vocabulary import Vocabularies, VocabularyError, read, read_all
from tests.fakes.mapping import finding, names
from tests.fakes.reviews import AT, decided

from .conftest import FOLDER, Write


@pytest.fixture(scope="module")
def known() -> Vocabularies:
    return Vocabularies(read_all(FOLDER))


@pytest.fixture
def exported(tmp_path: Path, taxonomy: Taxonomy, known: Vocabularies) -> Any:
    def write(*items: ReviewItem) -> Exported:
        return export(items, tmp_path, taxonomy, known)

    return write


def documents(files: Iterable[Path]) -> list[Any]:
    return [yaml.safe_load(path.read_text("utf-8")) for path in files]


def test_an_accepted_label_is_a_rule_with_who_and_when_and_why(exported: Any) -> None:
    item = decided(
        finding("CUST_MAIL", "acme", "2.1", description="where to write", kind="pii"),
        "PII.Contact.Email",
        relation="broader",
        note="their word",
    )
    (path,) = exported(item).files
    assert path.name == "acme@2.1.reviewed.yaml"
    assert documents([path]) == [
        {
            "detector": "acme",
            "versions": ["2.1"],
            "name": "acme, decided in review",
            "kind": "pii",
            "source": {
                "reference": "labels that came to the mapper and that people decided in its review queue",
                "read": "reviewed",
            },
            "published": 1,
            "labels": {
                "CUST_MAIL": {
                    "to": "PII.Contact.Email",
                    "relation": "broader",
                    "description": "where to write",
                    "note": "their word",
                    "reviewed": {"by": "ada", "at": "2026-11-23T08:00:00+00:00", "adapter": "lora.1"},
                }
            },
        }
    ]


AWKWARD = ["1", "no", "<<", "=", "a: b", "Ünïcödé", "'", "- x", "null", "#7", "moderated_content/hate"]


def test_what_is_written_lints_clean_whatever_the_word(exported: Any, tmp_path: Path, taxonomy: Taxonomy) -> None:
    items = [decided(finding(word, "acme"), "HARM") for word in AWKWARD]
    several = decided(finding("both", "acme"), "PII.Contact", "HARM", relation="related")
    nothing = decided(finding("fine", "acme", "v/1:2"), "SAFETY_NEGATIVE.NONE")
    vague = decided(finding("email address", "acme"), "PII.Contact")  # a narrower label has this alias
    assert len(exported(*items, several, nothing, vague).files) == 2
    assert lint(tmp_path, taxonomy).faults == ()
    rules = Rules(Vocabularies(read_all(tmp_path)), taxonomy)
    for word in AWKWARD:
        found = rules.resolve(finding(word, "acme"))
        assert found is not None, word
        assert (names(found.labels), found.labels[0].confidence, found.vocabulary) == (
            ["HARM"],
            0.97,
            "reviewed:acme:unknown",
        )
    negative = rules.resolve(finding("fine", "acme", "v/1:2"))
    assert negative is not None
    assert negative.negative


def test_beside_the_vendors_own_lists_they_lint_clean_and_add_what_those_lack(
    exported: Any, tmp_path: Path, taxonomy: Taxonomy, known: Vocabularies
) -> None:
    exported(
        decided(finding("CUST_MAIL", "presidio", "2.2.366"), "PII.Contact.Email"),
        decided(finding("EMAIL_ADDRESS", "presidio", "2.2.366"), "HARM"),
    )
    for path in FOLDER.glob("*.yaml"):
        (tmp_path / path.name).symlink_to(path)
    assert lint(tmp_path, taxonomy).faults == ()
    rules = Rules(Vocabularies(read_all(tmp_path)), taxonomy)
    for word in ("CUST_MAIL", "EMAIL_ADDRESS", "PHONE_NUMBER"):
        found = rules.resolve(finding(word, "presidio", "2.2.366"))
        assert found is not None
        assert names(found.labels) == ["PII.Contact.Phone" if word == "PHONE_NUMBER" else "PII.Contact.Email"]
    assert rules.resolve(finding("CUST_MAIL", "presidio", "2.3.0")) is None


@pytest.mark.parametrize(
    ("detector", "kinds", "kind"),
    [("presidio", ["secret"], "pii"), ("acme", ["ner", "secret", "secret"], "secret"), ("acme", [None], "guardrail")],
)
def test_the_kind_is_the_vendors_own_else_what_most_findings_said(
    exported: Any, detector: str, kinds: list[str | None], kind: str
) -> None:
    items = [decided(finding(f"L{n}", detector, kind=said), "HARM") for n, said in enumerate(kinds)]
    assert documents(exported(*items).files)[0]["kind"] == kind


def test_a_word_means_what_was_said_last_unless_its_descriptions_tell_it_apart(exported: Any) -> None:
    same = [
        decided(finding("S5", "acme", description=text), "HARM", by=who, at=AT + timedelta(days=day))
        for text, who, day in (("harm", "ada", 0), ("harms", "bob", 1))
    ]
    apart = [
        decided(finding("S6", "acme", description=text), label) for text, label in (("harm", "HARM"), ("bias", "BIAS"))
    ]
    written = exported(*same, *apart)
    (document,) = documents(written.files)
    assert {word: rule["reviewed"]["by"] for word, rule in document["labels"].items()} == {"S5": "bob"}
    assert [line.split(":")[0] for line in written.left_out] == ["acme unknown S6"]


def test_a_label_that_the_taxonomy_has_lost_is_left_out(exported: Any) -> None:
    written = exported(decided(finding("PAGER", "acme"), "PII.Contact.Pager"))
    assert (written.files, len(written.left_out)) == ((), 1)
    assert "no label PII.Contact.Pager" in written.left_out[0]


def test_an_earlier_export_keeps_its_rules_and_what_a_person_changed_and_loses_what_was_taken_back(
    exported: Any,
) -> None:
    (path,) = exported(*(decided(finding(word, "acme"), "HARM") for word in ("A", "B", "C"))).files
    (document,) = documents([path])
    path.write_text(yaml.safe_dump(document | {"kind": "toxicity", "versions": ["*"]}), "utf-8")
    assert exported(decided(finding("B", "acme"), "BIAS"), decided(finding("C", "acme"))).files == (path,)
    (document,) = documents([path])
    assert {word: rule["to"] for word, rule in document["labels"].items()} == {"A": "HARM", "B": "BIAS"}
    assert (document["kind"], document["versions"], document["published"]) == ("toxicity", ["*"], 2)
    exported(*(decided(finding(word, "acme")) for word in ("A", "B")))
    assert not path.exists()


def test_a_vendors_own_list_is_not_written_over(exported: Any, write: Write) -> None:
    path = write(file_name("acme", "unknown"), detector="acme")
    with pytest.raises(VocabularyError, match="holds a vendor's own list"):
        exported(decided(finding("A", "acme"), "HARM"))
    assert not read(path).is_reviewed


def test_what_only_waits_or_has_no_home_writes_nothing(exported: Any, tmp_path: Path) -> None:
    waiting = decided(finding("A", "acme")).model_copy(update={"decision": None})
    assert exported(waiting, decided(finding("B", "acme"))) == ((), ())
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_for_a_vocabulary_is_left_out(exported: Any) -> None:
    written = exported(decided(finding("A", "a" * 60, "1" * 100), "HARM"))
    assert (written.files, len(written.left_out)) == ((), 1)


@pytest.mark.parametrize(
    ("one", "other"), [(("a", "b"), ("a.b", "unknown")), (("a", "1/2"), ("a", "1_2")), (("a", "1:2"), ("a", "1/2"))]
)
def test_two_detectors_never_share_a_file(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert file_name(*one) != file_name(*other)
    assert "/" not in file_name(*one) + file_name(*other)
