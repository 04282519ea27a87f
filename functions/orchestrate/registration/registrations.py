"""What is kept of a registered detector, and where: a hash for each tenant in Redis, every value sealed.

A second hash remembers the meaning of every version that ever was, also of what was removed since: findings that name a
version are kept for months. A counter for each tenant tells other pods that something has changed.
"""

import hashlib
import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, cast

from pydantic import AwareDatetime, SecretStr, ValidationError, field_serializer
from redis.asyncio import Redis
from redis.exceptions import WatchError

from llama_mapper.chassis.sealing import Sealer, Unsealable
from llama_mapper.contracts.events import PLATFORM
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.problems import Conflict
from llama_mapper.contracts.registration import DetectorDefinition, RegisteredDetector
from llama_mapper.contracts.wire import Wire
from llama_mapper.identity.reaching import reached

CHANGEABLE = {"timeout_seconds", "connect_timeout_seconds", "concurrency", "weight", "health_path"}
"""What a registration may change under the same version; all else is what the version means."""
PREFIX = "orchestrate:detectors"


class Kept(Wire):
    """A registration with its key; only sealed does it leave the process."""

    definition: DetectorDefinition
    api_key: SecretStr | None = None
    registered_at: AwareDatetime
    changed_at: AwareDatetime

    @field_serializer("api_key", when_used="json-unless-none")
    def _key(self, key: SecretStr) -> str:
        return key.get_secret_value()

    @property
    def meaning(self) -> str:
        """SHA-256 of what (id, version) stands for."""
        said = self.definition.model_dump(mode="json", exclude=CHANGEABLE)
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def shown(self, tenant_id: TenantId) -> RegisteredDetector:
        return RegisteredDetector(
            **self.definition.model_dump(),
            has_api_key=self.api_key is not None,
            for_all_tenants=tenant_id == PLATFORM,
            registered_at=self.registered_at,
            changed_at=self.changed_at,
        )


Of = Mapping[DetectorId, Kept]


class Registrations(Protocol):
    """Raises (all methods): Unavailable where the store does not answer."""

    async def generations(self, tenants: Sequence[TenantId]) -> tuple[int, ...]:
        """A number for each tenant that grows with every change."""
        ...

    async def of(self, tenant_id: TenantId) -> Of: ...

    async def put(self, tenant_id: TenantId, kept: Kept, *, new: bool) -> None:
        """Keep it.

        Raises:
            Conflict: the id is taken (*new*), or was never registered (not *new*), or the version meant something else.
        """

    async def remove(self, tenant_id: TenantId, detector: DetectorId) -> bool:
        """Return whether it was there. What its versions meant stays."""
        ...


class MemoryRegistrations:
    """For tests and a process of an hour."""

    def __init__(self) -> None:
        self._kept: dict[TenantId, dict[DetectorId, Kept]] = {}
        self._meanings: dict[tuple[TenantId, str], str] = {}
        self._generations: dict[TenantId, int] = {}

    async def generations(self, tenants: Sequence[TenantId]) -> tuple[int, ...]:
        return tuple(self._generations.get(tenant, 0) for tenant in tenants)

    async def of(self, tenant_id: TenantId) -> Of:
        return dict(self._kept.get(tenant_id, {}))

    async def put(self, tenant_id: TenantId, kept: Kept, *, new: bool) -> None:
        own, version = self._kept.setdefault(tenant_id, {}), (tenant_id, _version(kept))
        _check(kept, own.get(kept.definition.id) is not None, self._meanings.get(version), new)
        own[kept.definition.id] = kept
        self._meanings[version] = kept.meaning
        self._generations[tenant_id] = self._generations.get(tenant_id, 0) + 1

    async def remove(self, tenant_id: TenantId, detector: DetectorId) -> bool:
        gone = self._kept.get(tenant_id, {}).pop(detector, None)
        self._generations[tenant_id] = self._generations.get(tenant_id, 0) + 1
        return gone is not None


class RedisRegistrations:
    def __init__(self, redis: "Redis", sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def generations(self, tenants: Sequence[TenantId]) -> tuple[int, ...]:
        with reached("the store of detectors"):
            found = await self._redis.mget([_key(tenant, "generation") for tenant in tenants])
            return tuple(int(number or 0) for number in found)

    async def of(self, tenant_id: TenantId) -> Of:
        with reached("the store of detectors"):
            sealed = dict(await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(_key(tenant_id, "kept"))))
        opened = {DetectorId(name.decode()): self._opened(tenant_id, name, each) for name, each in sealed.items()}
        return {name: kept for name, kept in opened.items() if kept}

    async def put(self, tenant_id: TenantId, kept: Kept, *, new: bool) -> None:
        own, meanings, version = _key(tenant_id, "kept"), _key(tenant_id, "meanings"), _version(kept)
        name = kept.definition.id
        sealed = self._sealer.seal(kept.model_dump_json().encode(), tenant_id, "detector", name)
        with reached("the store of detectors"):
            while True:
                async with self._redis.pipeline(transaction=True) as pipe:
                    await pipe.watch(own, meanings)
                    there = await pipe.hexists(own, name)
                    before = await cast(Awaitable[bytes | None], pipe.hget(meanings, version))
                    _check(kept, bool(there), before.decode() if before else None, new)
                    pipe.multi()  # type: ignore[no-untyped-call]
                    pipe.hset(own, name, cast(Any, sealed))
                    pipe.hset(meanings, version, kept.meaning)
                    pipe.incr(_key(tenant_id, "generation"))
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue  # somebody else was faster: look again
                    return

    async def remove(self, tenant_id: TenantId, detector: DetectorId) -> bool:
        with reached("the store of detectors"):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(_key(tenant_id, "kept"), detector)
                pipe.incr(_key(tenant_id, "generation"))
                gone, _ = await pipe.execute()
        return bool(gone)

    def _opened(self, tenant_id: TenantId, name: bytes, sealed: bytes) -> Kept | None:
        """None where it was sealed with another keyset, or is of another release: as if it were not there."""
        try:
            return Kept.model_validate_json(self._sealer.open(sealed, tenant_id, "detector", name.decode()))
        except (Unsealable, ValidationError):
            return None


def _key(tenant_id: TenantId, what: str) -> str:
    return f"{PREFIX}:{tenant_id}:{what}"


def _version(kept: Kept) -> str:
    return f"{kept.definition.id}@{kept.definition.version}"


def _check(kept: Kept, there: bool, meant: str | None, new: bool) -> None:
    if there and new:
        raise Conflict("a detector of this id is registered; PUT a new version of it")
    if not there and not new:
        raise Conflict("the detector was removed meanwhile")
    if meant not in (None, kept.meaning):
        raise Conflict("this version was registered with another meaning; register a new version")
