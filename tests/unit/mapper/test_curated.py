"""The vocabularies we ship, and the traps they were curated around."""

import pytest

from llama_mapper.taxonomy import Taxonomy
from mapper_serving.lint import Report, lint
from mapper_serving.rules import Rules
from tests.fakes.mapping import finding

from .conftest import FOLDER


@pytest.fixture(scope="module")
def report(taxonomy: Taxonomy) -> Report:
    return lint(FOLDER, taxonomy)


def test_all_of_them_lint_clean(report: Report) -> None:
    assert report.faults == ()


def test_they_cover_what_was_promised(report: Report) -> None:
    assert len({one.vocabulary.detector for one in report.coverage}) >= 30
    assert sum(one.mapped for one in report.coverage) >= 1200


def test_most_canonical_labels_are_reached(report: Report) -> None:
    assert report.reached_share >= 0.9


def test_every_vocabulary_names_its_source_and_every_unmapped_word_its_reason(report: Report) -> None:
    for one in report.coverage:
        assert len(one.vocabulary.source.reference) > 5, one.vocabulary.id
        assert all(len(reason) > 5 for reason in one.vocabulary.unmapped.values()), one.vocabulary.id


@pytest.mark.parametrize(
    ("detector", "version", "label", "mapped"),
    [
        ("llama-guard", "2", "S5", ["HARM.SpecializedAdvice"]),
        ("llama-guard", "3-8b", "S5", ["HARM.Speech.Defamation"]),
        ("llama-guard-2", "unknown", "S5", ["HARM.SpecializedAdvice"]),
        ("llama-guard-3-1b", "unknown", "S5", ["HARM.Speech.Defamation"]),
        ("llama-guard", "unknown", "S5", None),
        ("llama-guard", "5", "S5", None),
        ("hate-classifiers-hf", "unknown", "LABEL_0", None),
        ("hate-classifiers-hf", "unknown", "LABEL_1", None),
        ("davidson", "unknown", "0", ["HARM.Hate"]),
        ("davidson", "unknown", "2", ["SAFETY_NEGATIVE.NONE"]),
        ("hatesonar", "0.1.0", "neither", ["SAFETY_NEGATIVE.NONE"]),
        ("hatesonar", "0.1.0", "hate_speech", ["HARM.Hate"]),
        ("beavertails", "unknown", "sexually_explicit,adult_content", ["HARM.Sexual.Explicit"]),
        ("openai-moderation", "unknown", "sexual", ["HARM.Sexual"]),
        ("presidio", "2.2.366", "DATE_TIME", ["OTHER.Entity.Date"]),
        ("aws-comprehend-pii", "unknown", "DATE_TIME", ["OTHER.Entity.Date"]),
        ("google-dlp", "unknown", "DATE_OF_BIRTH", ["PII.Person.DateOfBirth"]),
        ("spacy-en-ner", "3.8.0", "GPE", ["PII.Location.Place"]),
        ("nvidia-gliner-pii", "unknown", "country", ["PII.Location.Place"]),
        ("conll-ner", "unknown", "B-PER", ["PII.Person.Name"]),
        ("conll-ner", "unknown", "E-PER", ["PII.Person.Name"]),
        ("presidio", "2.2.366", "email_address", ["PII.Contact.Email"]),
        ("presidio", "3.0", "EMAIL_ADDRESS", None),
    ],
)
def test_a_known_trap_is_avoided(
    rules: Rules, detector: str, version: str, label: str, mapped: list[str] | None
) -> None:
    resolution = rules.resolve(finding(label, detector, version))
    assert ([one.label for one in resolution.labels] if resolution else None) == mapped


def test_no_class_index_of_a_head_with_several_checkpoints_is_mapped(report: Report) -> None:
    indexed = [
        (one.vocabulary.detector, word)
        for one in report.coverage
        for word in one.vocabulary.labels
        if word.upper().startswith("LABEL_")
    ]
    assert indexed == []


def test_no_plain_date_is_a_date_of_birth_and_no_country_an_address(report: Report) -> None:
    for one in report.coverage:
        for word, rule in one.vocabulary.labels.items():
            targets = {target.label for target in rule.targets}
            if word.upper() in {"DATE", "DATE_TIME", "DATETIME", "TIME"}:
                assert "PII.Person.DateOfBirth" not in targets, one.vocabulary.id
            if word.upper() in {"COUNTRY", "GPE", "NATION"}:
                assert not any(target.startswith("PII.Contact.Address") for target in targets), one.vocabulary.id


@pytest.mark.parametrize(
    ("grade", "labels", "severities"),
    [
        (0, ["SAFETY_NEGATIVE.NONE"], {0}),
        ("0", ["SAFETY_NEGATIVE.NONE"], {0}),
        (1, ["SAFETY_NEGATIVE.NONE"], {0}),
        (2, ["HARM.Hate"], {1}),
        (4, ["HARM.Hate"], {2, 3}),
        (6, ["HARM.Hate"], {3, 4}),
    ],
)
def test_azures_zero_is_not_hate(rules: Rules, grade: float | str, labels: list[str], severities: set[int]) -> None:
    resolution = rules.resolve(finding("Hate", "azure-content-safety", severity=grade))
    assert resolution is not None
    assert [one.label for one in resolution.labels] == labels
    assert {one.severity for one in resolution.labels} <= severities


@pytest.mark.parametrize(
    ("detector", "label", "grade"),
    [
        ("aws-bedrock-guardrails-content", "HATE", "NONE"),
        ("gemini-harm", "HARM_CATEGORY_HATE_SPEECH", "HARM_SEVERITY_NEGLIGIBLE"),
        ("gemini-harm", "HARM_CATEGORY_HATE_SPEECH", "negligible"),
    ],
)
def test_a_vendors_word_for_nothing_is_negative(rules: Rules, detector: str, label: str, grade: str) -> None:
    resolution = rules.resolve(finding(label, detector, severity=grade))
    assert resolution is not None
    assert resolution.negative
