"""Jobs over HTTP: /api/v1/jobs. A job is a request that is judged later; its result is fetched, or called about."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from pydantic import TypeAdapter

from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import PROBLEM
from llama_mapper.contracts.identifiers import AnyJobId, JobId
from llama_mapper.contracts.jobs import CALLBACK_HEADER, Job, JobList
from llama_mapper.contracts.orchestration import OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.identity.keys import utc_now

from ..entrance.answering import IdempotencyKey, answered
from ..entrance.gate import Admitted, Gate
from ..entrance.idempotency import Idempotency
from .records import ENDED, Names, Order
from .store import POLL_SECONDS
from .wiring import Jobs

ACCEPTED = 202
CallbackHeader = Annotated[str | None, Header(alias=CALLBACK_HEADER, max_length=512)]
JobIdInPath = Annotated[AnyJobId, Path(alias="job_id")]
_JOB: TypeAdapter[Job] = TypeAdapter(Job)


def there(jobs: Jobs | None) -> Jobs:
    """Raises Unavailable where this installation has nowhere to keep jobs."""
    if jobs is None:
        raise Unavailable("jobs need ORCHESTRATION_REDIS_URL and ORCHESTRATION_KEYSET; neither may be missing")
    return jobs


class Submission:
    """Takes a request as a job, for whichever resource it came to."""

    def __init__(self, jobs: Jobs | None, idempotency: Idempotency | None) -> None:
        self._jobs = jobs
        self._idempotency = idempotency

    async def accept(
        self, content: OrchestrateRequest, admitted: Admitted, request: Request, key: str | None, callback: str | None
    ) -> Response:
        """Answer 202 with the job and where it is.

        Raises:
            InsufficientRbac, Unauthorized: jobs are not for this caller, or not such a content.
            InvalidRequest: the callback's address may not be called.
            RateLimited: too many of the tenant's jobs have not ended.
            Unavailable: there is nowhere to keep it.
        """
        await admitted.policy.permit(admitted.principal, "jobs:use", admitted.tenant_id, utc_now())
        await admitted.policy.admit(admitted.tenant_id, len(content.content), admitted.authenticated, content.priority)
        jobs = there(self._jobs)
        hosts = (await admitted.policy.tenancy(admitted.tenant_id)).rules.callback_hosts if callback else None
        order = Order(
            tenant_id=admitted.tenant_id,
            request=content,
            authenticated=admitted.authenticated,
            correlation_id=correlation.current(),
            trace=correlation.traceparent(),
            callback=jobs.targets.check(callback, admitted.tenant_id, hosts) if callback else None,
        )

        async def submit() -> tuple[int, Job]:
            job = await jobs.store.submit(order)
            jobs.start()
            return ACCEPTED, job

        response = await answered(self._idempotency, key, admitted.tenant_id, request, submit)
        response.headers["Location"] = f"/api/v1/jobs/{_JOB.validate_json(bytes(response.body)).id}"
        response.headers["Retry-After"] = str(POLL_SECONDS)
        return response


def add_jobs(app: FastAPI, gate: Gate, jobs: Jobs | None, submission: Submission) -> None:
    """Add the resources; without a store they answer 503."""
    use = Depends(gate.needs("jobs:use"))

    @app.post("/api/v1/jobs", tags=["jobs"], status_code=ACCEPTED, response_model=Job)
    async def submit_job(
        content: OrchestrateRequest,
        admitted: Annotated[Admitted, use],
        request: Request,
        key: IdempotencyKey = None,
        callback: CallbackHeader = None,
    ) -> Response:
        """Judge a content later: 202 with the job, which is to be asked for, or calls back when it has ended."""
        return await submission.accept(content, admitted, request, key, callback)

    @app.get("/api/v1/jobs", tags=["jobs"])
    async def list_jobs(
        admitted: Annotated[Admitted, use],
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: AnyJobId | None = None,
    ) -> JobList:
        """The tenant's jobs, newest first; `next_cursor` goes into `cursor` for the older ones."""
        return await there(jobs).store.list(admitted.tenant_id, limit, cursor)

    @app.get("/api/v1/jobs/{job_id}", tags=["jobs"])
    async def show_job(job_id: JobIdInPath, admitted: Annotated[Admitted, use], response: Response) -> Job:
        """How far a job is; `Retry-After` says when to ask again, until it has ended."""
        job = (await there(jobs).store.record(_names(admitted, job_id))).job
        if job.status not in ENDED:
            response.headers["Retry-After"] = str(POLL_SECONDS)
        return job

    @app.get("/api/v1/jobs/{job_id}/result", tags=["jobs"], responses={410: PROBLEM})
    async def job_result(job_id: JobIdInPath, admitted: Annotated[Admitted, use]) -> OrchestrateResponse:
        """What was found; 409 where the job has not ended or failed, 410 where it was cancelled or has expired."""
        return await there(jobs).store.result(_names(admitted, job_id))

    @app.delete("/api/v1/jobs/{job_id}", tags=["jobs"])
    async def cancel_job(job_id: JobIdInPath, admitted: Annotated[Admitted, use]) -> Job:
        """Cancel a job and forget its content; 409 where it has ended."""
        wired = there(jobs)
        job = await wired.store.cancel(_names(admitted, job_id))
        wired.start()
        return job


def _names(admitted: Admitted, job_id: JobId) -> Names:
    return Names(admitted.tenant_id, job_id)
