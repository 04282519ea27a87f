"""The ranker's signs, and that it learns which of them count."""

import pytest

from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.ranking import FEATURES, Signs, TreeRanker
from llama_mapper.taxonomy.retrieval import Asked, Embedder, Entry, Index, taxonomy_entries
from mapper_serving.vocabulary import Vocabulary
from mapper_training.data import curated, entries, varied
from mapper_training.ranking import fit_ranker

CURATED = [
    Entry(("PII.Email",), "mailbox", "beta", "pii"),
    Entry(("PII.Phone",), "handset", "beta", "pii"),
    Entry(("HARM.Hate",), "number of slurs", "gamma", "hate"),
]


@pytest.fixture
def index(taxonomy: Taxonomy, embedder: Embedder) -> Index:
    return Index([*taxonomy_entries(taxonomy), *CURATED], embedder)


def signs(
    index: Index, text: str, kind: str | None = None, without: tuple[str, ...] = ()
) -> dict[str, dict[str, float]]:
    """Every weighed label's signs by name."""
    likeness = index.likeness(text, without)
    asked = Asked(text, kind, frozenset(without), likeness, index.best_of_labels(likeness.score))
    weighed, table = Signs(index).of(asked)
    return {
        index.labels[n]: dict(zip(FEATURES, map(float, row), strict=True))
        for n, row in zip(weighed, table, strict=True)
    }


def test_the_lead_is_over_the_best_other_label(index: Index) -> None:
    found = signs(index, "phone number")
    others = [s["near"] for label, s in found.items() if label != "PII.Phone"]
    assert found["PII.Phone"]["lead"] == pytest.approx(found["PII.Phone"]["near"] - max(others), abs=1e-6)


def test_votes_are_shares(index: Index) -> None:
    found = signs(index, "phone number")
    assert sum(s["votes"] for s in found.values()) == pytest.approx(1.0, abs=1e-5)
    assert max(found, key=lambda label: found[label]["votes"]) == "PII.Phone"


def test_whole_words_that_are_shared_count(index: Index) -> None:
    found = signs(index, "mailbox owner")
    assert found["PII.Email"]["shared_words"] > 0.3
    assert found["PII.Email"]["curated"] > found["PII.Email"]["alias"]


def test_what_detectors_of_a_kind_report_is_a_sign_only_where_the_kind_is_known(index: Index) -> None:
    told, untold = signs(index, "number", "hate"), signs(index, "number")
    assert told["HARM.Hate"]["habit_lead"] == 0.0
    assert told["PII.Phone"]["habit_lead"] < untold["PII.Phone"]["habit_lead"]
    assert told["HARM.Hate"]["same_kind"] > 0.0 == untold["HARM.Hate"]["same_kind"]


def test_hidden_vendors_give_no_signs(index: Index) -> None:
    hidden = signs(index, "number of slurs", "hate", ("gamma",))["HARM.Hate"]
    assert (hidden["curated"], hidden["same_kind"]) == (0.0, 0.0)
    assert hidden["lexical"] < 0.5


def test_votes_of_a_parent_are_told_from_those_of_a_child(index: Index) -> None:
    found = signs(index, "phone")
    assert found["PII"]["child_votes"] > 0.0
    assert found["PII.Phone"]["parent_votes"] <= found["PII"]["child_votes"]


@pytest.mark.parametrize("text", ["", "\u4e2d\u6587", "x" * 300])
def test_any_text_has_signs(index: Index, text: str) -> None:
    assert all(abs(value) < 100 for row in signs(index, text).values() for value in row.values())


def test_nothing_is_weighed_where_everything_is_hidden(embedder: Embedder) -> None:
    index = Index([Entry(("PII.Email",), "mailbox", "beta", "pii")], embedder)
    assert signs(index, "mail", without=("beta",)) == {}


def test_a_fitted_ranker_puts_the_right_label_first(
    vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy, embedder: Embedder
) -> None:
    index = Index(entries(vocabularies, taxonomy), embedder)
    sources = curated(vocabularies, 50, 1)
    text = fit_ranker(index, embedder, [*sources, *varied(sources, 150, 5)], frozenset())
    ranker = TreeRanker(index, text)
    found = index.search("e mail address of the sender", 3, 0, ranker=ranker).found
    assert found[0].label == "PII.Email"
    assert found[0].odds > found[1].odds


def test_the_same_words_fit_the_same_ranker(
    vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy, embedder: Embedder
) -> None:
    index = Index(entries(vocabularies, taxonomy), embedder)
    words = varied(curated(vocabularies, 50, 1), 80, 5)
    first, again = (fit_ranker(index, embedder, words, frozenset()) for _ in range(2))
    assert first == again


def test_a_ranker_of_other_signs_is_refused(index: Index) -> None:
    import lightgbm
    import numpy as np

    data = lightgbm.Dataset(np.random.default_rng(1).random((90, 2)), [0, 1] * 45, feature_name=["near", "far"])
    text = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 1).model_to_string()
    with pytest.raises(ValueError, match="other features"):
        TreeRanker(index, text)
