"""The measures: of a ranking (recall, nDCG, reciprocal rank), of what is quoted, and of abstaining."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from functions.analyze.guidance.retrieval import Guidance, Way
from llama_mapper.contracts.retrieval import RetrievalRequest

from .questions import Asked

DEPTH = 5
FAR = 50

Ref = tuple[str, str]


def recall(ranked: Sequence[Ref], right: Collection[Ref]) -> float:
    """Share of the right passages among the first five."""
    return len(set(ranked[:DEPTH]) & set(right)) / min(len(right), DEPTH)


def ndcg(ranked: Sequence[Ref], right: Collection[Ref]) -> float:
    """Discounted gain of the first five over that of the best order (Jarvelin and Kekalainen, 2002)."""
    gain = sum(1 / math.log2(rank + 1) for rank, one in enumerate(ranked[:DEPTH], start=1) if one in right)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(len(right), DEPTH) + 1))


def reciprocal_rank(ranked: Sequence[Ref], right: Collection[Ref]) -> float:
    """One over the place of the first right passage, 0 if it is not among the first fifty."""
    return next((1 / rank for rank, one in enumerate(ranked, start=1) if one in right), 0.0)


@dataclass(slots=True)
class Scores:
    """What one way of searching made of a part of the questions."""

    recall: list[float] = field(default_factory=list)
    ndcg: list[float] = field(default_factory=list)
    reciprocal: list[float] = field(default_factory=list)
    cited: list[bool] = field(default_factory=list)
    """Of each question that was answered, whether the first passage quoted is a right one."""
    abstained: list[tuple[Asked, bool]] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        kept = [asked for asked, abstained in self.abstained if abstained]
        unanswerable = [abstained for asked, abstained in self.abstained if not asked.right]
        return {
            "recall@5": fmean(self.recall),
            "nDCG@5": fmean(self.ndcg),
            "MRR": fmean(self.reciprocal),
            "citation accuracy": fmean(self.cited),
            "abstention precision": sum(not asked.right for asked in kept) / len(kept) if kept else 0.0,
            "abstention recall": fmean(unanswerable),
            "answerable, abstained": fmean(abstained for asked, abstained in self.abstained if asked.right),
        }

    def not_answered(self, kind: str) -> float:
        """Share of the questions of one kind."""
        return fmean(abstained for asked, abstained in self.abstained if asked.kind == kind)


def score(guidance: Guidance, questions: Sequence[Asked], way: Way) -> Scores:
    scores = Scores()
    for asked in questions:
        answer = guidance.answer(RetrievalRequest(question=asked.ask, limit=DEPTH), way)
        scores.abstained.append((asked, answer.abstained))
        if not answer.abstained:
            first = answer.passages[0]
            scores.cited.append((first.framework, first.section) in asked.answers)
        if asked.right:
            places = [guidance.passages[one.place] for one in guidance.search(asked.ask, None, way, FAR)]
            ranked = [(known.framework, known.written.section) for known in places]
            scores.recall.append(recall(ranked, asked.answers))
            scores.ndcg.append(ndcg(ranked, asked.answers))
            scores.reciprocal.append(reciprocal_rank(ranked, asked.answers))
    return scores
