"""Where tenants' configurations are kept: in Redis, version by version, and on each replica as last seen.

A replica looks at one counter each second, and fetches only what changed since. What it has is never half of a version:
it is replaced whole, and a request keeps the version it began with.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from llama_mapper.chassis import metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import NotFound, Problem, Unavailable
from llama_mapper.contracts.tenants import TenantVersion
from llama_mapper.identity.reaching import reached

LOOK_EVERY_SECONDS = 1.0
LATE_SECONDS = 5.0
"""A replica that has not looked for so long (it slept) looks before it answers."""
PREFIX = "orchestrate:tenants"

Read = TenantVersion | None
"""A version, None where it is there and this release cannot read it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed up to *counter*; ``whole`` where it is everything there is."""

    counter: int
    tenants: Mapping[TenantId, Read]
    whole: bool


class TenantStore(Protocol):
    """Raises (all methods): Unavailable."""

    async def since(self, counter: int | None) -> Changes:
        """What changed after *counter*; everything where that is None, or was never reached here."""
        ...

    async def append(self, version: TenantVersion) -> bool:
        """Put *version* in force if it follows the newest; False where somebody was first."""
        ...

    async def version(self, tenant_id: TenantId, number: int) -> TenantVersion:
        """Raises NotFound."""
        ...

    async def versions(self, tenant_id: TenantId, count: int) -> Sequence[TenantVersion]:
        """The newest *count*, newest first."""
        ...


# KEYS: versions, current, changed, counter; ARGV: tenant, how many versions there are, the new one.
_APPEND = """
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[4]), ARGV[1])
return 1
"""
# KEYS: current, changed, counter; ARGV: the last counter seen, or -1. Answers the counter, whether all is told, and
# names and versions in turn: one moment's, as a script is.
_SINCE = """
local now = tonumber(redis.call('GET', KEYS[3]) or '0')
local seen = tonumber(ARGV[1])
if seen < 0 or seen > now then return {now, 1, redis.call('HGETALL', KEYS[1])} end
local told = {}
for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. seen, '+inf')) do
  table.insert(told, tenant)
  table.insert(told, redis.call('HGET', KEYS[1], tenant))
end
return {now, 0, told}
"""


class RedisTenants:
    """A list of versions for each tenant, the newest of all in one hash, and who changed when."""

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = prefix
        self._append = redis.register_script(_APPEND)
        self._since = redis.register_script(_SINCE)

    async def since(self, counter: int | None) -> Changes:
        keys = [self._name("current"), self._name("changed"), self._name("counter")]
        with reached("the store of tenants"):
            now, whole, told = await self._since(keys=keys, args=[-1 if counter is None else counter])
            pairs = zip(told[::2], told[1::2], strict=True)
            return Changes(int(now), {TenantId(name.decode()): _read(kept) for name, kept in pairs}, bool(whole))

    async def append(self, version: TenantVersion) -> bool:
        tenant_id = version.tenant_id
        keys = [self._versions(tenant_id), self._name("current"), self._name("changed"), self._name("counter")]
        args: list[str | int] = [tenant_id, version.version - 1, version.model_dump_json(exclude_none=True)]
        with reached("the store of tenants"):
            return bool(await self._append(keys=keys, args=args))

    async def version(self, tenant_id: TenantId, number: int) -> TenantVersion:
        found = await self._range(tenant_id, number - 1, number - 1)
        if not found:
            raise NotFound("no such version of this tenant's configuration")
        return found[0]

    async def versions(self, tenant_id: TenantId, count: int) -> Sequence[TenantVersion]:
        return tuple(reversed(await self._range(tenant_id, -count, -1)))

    async def _range(self, tenant_id: TenantId, start: int, end: int) -> list[TenantVersion]:
        with reached("the store of tenants"):
            kept = await cast(Awaitable[list[bytes]], self._redis.lrange(self._versions(tenant_id), start, end))
        found = [_read(one) for one in kept]
        if None in found:
            raise Unavailable("the store of tenants holds what this version cannot read", retry_after_seconds=30)
        return [one for one in found if one]

    def _versions(self, tenant_id: TenantId) -> str:
        return f"orchestrate:tenant:{tenant_id}:versions"

    def _name(self, what: str) -> str:
        return f"{self._prefix}:{what}"


def _read(kept: bytes) -> Read:
    try:
        return TenantVersion.model_validate_json(kept)
    except ValidationError:
        return None


class KnownTenants:
    """This replica's view of *store*; without a store there are no configurations, and that is known."""

    def __init__(self, store: TenantStore | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._seen: Mapping[TenantId, Read] = {}
        self._counter: int | None = None
        self._asked_at: float | None = None
        self._told_at: float | None = None
        self._lock = asyncio.Lock()

    @property
    def told(self) -> bool:
        """Whether what is known is all there is, or was at some time; else tenants may be missing."""
        return self._store is None or self._told_at is not None

    async def of(self, tenant_id: TenantId) -> TenantVersion | None:
        """Return the version in force, None where nothing was configured, as far as is known.

        Raises:
            Unavailable: it was written by another release, in a way that this one cannot read.
        """
        await self._look()
        if tenant_id in self._seen and self._seen[tenant_id] is None:
            raise Unavailable("the tenant's configuration is of another release", retry_after_seconds=30)
        return self._seen.get(tenant_id)

    async def refresh(self) -> None:
        """Look at once, as after a change of one's own."""
        self._asked_at = None
        await self._look()

    async def _look(self) -> None:
        if self._store is None or not self._older(self._asked_at, LOOK_EVERY_SECONDS):
            return
        if self._lock.locked() and not self._older(self._told_at, LATE_SECONDS):
            return  # somebody is looking, and what is known is young enough
        async with self._lock:
            if self._older(self._asked_at, LOOK_EVERY_SECONDS):
                await self._ask(self._store)

    async def _ask(self, store: TenantStore) -> None:
        try:
            changes = await store.since(self._counter)
        except Problem:
            metrics.FALLBACKS.labels("tenants.last_known").inc()
            return
        finally:
            self._asked_at = self._clock()
        before = {} if changes.whole else self._seen
        self._seen = {**before, **changes.tenants}
        self._counter, self._told_at = changes.counter, self._clock()

    def _older(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock() - moment >= seconds
