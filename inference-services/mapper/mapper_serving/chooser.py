"""The model as the mapper's last resort: retrieve, choose, and say how sure that is."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from llama_mapper.contracts.confidence import Scored, confidences
from llama_mapper.contracts.identifiers import CanonicalLabel
from llama_mapper.contracts.mapping import MappedLabel, Relation, VendorFinding
from llama_mapper.contracts.models import AdapterCard
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.prompt import MAX_CANDIDATES, PROMPT_VERSION, RELATION_MARKS
from llama_mapper.contracts.reviews import Candidate
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE

from .candidates import Question, Questions
from .completion import Completion
from .prices import Meter, unpriced
from .resolution import Resolution
from .revisions import Revisions


class Predictor(Protocol):
    """A server that answers prompts.

    Raises:
        Unavailable, RequestTimeout: no answer within the budget.
    """

    model: str

    def start(self) -> None:
        """Begin what takes time; called inside the running loop, as often as one likes."""

    async def ask(self, prompt: str, candidates: int) -> Completion: ...


class Chooser:
    """Fills the port ``Model``; until *build* has made the index (some seconds), it is Unavailable."""

    def __init__(
        self,
        build: Callable[[], Questions],
        predictor: Predictor,
        card: AdapterCard,
        taxonomy: Taxonomy,
        meter: Meter | None = None,
        revisions: Revisions | None = None,
    ) -> None:
        self._build = build
        self._predictor = predictor
        self._card = card
        self._taxonomy = taxonomy
        self.version = card.version
        self._meter = meter or unpriced()
        self._revisions = revisions or Revisions((), 0.0)
        self._questions: asyncio.Task[Questions] | None = None

    def start(self) -> None:
        """Begin to build the index and to warm the predictor up; call inside the running loop."""
        self._predictor.start()
        if self._questions is None:
            self._questions = asyncio.get_running_loop().create_task(asyncio.to_thread(self._build))

    async def resolve(self, finding: VendorFinding) -> Resolution:
        """Return the likeliest label, its calibrated confidence and what it took; the caller's threshold decides.

        Raises:
            Unavailable: the index is not built yet, or the predictor does not answer.
            RequestTimeout: the predictor did not answer within its budget.
        """
        began = time.perf_counter()
        question = await self._question(finding)
        with self._meter.busy.answering() as share:
            completion = await self._predictor.ask(question.prompt, len(question.found))
        ranked = confidences(self._card.stack, scored(question, completion))
        if not ranked:
            raise Unavailable("retrieval found nothing to choose from")
        label, confidence = ranked[0]
        self._revisions.judged(completion.revision, label, confidence)
        relation = max(RELATION_MARKS, key=lambda name: completion.relations.get(name, 0.0))
        return Resolution(
            labels=(self._label(label, relation, confidence),),
            method="model",
            negative=label == NEGATIVE,
            model=self._predictor.model,
            adapter=self.version,
            prompt=PROMPT_VERSION,
            usage=self._meter.usage(completion, share.seconds, time.perf_counter() - began),
            candidates=_candidates(ranked, relation),
        )

    async def guess(self, finding: VendorFinding) -> Resolution:
        """Return what the ranker alone says, for when the model is away; no labels before the index is built.

        Without a model nobody says the relation: "broader" is the usual one, for 0.59 of unseen words.
        """
        try:
            question = await self._question(finding)
        except Unavailable:
            return Resolution(labels=(), method="fallback", adapter=self.version)
        ranked = confidences(self._card.without_model, scored(question, _nothing_said(len(question.found))))
        if not ranked:
            return Resolution(labels=(), method="fallback", adapter=self.version)
        label, confidence = ranked[0]
        relation: Relation = "broader"
        return Resolution(
            labels=(self._label(label, relation, confidence),),
            method="fallback",
            negative=label == NEGATIVE,
            adapter=self.version,
            candidates=_candidates(ranked, relation),
        )

    async def _question(self, finding: VendorFinding) -> Question:
        self.start()
        if self._questions is None or not self._questions.done():
            raise Unavailable("the index is being built", retry_after_seconds=5)
        return await asyncio.to_thread(self._questions.result().ask, finding)

    def _label(self, label: str, relation: Relation, confidence: float) -> MappedLabel:
        severity = self._taxonomy[label].severity
        return MappedLabel(label=label, relation=relation, confidence=round(confidence, 4), severity=severity)


def _candidates(ranked: Sequence[tuple[str, float]], relation: Relation) -> tuple[Candidate, ...]:
    """*ranked* as a person is shown them; *relation* was said of the first alone."""
    return tuple(
        Candidate(label=CanonicalLabel(label), confidence=round(confidence, 4), relation=None if place else relation)
        for place, (label, confidence) in enumerate(ranked[:MAX_CANDIDATES])
    )


def _nothing_said(candidates: int) -> Completion:
    """Every letter as likely as the next."""
    even = 1 / (candidates + 1)
    return Completion(letters=(even,) * candidates, none=even, relations={}, prompt_tokens=0)


def scored(question: Question, completion: Completion) -> Scored:
    """Put what the model and what retrieval said beside each other."""
    return Scored(
        labels=tuple(found.label for found in question.found),
        letters=completion.letters,
        none=completion.none,
        relations=completion.relations,
        scores=tuple(found.score for found in question.found),
        odds=tuple(found.odds for found in question.found),
    )
