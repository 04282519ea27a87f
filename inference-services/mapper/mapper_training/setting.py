"""Where an experiment's data come from: vocabularies, taxonomy, index and folds, opened once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from llama_mapper.taxonomy import Taxonomy, load
from llama_mapper.taxonomy.embedding import Kept
from llama_mapper.taxonomy.ranking import TreeRanker
from llama_mapper.taxonomy.retrieval import Index
from mapper_serving.vocabulary import Vocabulary, read_all

from .data import Asker, Example, Framing, Posed, Recipe, curated, entries, hardest, nonsense, training_examples
from .golden import Case, examples, read_cases
from .ranking import fit_ranker
from .split import Split, everyone, family, folds, split

ROOM = Path(__file__).resolve().parent.parent
VOCABULARIES = ROOM / "vocabularies"
EXPERIMENTS = ROOM / "experiments"
GOLDEN = ROOM / "golden" / "cases.jsonl"
VECTORS = Path(".cache/training/vectors.npz")
RANKER_LIMIT = 100
RANKER_NONSENSE = 150


@dataclass(frozen=True)
class Setting:
    vocabularies: tuple[Vocabulary, ...]
    taxonomy: Taxonomy
    parts: tuple[frozenset[str], ...]
    index: Index
    embedder: Kept
    framing: Framing

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        return read_cases(GOLDEN)

    def split(self, fold: str) -> Split:
        return everyone(self.parts) if fold == "all" else split(self.parts, int(fold))

    def ranker(self, fold: str) -> str:
        """Fit the ranker of *fold* on its training vendors and on words that mean nothing; takes half a minute."""
        parts = self.split(fold)
        words = [e for e in curated(self.vocabularies, RANKER_LIMIT, seed=11) if family(e.vendor) in parts.train]
        words += nonsense(RANKER_NONSENSE, seed=707, test=False)
        return fit_ranker(self.index, self.embedder, words, parts.test)

    def asker(self, ranker: str) -> Asker:
        return Asker(self.index, self.embedder, self.framing, TreeRanker(self.index, ranker))

    def training(self, fold: str, recipe: Recipe, kind_told: float) -> list[Posed]:
        parts = self.split(fold)
        made = training_examples(self.vocabularies, self.taxonomy, parts, recipe)
        asker = self.asker(self.ranker(fold))
        return hardest(asker.pose(made, parts.test, kind_told, shuffle=recipe.seed), recipe)

    def golden(self, families: frozenset[str]) -> list[Example]:
        """Return the golden cases of the vendors in *families*."""
        return examples(self.cases, families)

    def vectors_done(self) -> None:
        self.embedder.close()


def open_setting(framing: Framing | None = None) -> Setting:
    vocabularies, taxonomy = read_all(VOCABULARIES), load()
    embedder = Kept(VECTORS)
    index = Index(entries(vocabularies, taxonomy), embedder)
    return Setting(vocabularies, taxonomy, folds(vocabularies), index, embedder, framing or Framing())
