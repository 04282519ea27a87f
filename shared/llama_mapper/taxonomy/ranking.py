"""Ranks canonical labels for a vendor's word: many small signs of likeness, weighed by boosted trees.

Likeness alone says how near a label's nearest entry is. The trees (LightGBM, https://lightgbm.readthedocs.io) also see
how many near entries agree, whose words they are, what detectors of that kind report, and whether a parent or a child
of the label is as near. They are fitted on curated words, each asked about with its own vendor hidden.
"""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .retrieval import Asked, Index, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FEATURES = (
    "near",  # likeness of the label's nearest entry
    "lead",  # … above the best other label's
    "alias",  # … among the taxonomy's names and aliases
    "definition",  # … in meaning, of its definition
    "curated",  # … among other vendors' words
    "lexical",
    "semantic",
    "same_kind",  # … among words of detectors of the kind asked for
    "votes",  # share among the twenty nearest entries
    "sharp_votes",  # share among the sixty nearest, the near ones far more
    "shared_words",  # best overlap of whole words with an entry, rare words counting more
    "named_words",  # share of the query's words that stand in the label's own name
    "child_votes",
    "parent_votes",
    "pillar_votes",
    "voters",  # how many vendors stand behind the sixty nearest entries
    "habit",  # log share of the label in what detectors of that kind report
    "habit_lead",  # … below the most usual candidate's
    "depth",
    "query_words",
    "nearest",  # the nearest entry of any label
    "entries",
)
_NEAREST = 14  # candidates by likeness; as many again by what the kind usually reports
_HABIT_WEIGHT = 0.06
_MOST_WORDS_OF_VENDOR = 30.0


class Signs:
    """Computes FEATURES for the labels an index could mean; a query costs about two milliseconds."""

    def __init__(self, index: Index) -> None:
        import numpy as np

        self._index = index
        entries = index.entries
        self._own = index.owners == 0
        self._definitions = np.array([entry.definition for entry in entries])
        self._kinds = np.array([entry.kind or "" for entry in entries])
        self._depth = [name.count(".") for name in index.labels]
        self._name_words = [set(words(name).split()) for name in index.labels]
        below = [[other.startswith(name + ".") for other in index.labels] for name in index.labels]
        self._below = np.array(below, dtype=np.float64)  # (labels, labels)
        pillars = np.array([name.split(".", 1)[0] for name in index.labels])
        self._same_pillar = (pillars[:, None] == pillars[None, :]).astype(np.float64)
        self._habits = self._count_habits()
        counted = Counter(word for entry in entries for word in set(entry.text.split()))
        self._rarity = {word: math.log(1 + len(entries) / n) for word, n in counted.items()}
        self._unseen = math.log(1 + 2 * len(entries))
        rows: dict[str, list[int]] = {}
        for row, entry in enumerate(entries):
            for word in set(entry.text.split()):
                rows.setdefault(word, []).append(row)
        self._rows = {word: np.array(found, dtype=np.int64) for word, found in rows.items()}
        self._weight = np.array([sum(self._rarity[w] for w in set(entry.text.split())) for entry in entries])

    def _count_habits(self) -> "dict[tuple[str, str], NDArray[np.float64]]":
        """For each kind and vendor: how often each label is what its words mean, (labels,), large vendors capped."""
        import numpy as np

        number = {label: i for i, label in enumerate(self._index.labels)}
        habits: dict[tuple[str, str], NDArray[np.float64]] = {}
        for entry in self._index.entries:
            if entry.kind and entry.owner:
                counts = habits.setdefault((entry.kind, entry.owner), np.zeros(len(number)))
                for label in entry.labels:
                    counts[number[label]] += 1
        return {
            key: np.minimum(counts, _MOST_WORDS_OF_VENDOR) / max(float(counts.sum()), _MOST_WORDS_OF_VENDOR)
            for key, counts in habits.items()
        }

    def _habit(self, asked: Asked) -> "NDArray[np.float64]":
        import numpy as np

        total = np.full(len(self._index.labels), 0.005)
        for (kind, owner), share in self._habits.items():
            if owner not in asked.without and asked.kind in (None, kind):
                total += share
        logs: NDArray[np.float64] = np.log(total / total.sum())
        return logs

    def of(self, asked: Asked) -> "tuple[list[int], Floats]":
        """Return the labels worth weighing (their numbers) and their FEATURES, (labels weighed, features)."""
        import numpy as np

        index, (lexical, semantic, score) = self._index, asked.likeness
        counts = score >= 0
        habit = self._habit(asked)
        weighed = self._worth_weighing(asked, habit)
        if not weighed:
            return [], np.zeros((0, len(FEATURES)), dtype=np.float32)

        def best(values: "NDArray[Any]", among: "NDArray[np.bool_]") -> "NDArray[Any]":
            return np.maximum(index.best_of_labels(np.where(among & counts, values, -1.0)), 0.0)

        votes, _ = self._votes(score, 20, 3)
        sharp, voters = self._votes(score, 60, 8)
        near = np.maximum(asked.best, 0.0)
        query = set(asked.text.split())
        rarity = {word: self._rarity.get(word, self._unseen) for word in query}
        weight = sum(rarity.values()) or 1.0
        pick = np.array(weighed)
        of_weighed = near[pick]
        table = [
            of_weighed,
            of_weighed - _best_other(of_weighed),
            best(score, self._own & ~self._definitions)[pick],
            best(semantic, self._definitions)[pick],
            best(score, ~self._own)[pick],
            best(lexical, counts)[pick],
            best(semantic, counts)[pick],
            best(score, self._kinds == asked.kind)[pick] if asked.kind else np.zeros(len(pick)),
            votes[pick],
            sharp[pick],
            best(self._overlap(rarity, weight), counts)[pick],
            [sum(rarity[w] for w in query & self._name_words[n]) / weight for n in weighed],
            (self._below @ sharp)[pick],
            (self._below.T @ sharp)[pick],
            (self._same_pillar @ sharp)[pick],
            [len(voters.get(n, ())) for n in weighed],
            habit[pick],
            habit[pick] - habit[pick].max(),
            [self._depth[n] for n in weighed],
            [len(query)] * len(weighed),
            [float(near.max())] * len(weighed),
            np.log1p(np.bincount(index.pair_label[counts[index.pair_row]], minlength=len(index.labels))[pick]),
        ]
        return weighed, np.array(table, dtype=np.float32).T

    def _worth_weighing(self, asked: Asked, habit: "NDArray[np.float64]") -> list[int]:
        """The labels nearest to the query, and where the kind is known those near that such detectors report."""
        import numpy as np

        known = asked.best >= 0
        orders = [np.argsort(-asked.best, kind="stable")[:_NEAREST]]
        if asked.kind:
            usual = asked.best + _HABIT_WEIGHT * (habit - habit.max())
            orders.append(np.argsort(-usual, kind="stable")[:_NEAREST])
        return [n for n in dict.fromkeys(int(n) for order in orders for n in order) if known[n]]

    def _votes(
        self, score: "Floats", limit: int, power: int
    ) -> "tuple[NDArray[np.float64], dict[int, set[str | None]]]":
        """Each label's share among the *limit* nearest entries, by a power of likeness, and the vendors behind it."""
        import numpy as np

        number = {label: i for i, label in enumerate(self._index.labels)}
        votes = np.zeros(len(number))
        voters: dict[int, set[str | None]] = {}
        for row in (int(r) for r in np.argsort(-score, kind="stable")[:limit] if score[r] > 0):
            entry = self._index.entries[row]
            for label in entry.labels:
                votes[number[label]] += float(score[row]) ** power
                voters.setdefault(number[label], set()).add(entry.owner)
        return votes / (votes.sum() or 1.0), voters

    def _overlap(self, rarity: dict[str, float], weight: float) -> "NDArray[np.float64]":
        """Dice coefficient of whole words with each entry, rare words counting more, (N,)."""
        import numpy as np

        shared = np.zeros(len(self._weight))
        for word, value in rarity.items():
            if word in self._rows:
                shared[self._rows[word]] += value
        overlap: NDArray[np.float64] = 2 * shared / (weight + self._weight)
        return overlap


def _best_other(values: "Floats") -> "Floats":
    """For each value the highest of the others, 0 where there is none."""
    import numpy as np

    if len(values) < 2:
        return np.zeros_like(values)
    first, second = np.sort(values)[::-1][:2]
    others: Floats = np.where(values == first, second, first)
    return np.where(np.sum(values == first) > 1, first, others)


class TreeRanker:
    """Log-odds by boosted trees over ``Signs``."""

    def __init__(self, index: Index, model: str) -> None:
        """*model* is a LightGBM model's text.

        Raises:
            ValueError: it was fitted on other features.
        """
        from lightgbm import Booster

        self._signs = Signs(index)
        self._booster = Booster(model_str=model)
        if tuple(self._booster.feature_name()) != FEATURES:
            raise ValueError("the ranker was fitted on other features")

    @classmethod
    def read(cls, index: Index, path: Path) -> "TreeRanker":
        return cls(index, path.read_text("utf-8"))

    def rank(self, asked: Asked) -> list[tuple[int, float]]:
        import numpy as np

        weighed, features = self._signs.of(asked)
        if not weighed:
            return []
        odds = np.asarray(self._booster.predict(features, raw_score=True, num_threads=1), dtype=np.float64)
        return sorted(zip(weighed, odds.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
