"""The policies as they are asked for one tenant: with what was configured for it."""

from collections import OrderedDict
from dataclasses import dataclass

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.tenants import TenantVersion

from ..ports import Layers, Policies, Policy, Tenancy
from .store import KnownTenants

KEPT = 4096
"""Tenants whose rules are kept ready."""


def layers_of(version: TenantVersion | None) -> Layers:
    return Layers(version.version, version.platform, version.own) if version else Layers()


@dataclass(frozen=True, slots=True)
class Standing:
    """A tenant's rules, and of which policies and which configuration they are."""

    version: str
    tenancy: Tenancy


class TenantPolicies:
    """*policies*, each time asked with what *tenants* knows of the tenant."""

    def __init__(self, policies: Policies, tenants: KnownTenants) -> None:
        self._policies = policies
        self._tenants = tenants
        self._standing: OrderedDict[TenantId, Standing] = OrderedDict()

    async def ready(self) -> bool:
        return await self._policies.ready()

    async def pinned(self, tenant_id: TenantId) -> Policy:
        """Return what is in force for the tenant.

        Raises:
            Unavailable: the store has not answered since the start, and only there could the tenant be.
        """
        version = await self._tenants.of(tenant_id)
        policy = (await self._policies.pinned(tenant_id)).under(layers_of(version))
        if version is None and not self._tenants.told and not (await self.standing(policy, tenant_id)).known:
            raise Unavailable("the store of tenants does not answer", retry_after_seconds=1)
        return policy

    async def standing(self, policy: Policy, tenant_id: TenantId) -> Tenancy:
        """What holds for the tenant under *policy*; worked out once for each version of both."""
        kept = self._standing.get(tenant_id)
        if kept is not None and kept.version == policy.version:
            self._standing.move_to_end(tenant_id)
            return kept.tenancy
        tenancy = await policy.tenancy(tenant_id)
        self._standing[tenant_id] = Standing(policy.version, tenancy)
        while len(self._standing) > KEPT:
            self._standing.popitem(last=False)
        return tenancy
