"""Administrative acts, as they are kept: who did what to what, never with which values."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, PositiveInt, StringConstraints

from .identifiers import AnyCorrelationId, HolderId
from .identity import Subject
from .wire import Token, Wire

Act = Literal[
    "key.created",
    "key.rotated",
    "key.revoked",
    "code.enrolled",
    "webhook.secret_shown",
    "webhook.secret_rotated",
    "detector.registered",
    "detector.changed",
    "detector.removed",
    "policies.changed",
    "tenant.changed",
    "tenant.rolled_back",
    "content.restored",
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class AuditEntry(Wire):
    """One act; ``target`` is the id of what was changed, ``outcome`` whether it was let through."""

    at: AwareDatetime
    tenant_id: HolderId
    subject: Subject
    act: Act
    target: Token
    outcome: Literal["done", "refused"] = "done"
    why: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}$")] | None = Field(
        default=None, description="The number of a ticket, say"
    )
    correlation_id: AnyCorrelationId


class AuditRecord(Wire):
    """An entry in its place in the tenant's log."""

    entry: AuditEntry
    number: PositiveInt = Field(description="From 1, without gaps")
    previous: Sha256
    hash: Sha256


class AuditRecords(Wire):
    """GET /api/v1/audit, oldest first."""

    records: tuple[AuditRecord, ...]
