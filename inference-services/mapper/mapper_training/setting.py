"""Where an experiment's data come from: vocabularies, taxonomy, index and folds, opened once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.taxonomy import Taxonomy, load
from llama_mapper.taxonomy.embedding import Kept
from llama_mapper.taxonomy.retrieval import Index
from mapper_serving.vocabulary import Vocabulary, read_all

from .data import Asker, Example, Framing, Posed, Recipe, curated, entries, hardest, training_examples
from .split import Split, everyone, family, folds, split

ROOM = Path(__file__).resolve().parent.parent
VOCABULARIES = ROOM / "vocabularies"
EXPERIMENTS = ROOM / "experiments"
VECTORS = Path(".cache/training/vectors.npz")
TEST_LIMIT = 100


@dataclass(frozen=True)
class Setting:
    vocabularies: tuple[Vocabulary, ...]
    taxonomy: Taxonomy
    parts: tuple[frozenset[str], ...]
    index: Index
    embedder: Kept
    framing: Framing

    def split(self, fold: str) -> Split:
        return everyone(self.parts) if fold == "all" else split(self.parts, int(fold))

    def training(self, fold: str, recipe: Recipe, kind_told: float) -> list[Posed]:
        parts = self.split(fold)
        examples = training_examples(self.vocabularies, self.taxonomy, parts, recipe)
        posed = self._asker.pose(examples, parts.calibrate | parts.test, kind_told, shuffle=recipe.seed)
        return hardest(posed, recipe)

    def held_out(self, families: frozenset[str], kind_told: float, limit: int = TEST_LIMIT) -> list[Posed]:
        """Pose at most *limit* words of each vendor of *families* with its own family hidden, as if never seen."""
        examples = [e for e in curated(self.vocabularies, limit, seed=11) if family(e.vendor) in families]
        return self.pose(examples, kind_told)

    def pose(self, examples: Sequence[Example], kind_told: float) -> list[Posed]:
        return self._asker.pose(examples, frozenset(), kind_told)

    def vectors_done(self) -> None:
        self.embedder.close()

    @property
    def _asker(self) -> Asker:
        return Asker(self.index, self.embedder, self.framing)


def open_setting(framing: Framing | None = None) -> Setting:
    vocabularies, taxonomy = read_all(VOCABULARIES), load()
    embedder = Kept(VECTORS)
    index = Index(entries(vocabularies, taxonomy), embedder)
    return Setting(vocabularies, taxonomy, folds(vocabularies), index, embedder, framing or Framing())
