"""Where it is kept what tenants have spent: Redis, or this process's memory on a single machine."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis.asyncio
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from redis.exceptions import RedisError

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Unavailable

from .budgets import Account

KEPT_SECONDS = 62 * 86_400
"""Past the month's end in any case."""

CLAIM_SECONDS = 60


class MemoryLedger:
    """Accounts of one process; gone with it. Only the month last asked for is kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._month = ""
        self._spent: dict[TenantId, float] = {}
        self._told: set[tuple[TenantId, int]] = set()
        self._claimed_until: dict[tuple[TenantId, int], float] = {}

    async def spent(self, tenant_id: TenantId, month: str) -> float:
        self._turn_to(month)
        return self._spent.get(tenant_id, 0.0)

    async def add(self, tenant_id: TenantId, month: str, microdollars: float) -> Account:
        self._turn_to(month)
        self._spent[tenant_id] = self._spent.get(tenant_id, 0.0) + microdollars
        return Account(self._spent[tenant_id], frozenset(p for tenant, p in self._told if tenant == tenant_id))

    async def claim(self, tenant_id: TenantId, month: str, percent: int) -> bool:
        now = self._clock()
        if self._claimed_until.get((tenant_id, percent), now) > now:
            return False
        self._claimed_until[tenant_id, percent] = now + CLAIM_SECONDS
        return True

    async def told(self, tenant_id: TenantId, month: str, percent: int) -> None:
        self._told.add((tenant_id, percent))

    def _turn_to(self, month: str) -> None:
        if month != self._month:
            self._month = month
            self._spent.clear()
            self._told.clear()
            self._claimed_until.clear()


class RedisLedger:
    """Accounts of all replicas. An answer waits for ``spent`` alone: that is asked in haste, and a store that hangs is
    left alone for a while. Booking has time."""

    def __init__(
        self, url: str, breakers: AsyncCircuitBreakerFactory, asking_seconds: float = 0.2, booking_seconds: float = 5.0
    ) -> None:
        self._asking = _client(url, asking_seconds)
        self._booking = _client(url, booking_seconds)
        self._breakers = breakers

    async def spent(self, tenant_id: TenantId, month: str) -> float:
        breaker = await self._breakers.get_breaker("ledger", threshold=3, ttl=5)
        try:
            async with breaker:
                found = await self._asking.get(_key("spent", tenant_id, month))
        except OpenedState as opened:
            opened.__traceback__ = None  # it is one object, raised again and again: it would keep every frame
            raise Unavailable("the ledger is resting after failures") from None
        except RedisError as error:
            raise Unavailable("the ledger does not answer") from error
        return float(found or 0)

    async def add(self, tenant_id: TenantId, month: str, microdollars: float) -> Account:
        key = _key("spent", tenant_id, month)
        with _booking():
            async with self._booking.pipeline(transaction=False) as pipeline:
                pipeline.incrbyfloat(key, microdollars)
                pipeline.expire(key, KEPT_SECONDS)
                pipeline.smembers(_key("told", tenant_id, month))
                spent, _, percents = await pipeline.execute()
        return Account(float(spent), frozenset(int(percent) for percent in percents))

    async def claim(self, tenant_id: TenantId, month: str, percent: int) -> bool:
        with _booking():
            return bool(
                await self._booking.set(_key(f"claim:{percent}", tenant_id, month), "1", nx=True, ex=CLAIM_SECONDS)
            )

    async def told(self, tenant_id: TenantId, month: str, percent: int) -> None:
        key = _key("told", tenant_id, month)
        with _booking():
            async with self._booking.pipeline(transaction=False) as pipeline:
                pipeline.sadd(key, percent)
                pipeline.expire(key, KEPT_SECONDS)
                await pipeline.execute()

    async def aclose(self) -> None:
        await self._asking.aclose()
        await self._booking.aclose()


def _client(url: str, seconds: float) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)


@contextmanager
def _booking() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise Unavailable("the ledger does not answer") from error


def _key(what: str, tenant_id: TenantId, month: str) -> str:
    return f"mapper:budget:{what}:{month}:{tenant_id}"
