"""What callbacks are signed with, and those that nobody took, over HTTP: /api/v1/webhooks."""

from typing import Annotated

from fastapi import Depends, FastAPI, Response

from llama_mapper.contracts.audit import Act
from llama_mapper.contracts.jobs import DeadCallbacks, Job, WebhookSecret
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.identity.audit_logs import AuditLog
from llama_mapper.identity.keys import utc_now

from ..entrance.gate import Admitted, Gate
from ..jobs.api import JobIdInPath, there
from ..jobs.records import Names
from ..jobs.wiring import Jobs
from .signing import Secrets


def add_webhooks(app: FastAPI, gate: Gate, jobs: Jobs | None, audit: AuditLog | None) -> None:
    """Add the resources; what cannot be noted is not done."""
    use, writes = Depends(gate.needs("jobs:use")), Depends(gate.needs("keys:write"))

    async def note(admitted: Admitted, act: Act) -> None:
        if audit is None:
            raise Unavailable("there is no audit log to note this in; it needs ORCHESTRATION_PEPPER")
        await audit.append(admitted.entry(act, "webhook-secret"))

    @app.get("/api/v1/webhooks/secret", tags=["webhooks"])
    async def show_secret(admitted: Annotated[Admitted, writes], response: Response) -> WebhookSecret:
        """What the tenant's callbacks are signed with (Standard Webhooks); made at the first asking."""
        wired = there(jobs)
        await note(admitted, "webhook.secret_shown")
        response.headers["Cache-Control"] = "no-store"
        return _shown(await wired.secrets.of(admitted.tenant_id))

    @app.post("/api/v1/webhooks/secret", tags=["webhooks"], status_code=201)
    async def rotate_secret(admitted: Annotated[Admitted, writes], response: Response) -> WebhookSecret:
        """Make another secret; for a day callbacks are signed with both."""
        wired = there(jobs)
        await note(admitted, "webhook.secret_rotated")
        response.headers["Cache-Control"] = "no-store"
        return _shown(await wired.secrets.rotate(admitted.tenant_id, utc_now()))

    @app.get("/api/v1/webhooks/dead", tags=["webhooks"])
    async def dead_callbacks(admitted: Annotated[Admitted, use]) -> DeadCallbacks:
        """The tenant's callbacks that are not tried any more, newest first."""
        return await there(jobs).webhooks.dead(admitted.tenant_id)

    @app.post("/api/v1/webhooks/dead/{job_id}/replay", tags=["webhooks"], status_code=202)
    async def replay_callback(job_id: JobIdInPath, admitted: Annotated[Admitted, use]) -> Job:
        """Send a dead callback again, with all its tries."""
        wired = there(jobs)
        names = Names(admitted.tenant_id, job_id)
        record = await wired.store.record(names)
        await wired.webhooks.again(names)
        return record.job


def _shown(secrets: Secrets) -> WebhookSecret:
    return WebhookSecret.model_validate(
        {"secret": secrets.secret, "previous": secrets.previous, "rotated_at": secrets.rotated}
    )
