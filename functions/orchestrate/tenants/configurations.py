"""Change a tenant's configuration: check it against the policies, note it in the audit log, put it in force."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llama_mapper.chassis import correlation
from llama_mapper.contracts.audit import Act, AuditEntry
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import Principal
from llama_mapper.contracts.problems import FieldError, InvalidRequest, NotFound, PreconditionFailed
from llama_mapper.contracts.tenants import (
    By,
    ConfigureTenantRequest,
    RollbackTenantRequest,
    TenantChange,
    TenantConfiguration,
    TenantState,
    TenantVersion,
    TenantVersions,
)
from llama_mapper.identity.audit_logs import AuditLog
from llama_mapper.identity.authentication import is_platforms
from llama_mapper.identity.keys import utc_now
from llama_mapper.taxonomy import load

from ..ports import Layers, Policies
from .policy import layers_of
from .store import KnownTenants, TenantStore

LISTED = 100
OTHERS_VERSION = "If-Match names another version than the newest"


def side_of(principal: Principal) -> By:
    return "platform" if is_platforms(principal) else "own"


@dataclass(frozen=True, slots=True)
class Tenants:
    """What is changed is read from *store* itself, not from what this replica last saw of it."""

    store: TenantStore
    known: KnownTenants
    policies: Policies
    audit: AuditLog
    now: Callable[[], datetime] = utc_now

    async def state(self, tenant_id: TenantId) -> TenantState:
        """Return what is configured and what holds.

        Raises:
            NotFound: there is no such tenant.
        """
        return await self._state(tenant_id, await self._newest(tenant_id))

    async def configure(
        self, tenant_id: TenantId, asked: ConfigureTenantRequest, principal: Principal, expected: int
    ) -> TenantState:
        """Put *asked* in force in place of what the same side said before; *expected* is the version it follows.

        Raises:
            NotFound: there is no such tenant, and only the platform's administrators make one.
            PreconditionFailed: there is a newer version.
            InvalidRequest: a field would loosen what holds without it, or names what does not exist.
        """
        return await self._put(tenant_id, asked.configuration, asked.why, principal, expected, None)

    async def roll_back(
        self, tenant_id: TenantId, asked: RollbackTenantRequest, principal: Principal, expected: int
    ) -> TenantState:
        """Put in force again what the same side said in a version; the history goes on, it is not cut.

        Raises:
            as ``configure``; NotFound also where there is no such version.
        """
        before = await self.store.version(tenant_id, asked.version)
        side = before.platform if side_of(principal) == "platform" else before.own
        return await self._put(tenant_id, side or TenantConfiguration(), asked.why, principal, expected, asked.version)

    async def versions(self, tenant_id: TenantId) -> TenantVersions:
        """The newest hundred."""
        fields = set(TenantChange.model_fields)
        kept = await self.store.versions(tenant_id, LISTED)
        changes = (TenantChange.model_validate(version.model_dump(include=fields)) for version in kept)
        return TenantVersions(tenant_id=tenant_id, versions=tuple(changes))

    async def _put(
        self,
        tenant_id: TenantId,
        configuration: TenantConfiguration,
        why: str,
        principal: Principal,
        expected: int,
        restored: int | None,
    ) -> TenantState:
        newest, side = await self._newest(tenant_id), side_of(principal)
        if expected != (newest.version if newest else 0):
            raise PreconditionFailed(OTHERS_VERSION)
        await self._check(tenant_id, configuration, side, layers_of(newest))
        others: dict[str, Any] = {"platform": newest.platform, "own": newest.own} if newest else {}
        version = TenantVersion(
            **(others | {side: configuration}),
            tenant_id=tenant_id,
            version=expected + 1,
            at=self.now(),
            subject=principal.subject,
            by=side,
            why=why,
            restored=restored,
        )
        act: Act = "tenant.rolled_back" if restored else "tenant.changed"
        await self._note(version, act)  # what cannot be noted is not done
        if not await self.store.append(version):
            await self._note(version, act, done=False)
            raise PreconditionFailed(OTHERS_VERSION)
        await self.known.refresh()
        return await self._state(tenant_id, version)

    async def _newest(self, tenant_id: TenantId) -> TenantVersion | None:
        kept = await self.store.versions(tenant_id, 1)
        return kept[0] if kept else None

    async def _state(self, tenant_id: TenantId, version: TenantVersion | None) -> TenantState:
        layers = layers_of(version)
        policy = await self.policies.pinned(tenant_id)
        tenancy = await policy.under(layers).tenancy(tenant_id)
        if not tenancy.known:
            raise NotFound("no such tenant")
        before = Layers(layers.version, layers.platform)
        ignored = (await policy.under(before).tenancy(tenant_id, layers.own)).ignored if layers.own else ()
        return TenantState(
            tenant_id=tenant_id,
            version=layers.version,
            platform=layers.platform,
            own=layers.own,
            rules=tenancy.rules,
            ignored=ignored,
        )

    async def _check(self, tenant_id: TenantId, proposed: TenantConfiguration, side: By, layers: Layers) -> None:
        """A side is held to what holds without it: the platform to its policies, the tenant to the platform as well."""
        # The platform's own word makes a tenant, also before it was given.
        before = Layers(0, TenantConfiguration()) if side == "platform" else Layers(0, layers.platform)
        tenancy = await (await self.policies.pinned(tenant_id)).under(before).tenancy(tenant_id, proposed)
        if not tenancy.known:
            raise NotFound("no such tenant")
        faults = [FieldError(field=f"configuration.{name}", message=LOOSER) for name in tenancy.ignored]
        taxonomy = load()
        faults += [
            FieldError(field=f"configuration.labels.{place}.label", message="no label of the taxonomy")
            for place, rule in enumerate(proposed.labels or ())
            if rule.label not in taxonomy
        ]
        if faults:
            named = ", ".join(fault.field for fault in faults)
            raise InvalidRequest(f"check: {named}"[:240], errors=tuple(faults))

    async def _note(self, version: TenantVersion, act: Act, *, done: bool = True) -> None:
        await self.audit.append(
            AuditEntry(
                at=version.at,
                tenant_id=version.tenant_id,
                subject=version.subject,
                act=act,
                target=f"{version.tenant_id}/{version.version}",
                outcome="done" if done else "refused",
                why=version.why,
                correlation_id=correlation.current(),
            )
        )


LOOSER = "would loosen what the platform's rules say"
