"""Finds which canonical labels a vendor's word may mean: likeness of spelling, and of meaning with an embedder.

Training and serving ask the same index, so that a model sees in use what it saw when it learned. Same entries, same
query: same answer, in the same order.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from llama_mapper.contracts.prompt import HINT_WORDS, Candidate, Neighbour, render

from .tree import Taxonomy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DIMENSIONS = 384
SEMANTIC_WEIGHT = 0.5
# Curated words win against the taxonomy's prose at equal likeness: top-1 over unseen vendors rose from 0.803 to 0.819.
CURATED_BONUS = 0.03
MAX_QUERY = 300
# What detectors of a kind report: a label of a pillar that they rarely speak of is found less readily. Over unseen
# vendors whose kind is told, the right label was among the first six 0.927 of the time instead of 0.910.
KIND_WEIGHT = 0.03
_VOTERS = 20
_GRAMS = (3, 4)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_]{3})(?=\d)")
_SEPARATORS = re.compile(r"[\W_]+")


class Embedder(Protocol):
    """Turns texts into vectors of meaning."""

    def embed(self, texts: Sequence[str]) -> "Floats":
        """Return one unit vector a text, (N, 384) float32; the same text always gives the same vector."""
        ...


class Entry(NamedTuple):
    """One text that leads to canonical labels: an alias or definition of the taxonomy, or a vendor's curated word.

    ``owner`` is the vendor (or family of vendors) whose word it is, None for the taxonomy's own text; ``kind`` what
    that vendor's detector is for.
    """

    labels: tuple[str, ...]
    text: str
    owner: str | None = None
    kind: str | None = None


class Found(NamedTuple):
    """A canonical label and how near its nearest entry is (about 0..1), in all, by spelling and by meaning.

    ``hint`` is the nearest text that the taxonomy itself has for the label, empty where all are hidden. ``votes`` is
    the label's share among the nearest entries, 0..1: many that agree say more than one that is near.
    """

    label: str
    score: float
    lexical: float
    semantic: float
    hint: str
    votes: float = 0.0


class Near(NamedTuple):
    """Another vendor's word near the query."""

    text: str
    labels: tuple[str, ...]
    score: float


class Answer(NamedTuple):
    """``found``: best first, each label once. ``near``: other vendors' words, best first, each text once."""

    found: list[Found]
    near: list[Near]


def words(label: str) -> str:
    """Return *label* as plain lower-case words: ``cust_SSNLeak.v3`` gives ``cust ssn leak v3``."""
    return " ".join(_SEPARATORS.sub(" ", _CAMEL.sub(" ", label)).casefold().split())


def query(label: str, description: str | None = None) -> str:
    """Return what to search the index for."""
    return f"{words(label)} {words(description or '')}".strip()[:MAX_QUERY]


def taxonomy_entries(taxonomy: Taxonomy) -> list[Entry]:
    """Return the taxonomy's own texts: the last part of each name, its aliases, its definition."""
    entries = []
    for label in taxonomy.labels:
        texts = [words(label.name.rpartition(".")[2]), *(words(alias) for alias in label.aliases), label.definition]
        entries += [Entry((label.name,), text) for text in dict.fromkeys(texts)]
    return entries


def prompt(label: str, description: str | None, kind: str | None, answer: Answer) -> tuple[str, list[Candidate]]:
    """Return what to ask the model after a search, and the candidates whose order gives the letters their meaning."""
    candidates = [Candidate(f.label, words(f.label), _hint(f)) for f in answer.found]
    listed = [f.label for f in answer.found]

    def place(name: str) -> int:
        return listed.index(name) if name in listed else len(listed)

    near = [Neighbour(n.text, min(n.labels, key=place)) for n in answer.near]
    return render(words(label), words(description) if description else None, kind, candidates, near), candidates


def _hint(found: Found) -> str:
    """The taxonomy's nearest words, unless the label itself says the same."""
    hint = found.hint.split()[:HINT_WORDS]
    return "" if set(hint) <= set(words(found.label).split()) else " ".join(hint)


class Index:
    """Entries by character n-grams, weighted by rarity, and by embedding.

    A query costs one pass over the entries that share an n-gram and one product with the matrix of vectors.
    """

    def __init__(self, entries: Iterable[Entry], embedder: Embedder | None = None) -> None:
        import numpy as np

        self.entries = tuple(entries)
        self._embedder = embedder
        self._labels = sorted({label for entry in self.entries for label in entry.labels})
        number = {label: i for i, label in enumerate(self._labels)}
        pairs = [(number[label], row) for row, entry in enumerate(self.entries) for label in entry.labels]
        self._pair_label = np.array([p[0] for p in pairs], dtype=np.int64)
        self._pair_row = np.array([p[1] for p in pairs], dtype=np.int64)
        owners = sorted({entry.owner for entry in self.entries if entry.owner})
        self._owner_number = {owner: i + 1 for i, owner in enumerate(owners)}
        self._owners = np.array([self._owner_number[e.owner] if e.owner else 0 for e in self.entries], dtype=np.int64)
        self._rows: dict[str, list[int]] = {}
        for row, entry in enumerate(self.entries):
            self._rows.setdefault(entry.text, []).append(row)
        self._vectors = embedder.embed([e.text for e in self.entries]) if embedder and self.entries else None
        self._post([_count(entry.text) for entry in self.entries])
        self._habits = self._habits_of_kinds()

    def _habits_of_kinds(self) -> "dict[str, NDArray[np.int64]]":
        """For each kind of detector: how many words each owner has in each pillar, (owners + 1, pillars)."""
        import numpy as np

        self._pillars = sorted({label.split(".", 1)[0] for label in self._labels})
        self._pillar_of = np.array(
            [self._pillars.index(label.split(".", 1)[0]) for label in self._labels], dtype=np.int64
        )
        habits: dict[str, NDArray[np.int64]] = {}
        for row, entry in enumerate(self.entries):
            if entry.kind and entry.owner:
                table = habits.setdefault(
                    entry.kind, np.zeros((len(self._owner_number) + 1, len(self._pillars)), dtype=np.int64)
                )
                for label in entry.labels:
                    table[self._owners[row], self._pillars.index(label.split(".", 1)[0])] += 1
        return habits

    def _malus(self, kind: str | None, hidden: list[int]) -> "Floats":
        """What each label loses because detectors of *kind* rarely report its pillar: 0 or less, (labels,)."""
        import numpy as np

        if kind is None or kind not in self._habits:
            return np.zeros(len(self._labels), dtype=np.float32)
        table = self._habits[kind]
        share = np.delete(table, hidden, axis=0).sum(axis=0) + 1.0
        loss: Floats = (KIND_WEIGHT * np.log(share / share.max())).astype(np.float32)
        return loss[self._pillar_of]

    def _post(self, counts: list[Counter[str]]) -> None:
        """Build the postings: for each n-gram the rows that hold it, with weights that make each row's norm 1."""
        import numpy as np

        frequency = Counter(gram for count in counts for gram in count)
        self._rarity = {gram: math.log(1 + len(counts) / n) for gram, n in frequency.items()}
        rows: dict[str, list[int]] = {gram: [] for gram in self._rarity}
        weights: dict[str, list[float]] = {gram: [] for gram in self._rarity}
        for row, count in enumerate(counts):
            for gram, weight in self._weigh(count).items():
                rows[gram].append(row)
                weights[gram].append(weight)
        self._postings = {
            gram: (np.array(rows[gram], dtype=np.int64), np.array(weights[gram], dtype=np.float64)) for gram in rows
        }

    def _weigh(self, count: Counter[str]) -> dict[str, float]:
        """Weights of norm 1; n-grams that no entry holds count in the norm as if they were in one."""
        unseen = math.log(1 + len(self.entries))
        weights = {gram: (1 + math.log(n)) * self._rarity.get(gram, unseen) for gram, n in count.items()}
        norm = math.sqrt(sum(w * w for w in weights.values())) or 1.0
        return {gram: w / norm for gram, w in weights.items()}

    def lexical(self, text: str) -> "Floats":
        """Cosine of n-gram weights of *text* with each entry, (N,)."""
        import numpy as np

        total = np.zeros(len(self.entries), dtype=np.float64)
        for gram, weight in self._weigh(_count(text)).items():
            if posting := self._postings.get(gram):
                total[posting[0]] += weight * posting[1]
        return total.astype(np.float32)

    def semantic(self, text: str, vector: "Floats | None" = None) -> "Floats | None":
        """Cosine of meaning with each entry, (N,); None without an embedder. *vector* saves embedding again."""
        if self._vectors is None or self._embedder is None:
            return None
        unit = self._embedder.embed([text])[0] if vector is None else vector
        likeness: Floats = self._vectors @ unit
        return likeness

    def search(
        self,
        text: str,
        candidates: int,
        neighbours: int,
        without: Collection[str] = (),
        hidden_texts: Collection[str] = (),
        kind: str | None = None,
        vector: "Floats | None" = None,
    ) -> Answer:
        """Rank labels and vendors' words by likeness to *text* (as ``query`` gives it).

        Args:
            without: owners whose entries do not count, so that a vendor can be asked about as if never seen.
            hidden_texts: entries of exactly these texts do not count: an alias is asked about as if unknown.
            kind: what the detector is for, where known.
            vector: the embedding of *text* if known.
        """
        import numpy as np

        lexical = self.lexical(text)
        semantic = self.semantic(text, vector)
        score = lexical if semantic is None else (1 - SEMANTIC_WEIGHT) * lexical + SEMANTIC_WEIGHT * semantic
        score = np.maximum(score, 0.0) + np.where(self._owners > 0, np.float32(CURATED_BONUS), np.float32(0.0))
        for text_row in (row for hidden_text in sorted(hidden_texts) for row in self._rows.get(hidden_text, ())):
            score[text_row] = -1.0
        hidden = [self._owner_number[owner] for owner in sorted(without) if owner in self._owner_number]
        if hidden:
            score[np.isin(self._owners, hidden)] = -1.0
        meaning = lexical if semantic is None else semantic
        malus = self._malus(kind, hidden)
        return Answer(self._found(score, malus, lexical, meaning, candidates), self._near(score, neighbours))

    def _found(
        self, score: "Floats", malus: "Floats", lexical: "Floats", semantic: "Floats", limit: int
    ) -> list[Found]:
        import numpy as np

        of_pair = score[self._pair_row]
        best = np.full(len(self._labels), -1.0, dtype=np.float32)
        np.maximum.at(best, self._pair_label, of_pair)
        ranked = np.where(best >= 0, best + malus, -9.0)
        order = np.argsort(-ranked, kind="stable")[:limit]
        votes = self._votes(score)
        found = []
        for label in (int(i) for i in order if best[i] >= 0):
            pairs = np.flatnonzero(self._pair_label == label)
            row = int(self._pair_row[pairs[np.argmax(of_pair[pairs])]])
            near, spelled, meant = (round(float(n), 4) for n in (ranked[label], lexical[row], semantic[row]))
            own = [int(r) for r in self._pair_row[pairs] if self._owners[r] == 0 and score[r] >= 0]
            hint = self.entries[max(own, key=lambda r: (score[r], -r))].text if own else ""
            found.append(Found(self._labels[label], near, spelled, meant, hint, votes.get(self._labels[label], 0.0)))
        return found

    def _votes(self, score: "Floats") -> dict[str, float]:
        """Each label's share among the nearest entries, the nearer the more (by the cube of likeness)."""
        import numpy as np

        weights: dict[str, float] = {}
        for row in (int(i) for i in np.argsort(-score, kind="stable")[:_VOTERS] if score[i] > 0):
            for label in self.entries[row].labels:
                weights[label] = weights.get(label, 0.0) + float(score[row]) ** 3
        total = sum(weights.values()) or 1.0
        return {label: round(weight / total, 4) for label, weight in weights.items()}

    def _near(self, score: "Floats", limit: int) -> list[Near]:
        import numpy as np

        near: dict[str, Near] = {}
        theirs = np.where(self._owners > 0, score, -1.0)
        for row in (int(i) for i in np.argsort(-theirs, kind="stable")[: 4 * limit]):
            entry = self.entries[row]
            if theirs[row] > 0 and entry.text not in near and len(near) < limit:
                near[entry.text] = Near(entry.text, entry.labels, round(float(score[row]), 4))
        return list(near.values())


def _count(text: str) -> Counter[str]:
    padded = f" {text} "
    return Counter(padded[i : i + n] for n in _GRAMS for i in range(len(padded) - n + 1))
