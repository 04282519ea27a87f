"""How often a caller may ask: GCRA (throttled-py) in Redis, so that all pods count together.

Counted is the narrowest of what is known: the key or person, else the tenant, else the address. A tenant may have a
quota for the day as well. While Redis is away each pod counts for itself: more gets through, nobody is turned away.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from redis.asyncio import Redis
from throttled.asyncio import BaseStore, MemoryStore, RedisStore, Throttled, rate_limiter
from throttled.exceptions import StoreUnavailableError

from llama_mapper.chassis import metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import Principal
from llama_mapper.identity.reaching import REST_SECONDS

BURST_SHARE = 0.2
"""Of a minute's requests, how many may come at once."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *most* requests in *seconds*, of which *burst* at once."""

    name: str
    most: int
    seconds: int
    burst: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands in a limit after this request; *retry_seconds* is 0 where it was let in."""

    limit: Limit
    remaining: int
    reset_seconds: float
    retry_seconds: float
    refused: bool


def per_minute(name: str, most: int) -> Limit:
    return Limit(name, most, 60, max(1, math.ceil(most * BURST_SHARE)))


def per_day(name: str, most: int) -> Limit:
    return Limit(name, most, 86_400, most)


class SharedStore(RedisStore):
    """throttled's store, which can be closed."""

    async def aclose(self) -> None:
        await cast(Redis, self._backend.get_client()).connection_pool.disconnect()


@dataclass(frozen=True, slots=True)
class Quotas:
    """What was configured for one tenant, all its callers together; it adds limits and takes none away."""

    minute: int | None = None
    day: int | None = None


NO_QUOTAS = Quotas()


class Limits:
    """*identity* and *address* are requests a minute, *daily* those of a tenant a day."""

    def __init__(self, store: BaseStore | None, *, identity: int, address: int, daily: int | None = None) -> None:
        self._identity = per_minute("identity", identity)
        self._address = per_minute("address", address)
        self._daily = daily
        self._shared = store
        self._away_until = 0.0
        self._own = MemoryStore()
        self._limiters: dict[tuple[Limit, bool], Throttled] = {}

    async def take(
        self, principal: Principal, tenant_id: TenantId, address: str, cost: int = 1, quotas: Quotas = NO_QUOTAS
    ) -> Sequence[Standing]:
        """Count a request of *cost* items; the first standing that is refused is the last in the answer.

        Args:
            address: a pseudonym of the caller's network: what is counted is kept.
        """
        if principal.kind == "open":
            wanted = [(self._address, f"address:{address}"), (self._identity, f"tenant:{tenant_id}")]
        else:
            wanted = [(self._identity, principal.subject)]
        if quotas.minute:
            wanted.append((per_minute("tenant", quotas.minute), f"minute:{tenant_id}"))
        if daily := min((most for most in (self._daily, quotas.day) if most), default=None):
            wanted.append((per_day("tenant-day", daily), f"day:{tenant_id}"))
        standings: list[Standing] = []
        for limit, key in wanted:
            standings.append(await self._one(limit, key, cost))
            if standings[-1].refused:
                break
        return standings

    async def _one(self, limit: Limit, key: str, cost: int) -> Standing:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return await self._counted(limit, key, cost, self._limiter(limit, self._shared))
            except (StoreUnavailableError, ValueError, TypeError):  # away, or its answers have another shape
                self._away_until = time.monotonic() + REST_SECONDS
                metrics.FALLBACKS.labels("limits.own").inc()
        return await self._counted(limit, key, cost, self._limiter(limit, self._own))

    def _limiter(self, limit: Limit, store: BaseStore) -> Throttled:
        name = (limit, store is self._own)
        if name not in self._limiters:
            self._limiters[name] = _limiter(limit, store)
        return self._limiters[name]

    async def _counted(self, limit: Limit, key: str, cost: int, throttled: Throttled) -> Standing:
        result = await throttled.limit(f"{limit.name}:{key}", cost=cost)
        state = result.state
        return Standing(limit, state.remaining, state.reset_after, max(0.0, state.retry_after), result.limited)


def _limiter(limit: Limit, store: BaseStore) -> Throttled:
    quota = rate_limiter.per_duration(timedelta(seconds=limit.seconds), limit.most, burst=limit.burst)
    return Throttled(using="gcra", quota=quota, store=store, key_prefix="limits")


def headers(standings: Sequence[Standing]) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10), and of the tightest limit the
    older ``X-RateLimit-*`` and, where it refused, ``Retry-After``; seconds are rounded up: who waits them is let in."""
    tightest = min(standings, key=lambda one: (not one.refused, one.remaining / one.limit.burst))
    said = {
        "RateLimit-Policy": ", ".join(f'"{s.limit.name}";q={s.limit.most};w={s.limit.seconds}' for s in standings),
        "RateLimit": ", ".join(f'"{s.limit.name}";r={s.remaining};t={math.ceil(s.reset_seconds)}' for s in standings),
        "X-RateLimit-Limit": str(tightest.limit.most),
        "X-RateLimit-Remaining": str(tightest.remaining),
        "X-RateLimit-Reset": str(math.ceil(tightest.reset_seconds)),
    }
    if tightest.refused:
        said["Retry-After"] = str(max(1, math.ceil(tightest.retry_seconds)))
    return said
