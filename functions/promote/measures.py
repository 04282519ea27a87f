"""What is known of a revision of the predictor: what it did in this step, and how it did on the golden set."""

from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, StringConstraints, model_validator

from llama_mapper.contracts.evaluation import GateName
from llama_mapper.contracts.wire import Token

Share = Literal["errors", "slow", "invalid", "fallbacks", "unsure"]
"""What is counted of all calls; more of it is worse."""

Measure = Literal["errors", "slow", "invalid", "fallbacks", "unsure", "confidence", "drift"]
SHARES: tuple[Share, ...] = get_args(Share)
MEASURES: tuple[Measure, ...] = get_args(Measure)

CONFIDENCE_EDGES = tuple(round(step / 20, 2) for step in range(1, 21))
"""Upper edges ``le`` of the confidence histogram, 0.05 to 1.0. ``+Inf`` is the last one's count."""

Pillar = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z_]{0,31}$")]


class Counts(BaseModel):
    """One revision's figures, all cumulative since the present step began.

    ``confidence`` holds the cumulative bucket counts of the answers' confidence at ``CONFIDENCE_EDGES``, as Prometheus
    has them; empty where it is not measured. A call that got no answer is in ``calls`` and ``errors`` only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: NonNegativeInt = 0
    errors: NonNegativeInt = Field(default=0, description="No answer, or 5xx")
    slow: NonNegativeInt = Field(default=0, description="Slower than the latency bound, a bucket's edge")
    invalid: NonNegativeInt = Field(default=0, description="Answers that broke the schema")
    fallbacks: NonNegativeInt = Field(default=0, description="Labels that ended in a fallback")
    unsure: NonNegativeInt = Field(default=0, description="Answers below the confidence threshold")
    confidence: tuple[NonNegativeInt, ...] = ()
    pillars: dict[Pillar, NonNegativeInt] = Field(default={}, max_length=64, description="Answers by taxonomy pillar")

    @model_validator(mode="after")
    def _no_part_is_more_than_all(self) -> Self:
        over: list[str] = [name for name in SHARES if getattr(self, name) > self.calls]
        if sum(self.pillars.values()) > self.calls:
            over.append("pillars")
        if self.confidence:
            if len(self.confidence) != len(CONFIDENCE_EDGES):
                raise ValueError(f"confidence: {len(CONFIDENCE_EDGES)} buckets needed")
            if any(low > high for low, high in pairwise(self.confidence)):
                raise ValueError("confidence: bucket counts must be cumulative")
            if self.confidence[-1] > self.calls:
                over.append("confidence")
        if over:
            raise ValueError(f"more than there are calls: {', '.join(over)}")
        return self


class Golden(BaseModel):
    """The latest ``evaluation.completed`` of the canary's model. A gate in neither list was not measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gates_passed: tuple[GateName, ...] = ()
    gates_failed: tuple[GateName, ...] = ()
    metrics: dict[Token, FiniteFloat] = {}
