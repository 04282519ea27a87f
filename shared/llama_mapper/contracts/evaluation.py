"""How good the mapping is: POST and GET /api/v1/evaluations, GET /api/v1/quality/gates."""

from typing import Literal

from pydantic import AwareDatetime, Field, FiniteFloat, PositiveInt, model_validator

from .identifiers import AnyEvaluationId
from .jobs import JobStatus, check_outcome
from .problems import ProblemDocument
from .wire import Token, Wire

GateName = Literal[
    "schema-valid",
    "coverage",
    "macro-f1",
    "nonsense-abstained",
    "expected-calibration-error",
    "fallback-share",
    "p95-ms",
]


class Gate(Wire):
    """One gate: a value with the floor it must reach or the ceiling it must keep, shares in 0..1, times in ms."""

    name: GateName
    value: FiniteFloat
    floor: FiniteFloat | None = None
    ceiling: FiniteFloat | None = None
    passed: bool

    @model_validator(mode="after")
    def _passed_as_measured(self) -> "Gate":
        if (self.floor is None) == (self.ceiling is None):
            raise ValueError("a gate has either a floor or a ceiling")
        kept = (self.floor is None or self.value >= self.floor) and (self.ceiling is None or self.value <= self.ceiling)
        if self.passed != kept:
            raise ValueError("passed must be what value and bound say")
        return self


class QualityReport(Wire):
    """GET /api/v1/quality/gates: the last evaluation's measurements and gates."""

    evaluation_id: AnyEvaluationId
    model: Token
    adapter: Token | None = None
    golden_set: Token
    golden_set_version: Token
    cases: PositiveInt
    metrics: dict[Token, FiniteFloat] = Field(min_length=1, max_length=64)
    gates: tuple[Gate, ...] = Field(min_length=1)
    measured_at: AwareDatetime


class EvaluateRequest(Wire):
    """POST /api/v1/evaluations, answered 202 with the ``Evaluation``; the model in service unless one is named."""

    golden_set: Token
    model: Token | None = None
    adapter: Token | None = None


class Evaluation(Wire):
    """GET /api/v1/evaluations/{id}: one run; its report is there once it has succeeded."""

    id: AnyEvaluationId
    status: JobStatus
    golden_set: Token
    created_at: AwareDatetime
    updated_at: AwareDatetime
    report: QualityReport | None = None
    problem: ProblemDocument | None = None

    @model_validator(mode="after")
    def _outcome_fits_status(self) -> "Evaluation":
        check_outcome(self.status, self.report, self.problem)
        if self.report and self.report.evaluation_id != self.id:
            raise ValueError("report must be that of the evaluation itself")
        return self


class EvaluationList(Wire):
    """GET /api/v1/evaluations, newest first."""

    evaluations: tuple[Evaluation, ...]
