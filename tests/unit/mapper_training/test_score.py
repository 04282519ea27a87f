"""A whole experiment without models, on three vendors and a dozen words."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.embedding import Kept
from llama_mapper.taxonomy.retrieval import Embedder, Index
from mapper_serving.vocabulary import Vocabulary
from mapper_training.data import Framing, curated, entries
from mapper_training.golden import Case
from mapper_training.plan import CannotTrain
from mapper_training.score import experiment
from mapper_training.setting import Setting


class KnownWords(Kept):
    """Keeps nothing: every text has the vector that the test's own embedder gives it."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(Path("nowhere.npz"))
        self._known = embedder

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._known.embed(texts)


class SmallSetting(Setting):
    """Its golden cases are what its vocabularies say."""

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        return tuple(
            Case.model_validate(
                {"vendor": e.vendor, "kind": e.kind, "word": e.word, "labels": dict(e.gold), "passes": "agreed"}
            )
            for e in curated(self.vocabularies, 100, seed=1)
        )


@pytest.fixture
def setting(vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy, embedder: Embedder) -> Setting:
    words = KnownWords(embedder)
    parts = tuple(frozenset({vocabulary.detector}) for vocabulary in vocabularies)
    return SmallSetting(vocabularies, taxonomy, parts, Index(entries(vocabularies, taxonomy), words), words, Framing())


@pytest.fixture
def home(tmp_path: Path) -> str:
    (tmp_path / "training.json").write_text("{}", "utf-8")
    return str(tmp_path)


def test_every_golden_word_is_asked_once_with_its_vendor_left_out(home: str, setting: Setting) -> None:
    told: list[tuple[int, int]] = []
    result = experiment(home, [0, 1, 2], False, False, 1, lambda _, done, total: told.append((done, total)), setting)
    assert result["cases"] == 8
    assert {fold["training_of_held_out_vendors"] for fold in result["leakage"].values()} == {0}
    assert set(result["systems"]["kind_unknown"]) == {"exact", "fuzzy", "minilm", "nearest", "ranker"}
    assert {vendor: found["words"] for vendor, found in result["vendors"]["kind_told"].items()} == {
        "alpha": 2,
        "beta": 3,
        "gamma": 3,
    }
    assert result["differences"]["kind_told"]["best_baseline"] in result["vendors"]["kind_told"]["alpha"]
    assert result["served"] == "ranker"
    assert told == [(step, 10) for step in (0, 0, *range(1, 10))]


def test_an_experiment_that_is_not_there_is_refused(setting: Setting) -> None:
    with pytest.raises(CannotTrain, match="no experiment nowhere"):
        experiment("nowhere", [0], False, False, 1, setting=setting)
