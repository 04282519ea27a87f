"""Ask orchestrate about many texts at once, keep their order, and cut what is too long for one request."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from llama_mapper.client import AsyncLlamaMapper, LlamaMapperError, NoAnswer, Options
from llama_mapper.contracts.orchestration import OrchestrateResponse
from llama_mapper.contracts.wire import MAX_CONTENT_CHARACTERS

from .scan_input import Item, Unreadable
from .services import START_HINT, NothingAnswers

OVERLAP_CHARACTERS = 500
"""Wider than any entity we know, so that what lies on a cut is whole in one of the two parts."""
ACTIONS = ("allow", "flag", "redact", "human_review", "block")
"""Weakest first."""


@dataclass(frozen=True, slots=True)
class LabelFound:
    """A canonical label in one text, with the highest confidence any part gave."""

    label: str
    severity: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one text was judged to be. *parts* is above 1 where the text was cut; *size* as in ``Item``."""

    line: int
    action: str
    risk_score: float | None
    risk_level: str
    coverage: float
    labels: tuple[LabelFound, ...]
    parts: int
    size: int
    excerpt: str = ""


Result = Verdict | Unreadable


def cut(text: str, limit: int = MAX_CONTENT_CHARACTERS, overlap: int = OVERLAP_CHARACTERS) -> list[str]:
    """Return *text* in parts of at most *limit* characters; neighbours share *overlap* characters."""
    if len(text) <= limit:
        return [text]
    step = limit - overlap
    return [text[start : start + limit] for start in range(0, len(text) - overlap, step)]


def merge(item: Item, answers: Sequence[OrchestrateResponse], excerpt_characters: int = 0) -> Verdict:
    """Combine the answers for the parts of one text: the strictest action, the highest risk, every label."""
    labels: dict[str, LabelFound] = {}
    for finding in (finding for answer in answers for finding in answer.findings):
        known = labels.get(finding.label)
        if known is None or finding.confidence > known.confidence:
            labels[finding.label] = LabelFound(finding.label, finding.severity, finding.confidence)
    risks = [answer.analysis.risk for answer in answers if answer.analysis]
    worst = max(risks, key=lambda risk: risk.score, default=None)
    return Verdict(
        line=item.line,
        action=max((answer.decision.action for answer in answers), key=ACTIONS.index),
        risk_score=worst.score if worst else None,
        risk_level=worst.level if worst else "",
        coverage=min(answer.coverage.score for answer in answers),
        labels=tuple(sorted(labels.values(), key=lambda found: (-found.severity, found.label))),
        parts=len(answers),
        size=item.size,
        excerpt=item.text[:excerpt_characters],
    )


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks orchestrate; the policy chooses the detectors unless some are named."""

    mapper: AsyncLlamaMapper
    detectors: tuple[str, ...] = ()
    excerpt_characters: int = 0

    async def judge(self, item: Item) -> Result:
        """Judge one text; a refusal is the text's own trouble.

        Raises:
            NothingAnswers: orchestrate is not there, so no other text can work either.
        """
        options: Options = {"priority": "low"}
        if self.detectors:
            options["detector_types"] = self.detectors
        try:
            answers = [await self.mapper.orchestrate(part, **options) for part in cut(item.text)]
        except NoAnswer as error:
            if error.unsent:
                raise NothingAnswers(f"{error}; {START_HINT}") from error
            return Unreadable(item.line, str(error), item.size)
        except LlamaMapperError as error:
            return Unreadable(item.line, str(error), item.size)
        return merge(item, answers, self.excerpt_characters)


async def judge_all(
    items: Iterator[Item | Unreadable], judge: Callable[[Item], Awaitable[Result]], jobs: int
) -> AsyncIterator[Result]:
    """Yield a result for each of *items* in their order, with at most *jobs* in work."""
    window: deque[asyncio.Task[Result]] = deque()
    try:
        # In a thread: reading from a pipe may wait, and the texts in work must not wait with it.
        while (item := await asyncio.to_thread(next, items, None)) is not None:
            window.append(asyncio.create_task(_one(item, judge)))
            if len(window) >= jobs:
                yield await window.popleft()
        while window:
            yield await window.popleft()
    finally:
        for task in window:
            task.cancel()
        await asyncio.gather(*window, return_exceptions=True)


async def _one(item: Item | Unreadable, judge: Callable[[Item], Awaitable[Result]]) -> Result:
    return item if isinstance(item, Unreadable) else await judge(item)
