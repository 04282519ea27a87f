"""Judge the texts of a model's request or answer and say what becomes of each: for gateways in front of models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.orchestration import BatchItem, OrchestrateResponse

from .asynchronous import AsyncLlamaMapper
from .errors import NoAnswer, ProblemError

Otherwise = Literal["block", "allow"]
MASKED = ("PII", "SECRET")
"""Whose spans can be cut out of a text; what harms as a whole cannot be masked."""
BATCH = 100
MAX_SPANS = 1000
"""As many as a finding says; with so many there may be more."""


class Refused(Exception):
    """A text does not pass; holds what was decided and nothing of the text. ``judged`` is False where nobody could."""

    def __init__(self, action: str, reasons: Sequence[str] = (), request_id: str = "", *, judged: bool = True) -> None:
        because = f" ({', '.join(reasons)})" if reasons else ""
        super().__init__(f"{action}{because}")
        self.action = action
        self.reasons = tuple(reasons)
        self.request_id = request_id
        self.judged = judged


@dataclass(frozen=True, slots=True)
class TextGuard:
    """Ask *mapper* about texts.

    ``allow`` and ``flag`` let a text through, ``redact`` masks it, ``block`` refuses it. *on_review* says what becomes
    of one that a person has to look at, *unreachable* of one while the service is away; what the service refuses to
    judge (too long, for instance) never passes.
    """

    mapper: AsyncLlamaMapper
    on_review: Otherwise = "block"
    unreachable: Otherwise = "block"

    async def check(self, texts: Sequence[str], *, change: bool = True) -> list[str]:
        """Return *texts* as they may go on; without *change*, one that would have to be masked is refused.

        Raises:
            Refused: a text may not go on.
        """
        passed: list[str] = []
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            passed += [
                text if answer is None else self._settled(text, answer, change)
                for text, answer in zip(part, await self._answers(part), strict=True)
            ]
        return passed

    async def _answers(self, texts: Sequence[str]) -> list[OrchestrateResponse | None]:
        """None for a text that passes unjudged."""
        asked = [text for text in texts if text]
        if not asked:
            return [None] * len(texts)
        try:
            results = iter((await self.mapper.batch(asked)).results)
        except (NoAnswer, ProblemError) as error:
            if self.unreachable == "block" or not (isinstance(error, NoAnswer) or error.retryable):
                raise Refused("unjudged", judged=False) from error
            return [None] * len(texts)
        return [self._judged(next(results, None)) if text else None for text in texts]

    def _judged(self, item: BatchItem | None) -> OrchestrateResponse | None:
        if item is not None and item.response is not None:
            return item.response
        away = item is not None and item.problem is not None and item.problem.retryable
        if away and self.unreachable == "allow":
            return None
        raise Refused("unjudged", judged=False)

    def _settled(self, text: str, answer: OrchestrateResponse, change: bool) -> str:
        decision = answer.decision
        if decision.action in ("allow", "flag") or (decision.action == "human_review" and self.on_review == "allow"):
            return text
        if decision.action == "redact" and change and (without := masked(text, answer.findings)) is not None:
            return without
        raise Refused(decision.action, decision.reasons, answer.request_id)


def masked(text: str, findings: Sequence[CanonicalFinding]) -> str | None:
    """Return *text* with the label in place of every personal value and secret; None where that cannot be done."""
    wanted = [finding for finding in findings if finding.label.partition(".")[0] in MASKED]
    if not wanted or any(not finding.spans or len(finding.spans) >= MAX_SPANS for finding in wanted):
        return None
    places = sorted((span.start, -span.end, finding.label) for finding in wanted for span in finding.spans)
    pieces: list[str] = []
    done = 0
    for start, negative_end, label in places:
        if start >= done:  # else it overlaps what is masked already
            pieces += [text[done:start], f"[{label}]"]
        done = max(done, -negative_end)
    return "".join([*pieces, text[done:]])
