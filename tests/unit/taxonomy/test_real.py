"""The taxonomy and the crosswalk we ship."""

from collections import Counter

import pytest

from llama_mapper.taxonomy import Crosswalk, Taxonomy, load, load_crosswalk
from llama_mapper.taxonomy.tree import NEGATIVE, UNKNOWN, Label, normalise

PILLARS = {
    "PII",
    "SECRET",
    "JAILBREAK",
    "PROMPT_INJECTION",
    "HARM",
    "BIAS",
    "MISINFORMATION",
    "QUALITY",
    "IP",
    "SAFETY_NEGATIVE",
    "OTHER",
}
TAXONOMY = load()
LABELS = TAXONOMY.labels


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return TAXONOMY


@pytest.fixture(scope="module")
def crosswalk() -> Crosswalk:
    return load_crosswalk(TAXONOMY)


def test_its_version_and_pillars(taxonomy: Taxonomy) -> None:
    assert taxonomy.version == "2026.11"
    assert {label.pillar for label in taxonomy.labels} >= PILLARS


def test_it_is_a_tree_of_a_size_a_person_can_read(taxonomy: Taxonomy) -> None:
    assert 120 <= len(taxonomy.labels) <= 200
    assert max(label.name.count(".") + 1 for label in taxonomy.labels) <= 4


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_a_label_says_what_it_is_and_what_it_is_not(label: Label) -> None:
    assert label.definition.endswith(".")
    assert label.includes
    assert label.excludes or label.name in {UNKNOWN, NEGATIVE, "OTHER", "SAFETY_NEGATIVE"}
    assert len({normalise(alias) for alias in label.aliases}) >= 3


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_an_exclusion_points_to_a_label_that_exists(label: Label) -> None:
    targets = [text.rpartition(" -> ")[2] for text in label.excludes if " -> " in text]
    named = [target for target in targets if "." in target or target.isupper()]
    assert [target for target in named if target not in TAXONOMY] == []


def test_no_label_excludes_itself(taxonomy: Taxonomy) -> None:
    assert [x.name for x in taxonomy.labels if any(text.endswith(f"-> {x.name}") for text in x.excludes)] == []


def test_no_two_labels_share_a_definition(taxonomy: Taxonomy) -> None:
    counted = Counter(label.definition for label in taxonomy.labels)
    assert [text for text, times in counted.items() if times > 1] == []


def test_nothing_found_weighs_nothing(taxonomy: Taxonomy) -> None:
    assert taxonomy[NEGATIVE].severity == 0


# Article 9 GDPR: health, biometric and genetic data, sex life, race, religion, politics, trade union.
@pytest.mark.parametrize(
    "name",
    ["PII.Health", "PII.Person.Ethnicity", "PII.Person.Religion", "PII.Person.TradeUnion", "PII.Biometric.Genetic"],
)
def test_special_categories_are_marked(taxonomy: Taxonomy, name: str) -> None:
    assert taxonomy[name].sensitivity == "special_category"
    assert any(code.startswith("Art. 9") for code in taxonomy[name].references["gdpr"])


def test_the_crosswalk_is_of_the_same_version(crosswalk: Crosswalk, taxonomy: Taxonomy) -> None:
    assert crosswalk.version == taxonomy.version
    assert {scheme.id for scheme in crosswalk.schemes} >= {"ailuminate", "owasp_llm", "mitre_atlas", "gdpr"}


def test_every_category_stands_once(crosswalk: Crosswalk) -> None:
    for scheme in crosswalk.schemes:
        codes = [entry.code for entry in scheme.entries]
        assert len(codes) == len(set(codes)), scheme.id


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_references_and_crosswalk_say_the_same(crosswalk: Crosswalk, label: Label) -> None:
    stated = {(scheme, code) for scheme, codes in label.references.items() for code in codes}
    assert stated == {(scheme, entry.code) for scheme, entry in crosswalk.of(label.name)}


def test_owasp_and_ailuminate_are_complete(crosswalk: Crosswalk) -> None:
    counted = {scheme.id: len(scheme.entries) for scheme in crosswalk.schemes}
    assert counted["owasp_llm"] == 10
    assert counted["ailuminate"] >= 12
