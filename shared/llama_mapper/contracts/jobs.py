"""orchestrate, asynchronously: POST, GET and DELETE /api/v1/jobs.

POST /api/v1/jobs takes the very ``OrchestrateRequest`` that POST /api/v1/orchestrate takes, so that content keeps its
one door; where to call back stands in a header. The answer is 202 with the ``Job``. DELETE /api/v1/jobs/{id} cancels.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, StringConstraints, model_validator

from .addresses import HttpsUrl
from .identifiers import AnyJobId
from .problems import ProblemDocument
from .wire import Confidence, Token, Wire

CALLBACK_HEADER = "X-Callback-URL"

CallbackUrl = HttpsUrl
"""Where the ``Job`` is posted once it has ended; the findings are fetched from its ``result``."""

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]

SigningSecret = Annotated[str, StringConstraints(pattern=r"^whsec_[A-Za-z0-9+/]{43}=$")]

ResultLink = Annotated[str, StringConstraints(pattern=r"^/api/v1/jobs/[A-Za-z0-9][A-Za-z0-9_-]{7,63}/result$")]


def check_outcome(status: JobStatus, result: object | None, problem: ProblemDocument | None) -> None:
    """Hold a result to success and a problem to failure.

    Raises:
        ValueError: one of them is missing, or there without its status.
    """
    if (result is not None) != (status == "succeeded"):
        raise ValueError("a result belongs to what succeeded, and only to that")
    if (problem is not None) != (status == "failed"):
        raise ValueError("a problem belongs to what failed, and only to that")


class Job(Wire):
    """GET /api/v1/jobs/{id}, and the body of the callback. Its result is an ``OrchestrateResponse``."""

    id: AnyJobId
    status: JobStatus
    progress: Confidence
    created_at: AwareDatetime
    updated_at: AwareDatetime
    expires_at: AwareDatetime
    result: ResultLink | None = None
    problem: ProblemDocument | None = None

    @model_validator(mode="after")
    def _outcome_fits_status(self) -> "Job":
        check_outcome(self.status, self.result, self.problem)
        if self.result and self.result.split("/")[-2] != self.id:
            raise ValueError("result must be that of the job itself")
        return self


class JobList(Wire):
    """GET /api/v1/jobs: the tenant's own, newest first; ``next_cursor`` asks for the older ones."""

    jobs: tuple[Job, ...]
    next_cursor: AnyJobId | None = None


class WebhookSecret(Wire):
    """GET and POST /api/v1/webhooks/secret: what callbacks are signed with (Standard Webhooks).

    For a day after a rotation callbacks carry a signature by ``previous`` too.
    """

    secret: SigningSecret
    previous: SigningSecret | None = None
    rotated_at: AwareDatetime | None = None


class Callback(Wire):
    """What became of a job's callback; the address is not shown."""

    job_id: AnyJobId
    attempts: NonNegativeInt
    outcome: Token = Field(description="The receiver's status, or what went wrong before there was one")
    ended_at: AwareDatetime


class DeadCallbacks(Wire):
    """GET /api/v1/webhooks/dead: callbacks that are not tried any more, newest first."""

    callbacks: tuple[Callback, ...]
