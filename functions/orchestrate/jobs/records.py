"""What is kept of a job in clear: ids, times, how far it is. Content, answer and callback are kept sealed elsewhere."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from llama_mapper.contracts.identifiers import CorrelationId, JobId, TenantId
from llama_mapper.contracts.jobs import Job, JobStatus
from llama_mapper.contracts.orchestration import OrchestrateRequest, Priority
from llama_mapper.contracts.problems import ProblemDocument
from llama_mapper.identity.keys import utc_now

PREFIX = "orchestrate:jobs"
PRIORITIES: tuple[Priority, ...] = ("critical", "high", "normal", "low")
ENDED: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Order:
    """A job as it is submitted; *authenticated* is what the gate found, *trace* a W3C ``traceparent``."""

    tenant_id: TenantId
    request: OrchestrateRequest = field(repr=False)
    authenticated: bool
    correlation_id: CorrelationId
    trace: str | None = None
    callback: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A job as the store has it."""

    job: Job
    tenant_id: TenantId
    priority: Priority
    authenticated: bool
    correlation_id: CorrelationId
    trace: str | None
    attempts: int
    """How often a worker has begun it."""
    callback: bytes | None = field(repr=False)
    """Sealed."""


@dataclass(frozen=True, slots=True)
class Names:
    """The keys of one job; *tenant_id* is in each, so that no tenant's id opens another's."""

    tenant_id: TenantId
    job_id: JobId

    @property
    def job(self) -> str:
        return f"{PREFIX}:job:{self.tenant_id}:{self.job_id}"

    @property
    def claim(self) -> str:
        """Where the content waits, sealed."""
        return f"{PREFIX}:claim:{self.tenant_id}:{self.job_id}"

    @property
    def result(self) -> str:
        return f"{PREFIX}:result:{self.tenant_id}:{self.job_id}"

    @property
    def index(self) -> str:
        return f"{PREFIX}:index:{self.tenant_id}"

    @property
    def open(self) -> str:
        """The tenant's jobs that have not ended, by the time at which they expire."""
        return f"{PREFIX}:open:{self.tenant_id}"

    @property
    def member(self) -> str:
        """The job in lists of all tenants; a tenant's id has no colon."""
        return f"{self.tenant_id}:{self.job_id}"


def named(member: bytes | str) -> Names:
    tenant_id, _, job_id = (member if isinstance(member, str) else member.decode()).partition(":")
    return Names(TenantId(tenant_id), JobId(job_id))


def new_id(now: datetime) -> JobId:
    """Ids sort by time, so the list of jobs is an index of ids alone; the rest cannot be guessed."""
    return JobId(f"{id_prefix(now)}-{secrets.token_hex(10)}")


def id_prefix(at: datetime) -> str:
    return f"job-{int(at.timestamp() * 1000):012x}"


def to_fields(order: Order, priority: Priority, created: datetime, expires: datetime) -> dict[str, str]:
    fields = {
        "status": "queued",
        "progress": "0",
        "priority": priority,
        "created": created.isoformat(),
        "updated": created.isoformat(),
        "expires": expires.isoformat(),
        "authenticated": "1" if order.authenticated else "",
        "correlation": order.correlation_id,
    }
    return fields | ({"trace": order.trace} if order.trace else {})


def to_record(names: Names, fields: Mapping[bytes, bytes]) -> Record:
    text = {name.decode(): value.decode() for name, value in fields.items() if name != b"callback"}
    succeeded = text["status"] == "succeeded"
    job = Job.model_validate(
        {
            "id": names.job_id,
            "status": text["status"],
            "progress": float(text["progress"]),
            "created_at": text["created"],
            "updated_at": text["updated"],
            "expires_at": text["expires"],
            "result": f"/api/v1/jobs/{names.job_id}/result" if succeeded else None,
            "problem": ProblemDocument.model_validate(json.loads(text["problem"])) if "problem" in text else None,
        }
    )
    return Record(
        job=job,
        tenant_id=names.tenant_id,
        priority=next(one for one in PRIORITIES if one == text["priority"]),
        authenticated=bool(text["authenticated"]),
        correlation_id=CorrelationId(text["correlation"]),
        trace=text.get("trace"),
        attempts=int(text.get("attempts", 0)),
        callback=fields.get(b"callback"),
    )


def stamp() -> str:
    return utc_now().astimezone(UTC).isoformat()
