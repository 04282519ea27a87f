"""analyze: POST /api/v1/patterns, what the rows of a period show. The tenant comes from the header alone."""

from typing import Literal

from pydantic import AwareDatetime, Field, FiniteFloat, NonNegativeInt, model_validator

from .identifiers import AnyCanonicalLabel, AnyDetectorId
from .wire import Confidence, Prose, Token, Wire

PatternKind = Literal["temporal", "frequency", "correlation", "anomaly"]


class Period(Wire):
    """A half-open range [start, end) of time."""

    start: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _not_empty(self) -> "Period":
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self


class PatternsRequest(Wire):
    """Labels and detectors narrow the search; all are looked at unless named."""

    period: Period
    labels: tuple[AnyCanonicalLabel, ...] | None = Field(default=None, min_length=1, max_length=200)
    detectors: tuple[AnyDetectorId, ...] | None = Field(default=None, min_length=1, max_length=32)
    kinds: tuple[PatternKind, ...] = Field(
        default=("temporal", "frequency", "correlation", "anomaly"), min_length=1, max_length=4
    )


class Interval(Wire):
    """A confidence interval; ``high`` is absent where there is no upper bound."""

    low: FiniteFloat
    high: FiniteFloat | None
    level: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Interval":
        if self.high is not None and self.high < self.low:
            raise ValueError("high must not be below low")
        return self


class PatternFinding(Wire):
    """One pattern. ``p_value`` stands alone; ``q_value`` is corrected for all the series that were looked at."""

    kind: PatternKind
    labels: tuple[AnyCanonicalLabel, ...]
    detectors: tuple[AnyDetectorId, ...] = ()
    period: Period
    effect: Token = Field(description="What effect_size measures: rate-ratio, lift, lag-correlation …")
    effect_size: FiniteFloat
    interval: Interval
    p_value: Confidence | None = None
    q_value: Confidence | None = None
    evidence_query: Token = Field(description="Id of the stored query whose rows show it")
    explanation: Prose

    @model_validator(mode="after")
    def _says_how_likely_chance_is(self) -> "PatternFinding":
        if self.p_value is None and self.q_value is None:
            raise ValueError("p_value or q_value must be given")
        return self


class PatternsResponse(Wire):
    """The answer; ``series_tested`` is what q values are corrected for.

    ``series_left_out`` are rarer series beyond the number that one search takes.
    """

    period: Period
    series_tested: NonNegativeInt
    series_left_out: NonNegativeInt = 0
    patterns: tuple[PatternFinding, ...]
