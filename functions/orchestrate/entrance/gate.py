"""Every request's way in: who asks, for which tenant, may they, and how often have they."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Header, Path, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from llama_mapper.chassis import correlation
from llama_mapper.chassis.guard import ADDED
from llama_mapper.chassis.sealing import Unsealable
from llama_mapper.contracts.audit import Act, AuditEntry
from llama_mapper.contracts.identifiers import AnyTenantId, TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.problems import InvalidRequest, RateLimited, Unauthorized
from llama_mapper.identity.authentication import Authentication, tenant_of
from llama_mapper.identity.keys import utc_now
from llama_mapper.identity.one_time_codes import OneTimeCodes

from ..ports import Policy, Tenancy
from ..tenants.policy import TenantPolicies
from .callers import Network, address
from .limits import Limits, Quotas, headers

Tenant = Annotated[AnyTenantId | None, Header(alias="X-Tenant-ID")]
Code = Annotated[str | None, Header(alias="X-One-Time-Code", pattern=r"^[0-9]{6}$")]
# For the OpenAPI document alone: what a credential proves is `Authentication`'s to say.
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]
Key = Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))]


@dataclass(frozen=True, slots=True)
class Admitted:
    principal: Principal
    tenant_id: TenantId
    policy: Policy
    """The version that let this request in; the rest of the request is judged under it."""

    @property
    def authenticated(self) -> bool:
        return self.principal.kind != "open"

    def entry(self, act: Act, target: str) -> AuditEntry:
        """What the audit log keeps of *act*, done now by who was let in."""
        return AuditEntry(
            at=utc_now(),
            tenant_id=self.tenant_id,
            subject=self.principal.subject,
            act=act,
            target=target,
            correlation_id=correlation.current(),
        )


class Gate:
    """*secret* makes pseudonyms of addresses, which are counted and so kept."""

    def __init__(
        self,
        authentication: Authentication,
        policies: TenantPolicies,
        limits: Limits,
        codes: OneTimeCodes | None,
        trusted_proxies: Sequence[Network],
        secret: bytes,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._authentication = authentication
        self._policies = policies
        self._limits = limits
        self._codes = codes
        self._trusted = trusted_proxies
        self._secret = secret
        self._now = now

    def needs(self, action: Scope) -> Callable[..., Awaitable[Admitted]]:
        """A FastAPI dependency: whoever passes may do *action* for the tenant it returns."""

        async def enter(
            request: Request, tenant: Tenant = None, code: Code = None, bearer: Bearer = None, key: Key = None
        ) -> Admitted:
            return await self._enter(request, action, tenant, code)

        return enter

    def needs_there(self, action: Scope) -> Callable[..., Awaitable[Admitted]]:
        """As ``needs``, where the address names the tenant."""

        async def enter(
            request: Request,
            tenant_id: Annotated[AnyTenantId, Path()],
            tenant: Tenant = None,
            code: Code = None,
            bearer: Bearer = None,
            key: Key = None,
        ) -> Admitted:
            if tenant not in (None, tenant_id):
                raise InvalidRequest("X-Tenant-ID names another tenant than the address")
            return await self._enter(request, action, tenant_id, code)

        return enter

    async def _enter(self, request: Request, action: Scope, asked: TenantId | None, code: str | None) -> Admitted:
        """Let a request in.

        Raises:
            InvalidRequest, Unauthorized, InsufficientRbac, RateLimited: each says why.
            Unavailable: keys or policies cannot be asked.
        """
        principal = await self._authentication.principal(request.headers)
        tenant_id = tenant_of(principal, asked)
        principal = await self._stepped_up(principal, tenant_id, code)
        policy = await self._policies.pinned(tenant_id)
        # Counted before it is judged, so that refusals are counted too: guessing is asking.
        await self._count(request, principal, tenant_id, await self._policies.standing(policy, tenant_id))
        await policy.permit(principal, action, tenant_id, self._now())
        return Admitted(principal, tenant_id, policy)

    async def _stepped_up(self, principal: Principal, tenant_id: TenantId, code: str | None) -> Principal:
        """A key with a one-time code has shown two factors, now."""
        if code is None or principal.kind != "key":
            return principal
        if self._codes is None:
            raise Unauthorized("one-time codes are not taken here")
        # Enrolled for the key's own tenant, which is not the one asked for where the platform administers.
        try:
            await self._codes.verify(principal.subject.removeprefix("key:"), principal.tenants[0], code, self._now())
        except Unsealable:
            raise Unauthorized("the key's second factor cannot be read any more; enrol it again") from None
        return principal.model_copy(update={"amr": (*principal.amr, "otp"), "authenticated_at": self._now()})

    async def _count(self, request: Request, principal: Principal, tenant_id: TenantId, tenancy: Tenancy) -> None:
        peer = request.client.host if request.client else None
        caller = address(peer, request.headers.getlist("x-forwarded-for"), self._trusted)
        pseudonym = hmac.new(self._secret, caller.encode(), hashlib.sha256).hexdigest()[:32]
        quotas = Quotas(tenancy.rules.requests_per_minute, tenancy.rules.requests_per_day)
        standings = await self._limits.take(principal, tenant_id, pseudonym, quotas=quotas)
        said = headers(standings)
        retry = said.pop("Retry-After", None)
        request.scope[ADDED] = said
        if retry is not None:
            raise RateLimited("too many requests", retry_after_seconds=int(retry))
