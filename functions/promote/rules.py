"""What the gate may get wrong, how often, and what counts as wrong: data, each with a default."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llama_mapper.contracts.evaluation import GateName

from .measures import Measure


class Margin(BaseModel):
    """How much worse than the stable revision is too much; absolute differences of shares or means, in 0..1.

    regression: a canary this much worse must not be promoted.
    tolerance: a canary at most this much worse must not be rolled back. What lies between may go either way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regression: float = Field(gt=0, lt=1)
    tolerance: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _something_lies_between(self) -> Self:
        if self.tolerance >= self.regression:
            raise ValueError("tolerance must be below regression")
        return self


MARGINS: Mapping[Measure, Margin] = MappingProxyType(
    {
        "errors": Margin(regression=0.01),
        "slow": Margin(regression=0.03),
        "invalid": Margin(regression=0.01),
        "fallbacks": Margin(regression=0.02),
        "unsure": Margin(regression=0.04),
        "confidence": Margin(regression=0.02),
        # A better model also answers differently: only what no golden set would explain is held against it.
        "drift": Margin(regression=0.10, tolerance=0.05),
    }
)


class Rules(BaseModel):
    """What the gate may get wrong, and how often.

    false_promotion: probability that a rollout is given a larger share after a step over which it was worse, on
        average, by ``regression`` or more in any measure.
    false_rollback: probability that a rollout is rolled back on live figures while nothing is worse than ``tolerance``.
    margins: the measures judged; one that is not observed must be left out, or nothing is ever promoted.
    gates: of the golden set; all must have passed before the last step.
    pillars: how many the answers may have; the rate of drift is shared among so many.
    dependent_calls: so many calls may fail together in any way (a batch); the evidence is divided by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_promotion: float = Field(default=0.05, gt=0, lt=1)
    false_rollback: float = Field(default=0.01, gt=0, lt=1)
    margins: dict[Measure, Margin] = Field(default=dict(MARGINS), min_length=1)
    gates: tuple[GateName, ...] = ("coverage", "macro-f1", "nonsense-abstained", "expected-calibration-error")
    pillars: int = Field(default=16, ge=1, le=64)
    min_calls: int = Field(default=300, ge=1, description="Of the canary in a step, before a promotion")
    min_seconds: float = Field(default=300.0, ge=0, description="Of a step, before a promotion")
    max_seconds: float = Field(default=86_400.0, gt=0, description="Of a step, before a person is asked")
    dependent_calls: int = Field(default=1, ge=1, le=1000)
