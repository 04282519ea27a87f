"""Answer a question about rules: rank passages by words and by meaning, fuse the two, and abstain on thin evidence.

Rankings are joined by reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): 1 / (60 + rank), summed. The
ranking by words counts a quarter, as measured on the tuning part: people rarely use the words of rules.
"""

import contextlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.retrieval import Passage, RetrievalRequest, RetrievalResponse
from llama_mapper.contracts.wire import Confidence, Wire

from .knowledge import Knowledge, Known
from .lexical import Lexical, Words
from .naming import frameworks_named, is_part, others_named, sections_named, without_names
from .vectors import NoVectors, Vectors, nearest

FUSION_K = 60
WORDS_WEIGHT = 0.25
DEPTH = 50
"""How far down each ranking goes into the fusion."""

Way = Literal["hybrid", "lexical", "vectors"]


class Weights(Wire):
    """A logistic curve over what a passage and a question share, and the point below which nothing is quoted."""

    intercept: float
    coverage: float
    likeness: float = 0.0
    threshold: Confidence

    def evidence(self, coverage: float, likeness: float) -> float:
        """How sure it is that the passage answers the question, 0 to 1."""
        return 1 / (1 + math.exp(-(self.intercept + self.coverage * coverage + self.likeness * likeness)))


class Calibration(Wire):
    """Fitted on the development part of the question set: ``python -m tests.performance.guidance --fit``."""

    hybrid: Weights
    lexical: Weights
    vectors: Weights

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        return cls.model_validate(yaml.safe_load(path.read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class Found:
    """A passage by its place in the knowledge, and what it shares with the question."""

    place: int
    coverage: float
    likeness: float
    by_section: bool = False
    """The question names the section: no further evidence is needed."""


def fuse(rankings: Sequence[tuple[Sequence[int], float]]) -> list[int]:
    """Join rankings, each with its weight; of equals the one that stands first in the knowledge."""
    scores: dict[int, float] = {}
    for ranking, weight in rankings:
        for rank, place in enumerate(ranking, start=1):
            scores[place] = scores.get(place, 0.0) + weight / (FUSION_K + rank)
    return sorted(scores, key=lambda place: (-scores[place], place))


class Guidance:
    """The knowledge, indexed. Building it takes a fifth of a second, a question some milliseconds; it keeps none."""

    def __init__(self, knowledge: Knowledge, calibration: Calibration, kept_vectors: Path) -> None:
        self._knowledge = knowledge
        self.passages = knowledge.passages
        self._calibration = calibration
        self._words = Words.read()
        self._lexical = Lexical([known.text for known in knowledge.passages], self._words.alike)
        self._vectors: Vectors | None = None
        with contextlib.suppress(NoVectors):  # the answer says that words alone were compared
            self._vectors = Vectors(kept_vectors, knowledge.digest)
        self.way: Way = "hybrid" if self._vectors else "lexical"

    @classmethod
    def load(cls, knowledge: Path) -> "Guidance":
        """Read the folder *knowledge*, with ``vectors.npz`` beside its files.

        Raises:
            KnowledgeError: a file breaks the format.
        """
        calibration = Calibration.read(Path(__file__).with_name("calibration.yaml"))
        return cls(Knowledge.load(knowledge), calibration, knowledge / "vectors.npz")

    def answer(self, request: RetrievalRequest, way: Way | None = None) -> RetrievalResponse:
        """Quote the passages that answer, best first, or abstain.

        Raises:
            InvalidRequest: a framework is named that the knowledge does not hold; its place is told.
        """
        way = way or self.way
        weights: Weights = getattr(self._calibration, way)
        found = self.search(request.question, self._asked_for(request.frameworks), way, request.limit)
        # Two passages may show together what neither shows alone that the question is about rules.
        sure = weights.evidence(
            max((one.coverage for one in found), default=0.0), max((one.likeness for one in found), default=0.0)
        )
        enough = bool(found) and sure >= weights.threshold
        return RetrievalResponse(
            abstained=not enough,
            passages=tuple(
                _quoted(self.passages[one.place], weights.evidence(one.coverage, one.likeness))
                for one in found
                if enough
            ),
            knowledge_version=self._knowledge.version,
            retrieval="lexical" if way == "lexical" else "hybrid",
        )

    def search(self, question: str, frameworks: Collection[str] | None, way: Way, limit: int) -> list[Found]:
        """Rank the passages of *frameworks* (or all) for *question*; none where it names what is not in them."""
        frameworks = self._knowledge.frameworks if frameworks is None else frameworks
        named = frameworks_named(question)
        if others_named(question) and not named:
            return []
        asked = sorted(named.intersection(frameworks) if named else frameworks)
        passages = self.passages
        among = [place for place, known in enumerate(passages) if known.framework in asked]
        sections = sections_named(question, asked)
        # Whoever names a section wants that section before all others.
        first = {place for place in among if _is_one_of(passages[place], sections)}
        if sections and not first:
            return []
        question = self._words.spelt_out(without_names(question))
        likeness = self._vectors.likeness(question) if self._vectors and way != "lexical" else None
        # A question that names two frameworks wants to hear of both: each has rankings of its own.
        groups = [{place for place in among if passages[place].framework == one} for one in asked if named]
        rankings: list[tuple[Sequence[int], float]] = [(sorted(first), 1.0)]
        for group in groups or [set(among)]:
            if way != "vectors":
                rankings.append((self._lexical.rank(question, group, DEPTH), WORDS_WEIGHT))
            if likeness is not None:
                rankings.append((nearest(likeness, group, DEPTH), 1.0))
        ranked = fuse(rankings)
        ranked.sort(key=lambda place: place not in first)
        return [self._found(question, place, likeness, place in first) for place in ranked[:limit]]

    def _found(self, question: str, place: int, likeness: Any, by_section: bool) -> Found:
        if by_section:
            return Found(place, 1.0, 1.0, by_section=True)
        return Found(
            place, self._lexical.coverage(question, place), 0.0 if likeness is None else float(likeness[place])
        )

    def _asked_for(self, names: Sequence[str] | None) -> tuple[str, ...]:
        known = self._knowledge.frameworks
        unknown = [place for place, name in enumerate(names or ()) if name not in known]
        if unknown:
            message = f"known frameworks: {', '.join(known)}"
            errors = tuple(FieldError(field=f"frameworks.{place}", message=message[:160]) for place in unknown)
            raise InvalidRequest("check: frameworks", errors=errors)
        return tuple(names) if names else known


def _is_one_of(known: Known, sections: frozenset[tuple[str, str]]) -> bool:
    return any(known.framework == f and is_part(known.written.section, named) for f, named in sections)


def _quoted(known: Known, evidence: float) -> Passage:
    return Passage(
        text=known.written.text,
        framework=known.framework,
        section=known.written.section,
        citation=known.written.citation,
        authority=known.document.authority,
        published=known.document.published,
        score=round(evidence, 4),
    )
