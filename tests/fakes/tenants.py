"""A store of tenants in memory, which can be taken away."""

from collections.abc import Sequence
from datetime import UTC, datetime

from functions.orchestrate.tenants.store import Changes
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import NotFound, Unavailable
from llama_mapper.contracts.tenants import TenantConfiguration, TenantVersion

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def version(
    tenant: str, number: int = 1, platform: TenantConfiguration | None = None, own: TenantConfiguration | None = None
) -> TenantVersion:
    return TenantVersion(
        tenant_id=TenantId(tenant),
        version=number,
        at=AT,
        subject="operator",
        by="platform",
        why="test",
        platform=platform,
        own=own,
    )


class MemoryTenants:
    """``asked`` counts the looks at what changed; ``unread`` are tenants whose version nobody can read."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self.unread: set[TenantId] = set()
        self._kept: dict[TenantId, list[TenantVersion]] = {}
        self._changed: list[TenantId] = []

    async def since(self, counter: int | None) -> Changes:
        self.asked += 1
        self._reach()
        whole = counter is None or counter > len(self._changed)
        changed = set(self._kept) if whole else set(self._changed[counter:])
        told = {name: None if name in self.unread else self._kept[name][-1] for name in changed}
        return Changes(len(self._changed), told, whole)

    async def append(self, version: TenantVersion) -> bool:
        self._reach()
        kept = self._kept.setdefault(version.tenant_id, [])
        if len(kept) != version.version - 1:
            return False
        kept.append(version)
        self._changed.append(version.tenant_id)
        return True

    async def version(self, tenant_id: TenantId, number: int) -> TenantVersion:
        self._reach()
        kept = self._kept.get(tenant_id, [])
        if not 0 < number <= len(kept):
            raise NotFound("no such version")
        return kept[number - 1]

    async def versions(self, tenant_id: TenantId, count: int) -> Sequence[TenantVersion]:
        self._reach()
        return tuple(reversed(self._kept.get(tenant_id, [])[-count:]))

    def forget(self) -> None:
        """As a store that was emptied."""
        self._kept, self._changed = {}, []

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("the store of tenants does not answer")
