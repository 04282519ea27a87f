"""Who asks: what an API key or a token proves, and what is kept of a key (never the key)."""

from typing import Annotated, Literal, get_args

from pydantic import AwareDatetime, Field, StringConstraints

from .identifiers import HolderId
from .wire import Wire

Scope = Literal[
    "orchestrate:use",
    "jobs:use",
    "detectors:read",
    "detectors:write",
    "policies:read",
    "policies:write",
    "tenants:read",
    "tenants:write",
    "keys:read",
    "keys:write",
    "audit:read",
    "content:restore",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)

KeyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{12}$")]
Subject = Annotated[str, StringConstraints(pattern=r"^(?:key:[a-z0-9]{12}|person:[0-9a-f]{32}|open|operator)$")]
"""A key's id, or a person's pseudonym: an issuer's ``sub`` is often an e-mail address, and a subject is kept.

``open`` is nobody in particular, ``operator`` who runs the system on the command line.
"""
AuthenticationMethod = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")]
"""An ``amr`` value (RFC 8176) or an ``acr``."""


class Principal(Wire):
    """Who asks. ``tenants`` are those the credential is bound to; a header may choose among them, never add one."""

    subject: Subject
    kind: Literal["key", "token", "open"] = Field(description="open: nobody said who they are")
    tenants: tuple[HolderId, ...] = ()
    scopes: tuple[Scope, ...] = ()
    amr: tuple[AuthenticationMethod, ...] = Field(default=(), description="How they proved it (RFC 8176)")
    acr: AuthenticationMethod | None = None
    authenticated_at: AwareDatetime | None = Field(default=None, description="When the person last proved it")


class ApiKey(Wire):
    """One key as a list shows it; the key itself is seen once, when it is made."""

    id: KeyId
    tenant_id: HolderId
    scopes: tuple[Scope, ...] = Field(min_length=1)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$", description="Chosen by people, shown to people")
    created_at: AwareDatetime
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None = Field(default=None, description="To the hour")
    revoked_at: AwareDatetime | None = None
    replaced_by: KeyId | None = None


class NewApiKey(Wire):
    """POST /api/v1/keys: a key for the caller's tenant."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")
    scopes: tuple[Scope, ...] = Field(min_length=1)
    days: int = Field(default=90, ge=1, le=366)


class ApiKeys(Wire):
    """GET /api/v1/keys."""

    keys: tuple[ApiKey, ...]


class IssuedKey(Wire):
    """A key that was just made; ``secret`` is what a client sends, and is nowhere else."""

    key: ApiKey
    secret: str = Field(pattern=r"^lmk_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$")


class Enrolment(Wire):
    """A second factor that was just made, as an authenticator reads it (``otpauth`` URI)."""

    uri: str = Field(pattern=r"^otpauth://totp/[!-~]{1,200}$")
