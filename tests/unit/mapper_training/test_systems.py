import dataclasses
from collections.abc import Callable

import pytest

from llama_mapper.contracts.confidence import Scored
from llama_mapper.contracts.mapping import Relation
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.retrieval import Embedder, Found, Index, taxonomy_entries
from mapper_training import systems
from mapper_training.data import Example, Posed
from mapper_training.inference import without_model


def posed(*found: tuple[str, float, float], gold: str = "PII.Email") -> Posed:
    relation: Relation = "exact"
    example = Example("word", None, None, "v", ((gold, relation),) if gold else (), "curated")
    return Posed(example, "", "", tuple(Found(label, score, lexical, 0.0, "") for label, score, lexical in found), ())


TWO = posed(("PII.Phone", 0.8, 0.3), ("PII.Email", 0.7, 0.6))


def said(*letters: float) -> Scored:
    return without_model(TWO).model_copy(update={"letters": letters, "none": 1 - sum(letters)})


@pytest.fixture
def index(taxonomy: Taxonomy, embedder: Embedder) -> Index:
    return Index(taxonomy_entries(taxonomy), embedder)


def test_exact_answers_only_the_same_spelling(index: Index) -> None:
    assert systems.exact(index, index.likeness("phone numbers")) == (None, 0.0)
    assert systems.exact(index, index.likeness("phone number")) == ("PII.Phone", 1.0)


def test_fuzzy_goes_by_spelling(index: Index) -> None:
    assert systems.fuzzy(index, index.likeness("telephones"))[0] == "PII.Phone"


def test_minilm_goes_by_meaning(index: Index) -> None:
    assert systems.minilm(index, index.likeness("correo"))[0] == "PII.Email"


@pytest.mark.parametrize("way", systems.BASELINES.values())
def test_hidden_texts_lead_nowhere(index: Index, way: Callable[..., tuple[str | None, float]]) -> None:
    hidden = [entry.text for entry in index.entries if "PII.Phone" in entry.labels]
    assert way(index, index.likeness("telephone", hidden_texts=hidden))[0] != "PII.Phone"


def test_the_likeliest_letter_is_chosen() -> None:
    label, confidence = systems.letter()(TWO, said(0.2, 0.7))
    assert label == "PII.Email"
    assert confidence == pytest.approx(0.7, abs=1e-6)


def test_none_of_these_can_win() -> None:
    assert systems.letter()(TWO, said(0.1, 0.2))[0] is None


def test_a_high_temperature_lowers_confidence_not_the_choice() -> None:
    cool, hot = systems.letter(1.0)(TWO, said(0.2, 0.7)), systems.letter(3.0)(TWO, said(0.2, 0.7))
    assert hot[0] == cool[0]
    assert hot[1] < cool[1]


def test_an_overconfident_model_gets_a_temperature_above_one() -> None:
    wrong = posed(("PII.Phone", 0.8, 0.3), ("PII.Email", 0.7, 0.6), gold="PII.Phone")
    fitting = systems.Fitting([TWO, TWO, wrong], [said(0.01, 0.98)] * 3)
    assert fitting.temperature() > 1


def test_outcomes_keep_vendor_and_gold() -> None:
    found = systems.outcomes(systems.letter(), [TWO], [said(0.6, 0.3)])[0]
    assert (found.vendor, found.gold, found.chosen) == ("v", frozenset({"PII.Email"}), "PII.Phone")


def test_no_family_calibrates_its_own_test() -> None:
    seen: list[set[str]] = []

    def making(fitting: systems.Fitting) -> systems.Answering:
        seen.append({p.example.vendor for p in fitting.posed})
        return systems.letter()

    words = [dataclasses.replace(TWO, example=dataclasses.replace(TWO.example, vendor=v)) for v in "abab"]
    pool = systems.Fitting(words, [said(0.5, 0.5)] * 4)
    found = systems.crossed(making, pool, pool)
    assert [o.vendor for o in found] == list("abab")
    assert seen == [{"b"}, {"a"}]
