"""Our labels in OpenAI's categories: the table against the taxonomy."""

import pytest

from functions.orchestrate.moderations.categories import CATEGORIES, TABLE, categories_of, scores
from llama_mapper.taxonomy import load
from tests.fakes.findings import found

TAXONOMY = load()


def test_every_entry_is_a_label_of_the_taxonomy() -> None:
    assert [label for label in TABLE if label not in TAXONOMY] == []


def test_every_category_is_reached_from_the_taxonomy() -> None:
    assert {category for label in TAXONOMY.labels for category in categories_of(label.name)} == set(CATEGORIES)


def test_a_narrower_category_comes_with_its_broader_one_but_for_grooming() -> None:
    narrow = {label: names for label, names in TABLE.items() if any("/" in name for name in names)}
    alone = {label for label, names in narrow.items() if not {name.partition("/")[0] for name in names} <= set(names)}
    assert alone == {"HARM.ChildSafety.Grooming"}


@pytest.mark.parametrize(
    ("label", "categories"),
    [
        ("HARM.Hate.Religion", ("hate",)),
        ("HARM.Hate.Threatening", ("hate", "hate/threatening")),
        ("HARM.Speech.Insult", ("harassment",)),
        ("HARM.Speech.Profanity", ()),
        ("HARM.SelfHarm.EatingDisorder", ("self-harm",)),
        ("HARM.Weapons.CBRNE", ("illicit", "illicit/violent")),
        ("HARM.Substances.Illegal", ("illicit",)),
        ("HARM.Substances.Legal", ()),
        ("HARM", ()),
        ("HARM.Hateful", ()),
        ("PII.Contact.Email", ()),
        ("SECRET", ()),
        ("SAFETY_NEGATIVE.NONE", ()),
    ],
)
def test_the_nearest_entry_above_a_label_counts(label: str, categories: tuple[str, ...]) -> None:
    assert categories_of(label) == categories


def test_the_highest_confidence_stands_and_what_was_not_found_is_zero() -> None:
    findings = [
        found("HARM.Hate.Race", 0.4),
        found("HARM.Hate.Threatening", 0.7),
        found("PII.Contact.Email", 1.0),
    ]
    said = scores(findings)
    assert {category: score for category, score in said.items() if score} == {"hate": 0.7, "hate/threatening": 0.7}
    assert set(said) == set(CATEGORIES)
