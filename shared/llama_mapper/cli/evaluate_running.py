"""Measure a running mapper: are its answers mappings, who gave them, how long they took and what they cost."""

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from llama_mapper.contracts.mapping import Mapping

from .services import NothingAnswers, ServiceRefused, Services

if TYPE_CHECKING:
    from mapper_training.golden import Case
    from mapper_training.score import Watch

NOT_HELD_OUT = (
    "These answers are no held-out accuracy: the words sent stand in the vocabularies that the running mapper searches "
    "and that its adapter was trained on. They show form, speed and cost alone."
)
SEED = 11


@dataclass(frozen=True, slots=True)
class Running:
    """Shares in 0..1; times as a caller waits, one request after the other; tokens and cost of answers that had any."""

    asked: int
    refused: int
    schema_valid: float
    methods: dict[str, float]
    p50_ms: float
    p95_ms: float
    metered: int
    prompt_tokens: float
    completion_tokens: float
    cost_microdollars: float
    prices: tuple[str, ...]

    def rows(self) -> list[tuple[str, str]]:
        shown = [
            ("words sent", f"{self.asked}" + (f", {self.refused} refused or failed" if self.refused else "")),
            ("schema-valid", f"{self.schema_valid:.4f}"),
            *((f"method {name}", f"{share:.3f}") for name, share in self.methods.items()),
            ("latency p50 / p95", f"{self.p50_ms:.0f} / {self.p95_ms:.0f} ms, one at a time"),
        ]
        if self.metered:
            shown += [
                ("tokens an answer", f"{self.prompt_tokens:.1f} in, {self.completion_tokens:.1f} out"),
                ("cost an answer", f"{self.cost_microdollars:.2f} micro-dollars (prices {', '.join(self.prices)})"),
            ]
        return shown


async def measure(
    services: Services, url: str, cases: "Sequence[Case]", count: int, kind_told: bool, watch: "Watch"
) -> Running:
    """Send *count* golden words, or all there are, as findings of a detector of which nothing is known.

    Its id is new in each run, so that no rule knows a word and nothing is cached; the words may stand in the mapper's
    review queue afterwards.

    Raises:
        NothingAnswers: nothing listens at *url*.
    """
    from mapper_training.variation import dice

    detector = f"evaluation-{uuid.uuid4().hex[:12]}"
    chosen = dice(SEED).sample(list(cases), min(count, len(cases)))
    answers: list[Mapping | None] = []
    waits, refused = [], 0
    for number, case in enumerate(chosen):
        watch("asking the running mapper", number, len(chosen))
        body = {"detector": detector, "label": case.word}
        body |= {"description": case.description} if case.description else {}
        body |= {"kind": case.kind} if kind_told else {}
        started = time.perf_counter()
        try:
            content = (await services.ask("POST", f"{url.rstrip('/')}/api/v1/map", json=body)).content
            answers.append(_read(content))
        except NothingAnswers:
            raise
        except ServiceRefused:
            refused += 1
            answers.append(None)
        waits.append((time.perf_counter() - started) * 1000)
    return _summary(answers, waits, refused)


def _read(content: bytes) -> Mapping | None:
    try:
        return Mapping.model_validate_json(content)
    except ValidationError:
        return None


def _summary(answers: Sequence[Mapping | None], waits: Sequence[float], refused: int) -> Running:
    import numpy as np

    valid = [answer for answer in answers if answer]
    used = [answer.usage for answer in valid if answer.usage]
    methods = Counter(answer.method for answer in valid)
    p50, p95 = np.percentile(waits, [50, 95])

    def mean(values: Sequence[float]) -> float:
        return round(sum(values) / len(values), 2) if values else 0.0

    return Running(
        asked=len(answers),
        refused=refused,
        schema_valid=len(valid) / len(answers),
        # Fallback is named even where it never happened: that is the figure one looks for.
        methods={name: round(methods[name] / len(answers), 4) for name in sorted({*methods, "fallback"})},
        p50_ms=round(float(p50), 1),
        p95_ms=round(float(p95), 1),
        metered=len(used),
        prompt_tokens=mean([usage.prompt_tokens for usage in used]),
        completion_tokens=mean([usage.completion_tokens for usage in used]),
        cost_microdollars=mean([usage.cost_microdollars for usage in used]),
        prices=tuple(sorted({usage.prices for usage in used})),
    )
