"""Where reviews are kept: Redis, or this process's memory on a single machine."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import redis.asyncio
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import ValidationError
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import InvalidRequest, NotFound, Unavailable
from llama_mapper.contracts.reviews import Decision, ReviewId, ReviewItem, Scope

from .accounts import account
from .reviews import Bounds, Doubted, identity_of, is_about, noted, noted_again, now

log = get_logger(__name__)

PLATFORM = TenantId("*")
"""Whose decisions hold for every tenant; no tenant can be called so."""

REMEMBERED_SECONDS = 2.0
"""How long a replica goes by a decision, or by its absence, before it asks the store again."""

Clock = Callable[[], datetime]


class MemoryReviews:
    """Reviews of one process; gone with it."""

    def __init__(self, tenants: frozenset[str] = frozenset(), *, bounds: Bounds | None = None, clock: Clock = now) -> None:
        self._tenants = tenants
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._waiting: dict[tuple[TenantId, ReviewId], ReviewItem] = {}
        self._decided: dict[tuple[TenantId, ReviewId], ReviewItem] = {}

    async def add(self, finding: VendorFinding, tenant_id: TenantId, doubted: Doubted) -> None:
        owner, key, at = account(tenant_id, self._tenants), identity_of(finding), self._clock()
        if self._decision(owner, key):
            return
        kept = self._waiting.get((owner, key))
        if kept:
            again = noted_again(kept, finding, doubted)
            self._waiting[owner, key] = again.model_copy(update={"count": kept.count + 1, "last_seen": at})
        elif len(self._waiting) < self._bounds.all and _owned(self._waiting, owner) < self._bounds.waiting:
            self._waiting[owner, key] = noted(finding, doubted, at)
        else:
            metrics.FALLBACKS.labels("mapper.reviews.full").inc()

    async def decided(self, finding: VendorFinding, tenant_id: TenantId) -> Decision | None:
        item = self._decision(account(tenant_id, self._tenants), identity_of(finding))
        return item.decision if item and is_about(item, finding) else None

    async def waiting(self, tenant_id: TenantId, limit: int) -> tuple[ReviewItem, ...]:
        owner = account(tenant_id, self._tenants)
        own = (item for (of, key), item in self._waiting.items() if of == owner and not self._decision(owner, key))
        return tuple(sorted(own, key=lambda item: -item.count)[:limit])

    async def decisions(self, tenant_id: TenantId, scope: Scope, limit: int) -> tuple[ReviewItem, ...]:
        owner = _owner(tenant_id, scope, self._tenants)
        own = [item for (of, _), item in self._decided.items() if of == owner]  # in the order of their decisions
        return tuple(reversed(own))[:limit]

    async def one(self, tenant_id: TenantId, review_id: ReviewId) -> ReviewItem:
        owner = account(tenant_id, self._tenants)
        item = self._decision(owner, review_id) or self._waiting.get((owner, review_id))
        if item is None:
            raise _no_such_review()
        return item

    async def decide(self, tenant_id: TenantId, review_id: ReviewId, decision: Decision) -> ReviewItem:
        item = await self.one(tenant_id, review_id)
        own = account(tenant_id, self._tenants)
        owner = _owner(tenant_id, decision.scope, self._tenants)
        full = len(self._decided) >= self._bounds.all or _owned(self._decided, owner) >= self._bounds.decided
        if full and (owner, review_id) not in self._decided:
            raise _no_room()
        for place in ((own, review_id), (owner, review_id)):
            self._waiting.pop(place, None)
            self._decided.pop(place, None)
        self._decided[owner, review_id] = item.model_copy(update={"decision": decision})
        return self._decided[owner, review_id]

    def _decision(self, owner: TenantId, key: ReviewId) -> ReviewItem | None:
        return self._decided.get((owner, key)) or self._decided.get((PLATFORM, key))


class RedisReviews:
    """Reviews shared by all replicas. A replica learns of a decision within REMEMBERED_SECONDS.

    Two hashes hold the labels, sorted sets for each tenant say how often they came, when, and when they were decided.
    """

    def __init__(
        self,
        url: str,
        breakers: AsyncCircuitBreakerFactory,
        tenants: frozenset[str] = frozenset(),
        *,
        bounds: Bounds | None = None,
        clock: Clock = now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url, socket_timeout=0.2, socket_connect_timeout=0.2, decode_responses=True
        )
        self._breakers = breakers
        self._tenants = tenants
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._remembered = Remembered(timer)

    async def add(self, finding: VendorFinding, tenant_id: TenantId, doubted: Doubted) -> None:
        owner, key = account(tenant_id, self._tenants), identity_of(finding)
        try:
            kept, may_add = await self._before_adding(owner, key)
            if not may_add:
                return
            at = self._clock()
            item = noted_again(kept, finding, doubted) if kept else noted(finding, doubted, at)
            async with self._store(), self._redis.pipeline(transaction=True) as pipeline:
                if item != kept:
                    pipeline.hset(WAITING, f"{owner}:{key}", item.model_dump_json())
                pipeline.zincrby(_counts(owner), 1, key)
                pipeline.zadd(_seen(owner), {key: at.timestamp()})
                await pipeline.execute()
        except (Unavailable, ValidationError):
            _failed("reviews")

    async def _before_adding(self, owner: TenantId, key: ReviewId) -> tuple[ReviewItem | None, bool]:
        """The label as it waits, and whether it is to be counted: not once it is decided, nor where no room is left.

        The store is asked for the decision, not the memory of this replica: another may have got it a moment ago.
        """
        async with self._store(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(DECIDED, _places(owner, key))
            pipeline.hget(WAITING, f"{owner}:{key}")
            pipeline.zcard(_counts(owner))
            pipeline.hlen(WAITING)
            decided, kept, own, all_ = await pipeline.execute()
        if any(decided):
            return None, False
        if kept is None and (own >= self._bounds.waiting or all_ >= self._bounds.all):
            metrics.FALLBACKS.labels("mapper.reviews.full").inc()
            return None, False
        return (ReviewItem.model_validate_json(kept) if kept else None), True

    async def decided(self, finding: VendorFinding, tenant_id: TenantId) -> Decision | None:
        owner, key = account(tenant_id, self._tenants), identity_of(finding)
        item = self._remembered.get((owner, key))
        if isinstance(item, Expired):
            try:
                item = await self._decision(owner, key)
                self._remembered.put((owner, key), item)
            except (Unavailable, ValidationError):
                _failed("reviewed")
                item = item.item
        return item.decision if item and is_about(item, finding) else None

    async def _decision(self, owner: TenantId, key: ReviewId) -> ReviewItem | None:
        async with self._store():
            own, for_all = await self._hmget(DECIDED, _places(owner, key))
        found = own or for_all
        return ReviewItem.model_validate_json(found) if found else None

    async def waiting(self, tenant_id: TenantId, limit: int) -> tuple[ReviewItem, ...]:
        """As the port says. A label that was decided while another replica counted it leaves the queue here."""
        owner = account(tenant_id, self._tenants)
        while True:
            async with self._store():
                ranked: Any = await self._redis.zrevrange(_counts(owner), 0, limit - 1)
            keys: list[ReviewId] = ranked
            items = await self._items(owner, keys)
            over = [key for key, item in zip(keys, items, strict=True) if item is None or item.decision]
            if not over:
                return tuple(item for item in items if item)
            await self._leave(owner, over)

    async def _items(self, owner: TenantId, keys: Sequence[ReviewId]) -> list[ReviewItem | None]:
        """The labels of *keys*, each decided (with its decision) or as it waits, or not there."""
        if not keys:
            return []
        async with self._store(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(DECIDED, [f"{owner}:{key}" for key in keys])
            pipeline.hmget(DECIDED, [f"{PLATFORM}:{key}" for key in keys])
            pipeline.hmget(WAITING, [f"{owner}:{key}" for key in keys])
            pipeline.zmscore(_counts(owner), list(keys))
            pipeline.zmscore(_seen(owner), list(keys))
            rows = zip(*await pipeline.execute(), strict=True)
        return [_item(*row) for row in rows]

    async def _leave(self, owner: TenantId, keys: Sequence[ReviewId]) -> None:
        async with self._store(), self._redis.pipeline(transaction=True) as pipeline:
            _no_longer_waiting(pipeline, owner, keys)
            await pipeline.execute()

    async def decisions(self, tenant_id: TenantId, scope: Scope, limit: int) -> tuple[ReviewItem, ...]:
        owner = _owner(tenant_id, scope, self._tenants)
        async with self._store():
            ranked: Any = await self._redis.zrevrange(_decided(owner), 0, limit - 1)
            found = await self._hmget(DECIDED, [f"{owner}:{key}" for key in ranked]) if ranked else []
        return tuple(ReviewItem.model_validate_json(item) for item in found if item)

    async def one(self, tenant_id: TenantId, review_id: ReviewId) -> ReviewItem:
        (item,) = await self._items(account(tenant_id, self._tenants), [review_id])
        if item is None:
            raise _no_such_review()
        return item

    async def decide(self, tenant_id: TenantId, review_id: ReviewId, decision: Decision) -> ReviewItem:
        item = (await self.one(tenant_id, review_id)).model_copy(update={"decision": decision})
        own = account(tenant_id, self._tenants)
        owner = _owner(tenant_id, decision.scope, self._tenants)
        await self._make_sure_of_room(owner, review_id)
        async with self._store(), self._redis.pipeline(transaction=True) as pipeline:
            _no_longer_waiting(pipeline, own, [review_id])
            if owner != own:  # what the tenant said for itself alone would hide what it says for all
                pipeline.hdel(DECIDED, f"{own}:{review_id}")
                pipeline.zrem(_decided(own), review_id)
            pipeline.hset(DECIDED, f"{owner}:{review_id}", item.model_dump_json())
            pipeline.zadd(_decided(owner), {review_id: decision.at.timestamp()})
            await pipeline.execute()
        self._remembered.clear()
        return item

    async def _make_sure_of_room(self, owner: TenantId, key: ReviewId) -> None:
        async with self._store(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hexists(DECIDED, f"{owner}:{key}")
            pipeline.zcard(_decided(owner))
            pipeline.hlen(DECIDED)
            known, own, all_ = await pipeline.execute()
        if not known and (own >= self._bounds.decided or all_ >= self._bounds.all):
            raise _no_room()

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _hmget(self, name: str, fields: list[str]) -> list[str | None]:
        found: Any = await self._redis.hmget(name, fields)  # type: ignore[misc] # typed for both kinds of client
        return list(found)

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[None]:
        """A store that hangs is left alone for a while, because answers wait for it.

        Raises:
            Unavailable: it does not answer, or did not lately.
        """
        breaker = await self._breakers.get_breaker("reviews", threshold=3, ttl=5)
        try:
            async with breaker:
                yield
        except OpenedState as opened:
            opened.__traceback__ = None  # it is one object, raised again and again: it would keep every frame
            raise Unavailable("the review store is resting after failures", retry_after_seconds=5) from None
        except RedisError as error:
            raise Unavailable("the review store does not answer", retry_after_seconds=1) from error


class Expired:
    """What was remembered for too long: good where the store does not answer."""

    def __init__(self, item: ReviewItem | None = None) -> None:
        self.item = item


class Remembered:
    """Decisions, and their absence, as they were read last; the oldest are forgotten first."""

    def __init__(self, timer: Callable[[], float], seconds: float = REMEMBERED_SECONDS, most: int = 10_000) -> None:
        self._timer = timer
        self._seconds = seconds
        self._most = most
        self._read: dict[tuple[TenantId, ReviewId], tuple[float, ReviewItem | None]] = {}

    def get(self, place: tuple[TenantId, ReviewId]) -> ReviewItem | Expired | None:
        if place not in self._read:
            return Expired()
        until, item = self._read[place]
        return item if self._timer() < until else Expired(item)

    def put(self, place: tuple[TenantId, ReviewId], item: ReviewItem | None) -> None:
        self._read.pop(place, None)
        if len(self._read) >= self._most:
            del self._read[next(iter(self._read))]
        self._read[place] = (self._timer() + self._seconds, item)

    def clear(self) -> None:
        self._read.clear()
