"""The model as the mapper's last resort: retrieve, choose, and say how sure that is."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from llama_mapper.contracts.confidence import Scored, Stack, choose
from llama_mapper.contracts.mapping import MappedLabel, VendorFinding
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.prompt import PROMPT_VERSION, RELATION_MARKS
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE

from .candidates import Question, Questions
from .completion import Completion
from .resolution import Resolution


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
        self, build: Callable[[], Questions], predictor: Predictor, stack: Stack, taxonomy: Taxonomy, adapter: str
    ) -> None:
        self._build = build
        self._predictor = predictor
        self._stack = stack
        self._taxonomy = taxonomy
        self.version = adapter
        self._questions: asyncio.Task[Questions] | None = None

    def start(self) -> None:
        """Begin to build the index and to warm the predictor up; call inside the running loop."""
        self._predictor.start()
        if self._questions is None:
            self._questions = asyncio.get_running_loop().create_task(asyncio.to_thread(self._build))

    async def resolve(self, finding: VendorFinding) -> Resolution:
        """Return the likeliest label with its calibrated confidence; the caller's threshold decides.

        Raises:
            Unavailable: the index is not built yet, or the predictor does not answer.
            RequestTimeout: the predictor did not answer within its budget.
        """
        self.start()
        if self._questions is None or not self._questions.done():
            raise Unavailable("the index is being built", retry_after_seconds=5)
        question = await asyncio.to_thread(self._questions.result().ask, finding)
        completion = await self._predictor.ask(question.prompt, len(question.found))
        label, confidence = choose(self._stack, scored(question, completion))
        if label is None:
            raise Unavailable("retrieval found nothing to choose from")
        relation = max(RELATION_MARKS, key=lambda name: completion.relations.get(name, 0.0))
        severity = self._taxonomy[label].severity
        return Resolution(
            labels=(MappedLabel(label=label, relation=relation, confidence=round(confidence, 4), severity=severity),),
            method="model",
            negative=label == NEGATIVE,
            model=self._predictor.model,
            adapter=self.version,
            prompt=PROMPT_VERSION,
        )


def scored(question: Question, completion: Completion) -> Scored:
    """Put what the model and what retrieval said beside each other."""
    return Scored(
        labels=tuple(found.label for found in question.found),
        letters=completion.letters,
        none=completion.none,
        relations=completion.relations,
        scores=tuple(found.score for found in question.found),
        votes=tuple(found.votes for found in question.found),
    )
