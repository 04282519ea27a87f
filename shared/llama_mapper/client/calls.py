"""The calls as values: what is sent, and what is read out of the answer. Nothing here talks to anybody."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from llama_mapper.contracts.audit import AuditRecords
from llama_mapper.contracts.detection import DetectorHealth
from llama_mapper.contracts.identity import ApiKey, ApiKeys, IssuedKey, Scope
from llama_mapper.contracts.jobs import CALLBACK_HEADER, Job, JobList
from llama_mapper.contracts.orchestration import (
    BatchResponse,
    ContentType,
    OrchestrateRequest,
    OrchestrateResponse,
    Priority,
    ProcessingMode,
)
from llama_mapper.contracts.problems import ProblemDocument
from llama_mapper.contracts.redaction import DetokenizeResponse, RedactionOperator
from llama_mapper.contracts.registration import OfferedDetectors
from llama_mapper.contracts.tenants import TenantConfiguration, TenantState, TenantVersion, TenantVersions

from .errors import ProblemError, UnknownAnswer

Answer = TypeVar("Answer", bound=BaseModel)
PASSING = frozenset({408, 429, 502, 503, 504})
"""What a gateway says that may be otherwise later; our own services say it themselves (``retryable``)."""


class Options(TypedDict, total=False):
    """How one content is judged; what is left out is the policy's to say."""

    content_type: ContentType
    detector_types: Sequence[str]
    required_detectors: Sequence[str]
    excluded_detectors: Sequence[str]
    processing_mode: ProcessingMode
    priority: Priority
    metadata: Mapping[str, str]
    redaction: RedactionOperator


Item = str | OrchestrateRequest | Mapping[str, Any]
"""One content of a batch: the text, or the text with its options."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request, the same each time it is sent; ``repeatable`` where twice is once for the service."""

    method: str
    path: str
    answer: type[Answer]
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = True
    correlation_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def read(self, reply: Reply, origin: str) -> Answer:
        """Return the answer's model; fields that are newer than this client are passed over.

        Raises:
            ProblemError: the service said no.
            UnknownAnswer: not the shape that was asked for.
        """
        if not 200 <= reply.status < 300:
            raise _problem(reply, origin, self.correlation_id)
        try:
            return self.answer.model_validate_json(reply.body, extra="ignore")
        except ValidationError:
            pass  # raised below, where the answer is not in the exception's context
        raise UnknownAnswer(f"{origin} answered {reply.status} in a shape we do not know", self.correlation_id)


def orchestrate(content: str, options: Options, correlation_id: str | None) -> Call[OrchestrateResponse]:
    return _post("/api/v1/orchestrate", {"content": content, **options}, OrchestrateResponse, correlation_id)


def batch(items: Iterable[Item], correlation_id: str | None) -> Call[BatchResponse]:
    return _post("/api/v1/orchestrate/batch", {"items": [_item(one) for one in items]}, BatchResponse, correlation_id)


def submit(content: str, options: Options, callback: str | None, correlation_id: str | None) -> Call[Job]:
    call = _post("/api/v1/jobs", {"content": content, **options}, Job, correlation_id)
    return replace(call, headers={**call.headers, CALLBACK_HEADER: callback}) if callback else call


def job(job_id: str) -> Call[Job]:
    return Call("GET", _job(job_id), Job)


def jobs(limit: int, cursor: str | None) -> Call[JobList]:
    older = f"&cursor={quote(cursor, safe='')}" if cursor else ""
    return Call("GET", f"/api/v1/jobs?limit={limit}{older}", JobList)


def result(job_id: str) -> Call[OrchestrateResponse]:
    return Call("GET", f"{_job(job_id)}/result", OrchestrateResponse, repeatable=False)


def cancel(job_id: str) -> Call[Job]:
    return Call("DELETE", _job(job_id), Job, repeatable=False)


def _job(job_id: str) -> str:
    return f"/api/v1/jobs/{quote(job_id, safe='')}"


def detectors() -> Call[OfferedDetectors]:
    return Call("GET", "/api/v1/detectors", OfferedDetectors)


def detector_health(detector: str) -> Call[DetectorHealth]:
    return Call("GET", f"/api/v1/detectors/{quote(detector, safe='')}/health", DetectorHealth)


def keys() -> Call[ApiKeys]:
    return Call("GET", "/api/v1/keys", ApiKeys)


def create_key(name: str, scopes: Sequence[Scope], days: int, code: str | None) -> Call[IssuedKey]:
    body = _json({"name": name, "scopes": list(scopes), "days": days})
    return Call("POST", "/api/v1/keys", IssuedKey, body, _one_time(code), repeatable=False)


def rotate_key(key_id: str, code: str | None) -> Call[IssuedKey]:
    path = f"/api/v1/keys/{quote(key_id, safe='')}/rotation"
    return Call("POST", path, IssuedKey, None, _one_time(code), repeatable=False)


def revoke_key(key_id: str, code: str | None) -> Call[ApiKey]:
    # Not sent again: a one-time code counts once, so a second sending could only be refused.
    path = f"/api/v1/keys/{quote(key_id, safe='')}"
    return Call("DELETE", path, ApiKey, None, _one_time(code), repeatable=False)


def detokenize(content: str, code: str | None) -> Call[DetokenizeResponse]:
    path = "/api/v1/detokenize"
    return Call("POST", path, DetokenizeResponse, _json({"content": content}), _one_time(code), repeatable=False)


def audit(start: int, count: int) -> Call[AuditRecords]:
    return Call("GET", f"/api/v1/audit?start={start}&count={count}", AuditRecords)


def tenant_configuration(tenant: str) -> Call[TenantState]:
    return Call("GET", _tenant(tenant), TenantState)


def configure_tenant(
    tenant: str, configuration: TenantConfiguration, why: str, version: int, code: str | None
) -> Call[TenantState]:
    body = _json({"configuration": configuration.model_dump(mode="json", exclude_none=True), "why": why})
    return Call("PUT", _tenant(tenant), TenantState, body, _changing(version, code), repeatable=False)


def tenant_versions(tenant: str) -> Call[TenantVersions]:
    return Call("GET", f"{_tenant(tenant)}/versions", TenantVersions)


def tenant_version(tenant: str, number: int) -> Call[TenantVersion]:
    return Call("GET", f"{_tenant(tenant)}/versions/{number}", TenantVersion)


def roll_tenant_back(tenant: str, number: int, why: str, version: int, code: str | None) -> Call[TenantState]:
    body = _json({"version": number, "why": why})
    return Call("POST", f"{_tenant(tenant)}/rollback", TenantState, body, _changing(version, code), repeatable=False)


def _tenant(tenant: str) -> str:
    return f"/api/v1/tenants/{quote(tenant, safe='')}/configuration"


def _changing(version: int, code: str | None) -> Mapping[str, str]:
    """Of what was read in *version*; whoever changed it meanwhile wins, and is not overwritten."""
    return {"If-Match": f'"{version}"', **_one_time(code)}


def _post(path: str, body: object, answer: type[Answer], correlation_id: str | None) -> Call[Answer]:
    """With an ``Idempotency-Key`` of its own, so that a second sending makes no second event."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    return Call("POST", path, answer, _json(body), headers, correlation_id=correlation_id or uuid.uuid4().hex)


def _item(item: Item) -> object:
    if isinstance(item, str):
        return {"content": item}
    return item.model_dump(mode="json", exclude_unset=True) if isinstance(item, OrchestrateRequest) else dict(item)


def _json(body: object) -> bytes:
    return json.dumps(body).encode()  # ASCII: what is no Unicode is the service's to refuse


def _one_time(code: str | None) -> Mapping[str, str]:
    return {"X-One-Time-Code": code} if code else {}


def _problem(reply: Reply, origin: str, correlation_id: str) -> ProblemError:
    """Of a gateway's own page nothing is shown but the status: it may quote the request."""
    said = f"{origin} answered {reply.status}"
    wait = _seconds(reply.headers.get("retry-after"), reply.headers.get("date"))
    document = _document(reply)
    if document is None:
        passing = reply.status in PASSING
        return ProblemError(said, correlation_id, status=reply.status, retryable=passing, retry_after=wait)
    return ProblemError(
        f"{said}: {document.detail}",
        document.correlation_id,
        status=reply.status,
        error_code=document.error_code,
        detail=document.detail,
        retryable=document.retryable,
        retry_after=wait,
        errors=document.errors,
    )


def _document(reply: Reply) -> ProblemDocument | None:
    if not reply.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        return ProblemDocument.model_validate_json(reply.body, extra="ignore")
    except ValidationError:
        return None


def _seconds(header: str | None, date: str | None) -> float | None:
    """``Retry-After``: seconds, or a date, which is read by the answer's own clock (RFC 9110 section 10.2.3)."""
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - parsedate_to_datetime(date or "")).total_seconds())
    except (ValueError, TypeError):  # no date, or one with a zone beside one without
        return None
