from typing import Any

import pytest

from llama_mapper.taxonomy import Taxonomy
from mapper_serving.resolution import Resolution
from mapper_serving.rules import Rules
from mapper_serving.vocabulary import Vocabularies, Vocabulary
from tests.fakes.mapping import finding
from tests.fakes.reviews import decision

from .conftest import MINIMAL

AZURE_LIKE = {"bands": [{"at_most": 1, "severity": 0, "negative": True}, {"at_most": 7, "severity": 3}]}


def resolve(taxonomy: Taxonomy, label: str, changes: dict[str, Any], **rest: object) -> Resolution | None:
    rules = Rules(Vocabularies([Vocabulary.model_validate(MINIMAL | changes)]), taxonomy)
    return rules.resolve(finding(label, "tool", "1", **rest))


@pytest.mark.parametrize(
    ("read", "relation", "confidence"),
    [
        ("parsed", "exact", 0.99),
        ("parsed", "broader", 0.99),
        ("parsed", "narrower", 0.7425),
        ("parsed", "related", 0.7425),
        ("public-file", "exact", 0.97),
        ("unverified", "exact", 0.9),
        ("unverified", "related", 0.675),
        ("reviewed", "exact", 0.97),
        ("reviewed", "narrower", 0.7275),
    ],
)
def test_confidence_is_how_the_list_was_read_and_how_near_the_target_is(
    taxonomy: Taxonomy, read: str, relation: str, confidence: float
) -> None:
    changes = {
        "source": {"reference": "x", "read": read},
        "labels": {"WORD": {"to": "PII.Contact", "relation": relation}},
    }
    resolution = resolve(taxonomy, "WORD", changes)
    assert resolution is not None
    assert [(one.label, one.relation) for one in resolution.labels] == [("PII.Contact", relation)]
    assert resolution.labels[0].confidence == pytest.approx(confidence)
    vocabulary = "reviewed:tool:any" if read == "reviewed" else "tool:any"
    assert (resolution.method, resolution.negative, resolution.vocabulary) == ("rule", False, vocabulary)


def test_without_a_grade_the_severity_is_the_taxonomys(taxonomy: Taxonomy) -> None:
    resolution = resolve(taxonomy, "EMAIL", {})
    assert resolution is not None
    assert resolution.labels[0].severity == taxonomy["PII.Contact.Email"].severity


@pytest.mark.parametrize(("grade", "severity"), [(4, 3), ("4", 3), (7, 3), (99, 3), ("unheard of", 2)])
def test_the_vendors_grade_replaces_the_taxonomys_where_the_scale_knows_it(
    taxonomy: Taxonomy, grade: float | str, severity: int
) -> None:
    resolution = resolve(taxonomy, "EMAIL", {"severity": AZURE_LIKE}, severity=grade)
    assert resolution is not None
    assert (resolution.labels[0].severity, resolution.negative) == (severity, False)


def test_a_grade_without_a_scale_changes_nothing(taxonomy: Taxonomy) -> None:
    assert resolve(taxonomy, "EMAIL", {}, severity=0) == resolve(taxonomy, "EMAIL", {})


@pytest.mark.parametrize("grade", [0, 1, "0"])
def test_a_grade_that_says_nothing_found_makes_the_finding_negative(taxonomy: Taxonomy, grade: float | str) -> None:
    resolution = resolve(taxonomy, "EMAIL", {"severity": AZURE_LIKE}, severity=grade)
    assert resolution is not None
    assert [(one.label, one.severity) for one in resolution.labels] == [("SAFETY_NEGATIVE.NONE", 0)]
    assert resolution.negative


def test_a_negative_word_is_negative_whatever_its_grade(taxonomy: Taxonomy) -> None:
    resolution = resolve(taxonomy, "SAFE", {"labels": {"SAFE": "negative"}, "severity": AZURE_LIKE}, severity=7)
    assert resolution is not None
    assert resolution.negative


def test_several_targets_all_stand(taxonomy: Taxonomy) -> None:
    resolution = resolve(taxonomy, "CARD", {"labels": {"CARD": {"to": ["PII.Financial", "PII.Person.Name"]}}})
    assert resolution is not None
    assert [one.label for one in resolution.labels] == ["PII.Financial", "PII.Person.Name"]


@pytest.mark.parametrize("label", ["PII.Contact.Email", "HARM", "OTHER.Entity.Date"])
def test_a_producer_that_speaks_the_taxonomy_is_understood(taxonomy: Taxonomy, label: str) -> None:
    resolution = Rules(Vocabularies([]), taxonomy).resolve(finding(label))
    assert resolution is not None
    assert [(one.label, one.relation, one.confidence) for one in resolution.labels] == [(label, "exact", 1.0)]
    assert (resolution.negative, resolution.vocabulary) == (False, "taxonomy")


@pytest.mark.parametrize("label", ["SAFETY_NEGATIVE.NONE", "SAFETY_NEGATIVE"])
def test_the_taxonomys_own_negative_is_negative_and_so_is_its_pillar(taxonomy: Taxonomy, label: str) -> None:
    resolution = Rules(Vocabularies([]), taxonomy).resolve(finding(label))
    assert resolution is not None
    assert resolution.negative


@pytest.mark.parametrize("label", ["PII.Contact.Emails", "pii.contact.email", "NONE", "PII."])
def test_what_only_resembles_a_taxonomy_label_is_not_one(taxonomy: Taxonomy, label: str) -> None:
    assert Rules(Vocabularies([]), taxonomy).resolve(finding(label)) is None


def test_a_vendors_word_goes_before_the_taxonomys(taxonomy: Taxonomy) -> None:
    resolution = resolve(taxonomy, "PII", {"labels": {"PII": "PII.Contact"}})
    assert resolution is not None
    assert resolution.labels[0].label == "PII.Contact"


@pytest.mark.parametrize(
    ("relation", "confidence"), [("exact", 0.97), ("broader", 0.97), ("narrower", 0.7275), ("related", 0.7275)]
)
def test_what_a_person_said_is_a_rule_with_their_relation(taxonomy: Taxonomy, relation: str, confidence: float) -> None:
    said = decision("PII.Contact.Email", "HARM", relation=relation)
    resolution = Rules(Vocabularies([]), taxonomy).reviewed(finding("NEW", "tool"), said)
    assert resolution is not None
    assert [(one.label, one.relation, one.confidence) for one in resolution.labels] == [
        ("PII.Contact.Email", relation, confidence),
        ("HARM", relation, confidence),
    ]
    assert (resolution.method, resolution.vocabulary) == ("rule", "reviewed:tool")


@pytest.mark.parametrize(("grade", "negative"), [(0, True), (4, False), (None, False)])
def test_the_vendors_grade_counts_for_a_label_that_a_person_decided(
    taxonomy: Taxonomy, grade: float | None, negative: bool
) -> None:
    rules = Rules(Vocabularies([Vocabulary.model_validate(MINIMAL | {"severity": AZURE_LIKE})]), taxonomy)
    resolution = rules.reviewed(finding("NEW", "tool", severity=grade), decision("HARM.Hate"))
    assert resolution is not None
    assert resolution.negative is negative


def test_what_the_taxonomy_has_lost_is_no_rule(taxonomy: Taxonomy) -> None:
    rules = Rules(Vocabularies([]), taxonomy)
    assert rules.reviewed(finding("NEW"), decision("HARM", "PII.Contact.Pager")) is None
