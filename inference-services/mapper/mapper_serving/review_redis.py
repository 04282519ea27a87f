"""Reviews in Redis, shared by all replicas."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import redis.asyncio
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import ValidationError
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.reviews import Decision, ReviewId, ReviewItem, Scope

from .accounts import account
from .remembered import Remembered
from .reviews import (
    PLATFORM,
    Bounds,
    Doubted,
    identity_of,
    is_about,
    no_room,
    no_such_review,
    noted,
    noted_again,
    now,
    owner_of,
)

log = get_logger(__name__)

WAITING, DECIDED = "mapper:reviews:waiting", "mapper:reviews:decided"


class RedisReviews:
    """Reviews shared by all replicas. A replica learns of a decision within REMEMBERED_SECONDS.

    Two hashes hold the labels, sorted sets for each tenant say how often they came, when, and when they were decided.
    Answers wait for ``add`` and ``decided``: they are asked in haste, and a store that hangs is left alone for a while.
    People have time.
    """

    def __init__(
        self,
        url: str,
        breakers: AsyncCircuitBreakerFactory,
        tenants: frozenset[str] = frozenset(),
        *,
        bounds: Bounds | None = None,
        clock: Callable[[], datetime] = now,
        timer: Callable[[], float] = time.monotonic,
        asking_seconds: float = 0.2,
        reviewing_seconds: float = 5.0,
    ) -> None:
        self._asking = _client(url, asking_seconds)
        self._reviewing = _client(url, reviewing_seconds)
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
            async with self._in_haste(), self._asking.pipeline(transaction=True) as pipeline:
                if item != kept:
                    pipeline.hset(WAITING, f"{owner}:{key}", item.model_dump_json())
                pipeline.zincrby(_counts(owner), 1, key)
                pipeline.zadd(_seen(owner), {key: at.timestamp()})
                await pipeline.execute()
        except Unavailable:
            _failed("reviews")

    async def _before_adding(self, owner: TenantId, key: ReviewId) -> tuple[ReviewItem | None, bool]:
        """The label as it waits, and whether it is to be counted: not once it is decided, nor where no room is left.

        The store is asked for the decision, not the memory of this replica: another may have got it a moment ago.
        """
        async with self._in_haste(), self._asking.pipeline(transaction=False) as pipeline:
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
        return (_read(kept) if kept else None), True

    async def decided(self, finding: VendorFinding, tenant_id: TenantId) -> Decision | None:
        owner, key = account(tenant_id, self._tenants), identity_of(finding)
        item, recent = self._remembered.get((owner, key))
        if not recent:
            try:
                item = await self._decision(owner, key)
                self._remembered.put((owner, key), item)
            except Unavailable:  # what was remembered is better than nothing
                _failed("reviewed")
        return item.decision if item and is_about(item, finding) else None

    async def _decision(self, owner: TenantId, key: ReviewId) -> ReviewItem | None:
        async with self._in_haste():
            own, for_all = await _hmget(self._asking, DECIDED, _places(owner, key))
        found = own or for_all
        return _read(found) if found else None

    async def waiting(self, tenant_id: TenantId, limit: int) -> tuple[ReviewItem, ...]:
        """As the port says. A label that was decided while another replica counted it leaves the queue here."""
        owner = account(tenant_id, self._tenants)
        while True:
            with _in_time():
                ranked: Any = await self._reviewing.zrevrange(_counts(owner), 0, limit - 1)
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
        with _in_time():
            async with self._reviewing.pipeline(transaction=False) as pipeline:
                pipeline.hmget(DECIDED, [f"{owner}:{key}" for key in keys])
                pipeline.hmget(DECIDED, [f"{PLATFORM}:{key}" for key in keys])
                pipeline.hmget(WAITING, [f"{owner}:{key}" for key in keys])
                pipeline.zmscore(_counts(owner), list(keys))
                pipeline.zmscore(_seen(owner), list(keys))
                rows = zip(*await pipeline.execute(), strict=True)
        return [_item(*row) for row in rows]

    async def _leave(self, owner: TenantId, keys: Sequence[ReviewId]) -> None:
        with _in_time():
            async with self._reviewing.pipeline(transaction=True) as pipeline:
                _no_longer_waiting(pipeline, owner, keys)
                await pipeline.execute()

    async def decisions(self, tenant_id: TenantId, scope: Scope, limit: int) -> tuple[ReviewItem, ...]:
        owner = owner_of(account(tenant_id, self._tenants), scope)
        with _in_time():
            ranked: Any = await self._reviewing.zrevrange(_decided(owner), 0, limit - 1)
            found = await _hmget(self._reviewing, DECIDED, [f"{owner}:{key}" for key in ranked]) if ranked else []
        return tuple(_read(item) for item in found if item)

    async def one(self, tenant_id: TenantId, review_id: ReviewId) -> ReviewItem:
        (item,) = await self._items(account(tenant_id, self._tenants), [review_id])
        if item is None:
            raise no_such_review()
        return item

    async def decide(self, tenant_id: TenantId, review_id: ReviewId, decision: Decision) -> ReviewItem:
        item = (await self.one(tenant_id, review_id)).model_copy(update={"decision": decision})
        own = account(tenant_id, self._tenants)
        owner = owner_of(own, decision.scope)
        await self._make_sure_of_room(owner, review_id)
        with _in_time():
            async with self._reviewing.pipeline(transaction=True) as pipeline:
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
        with _in_time():
            async with self._reviewing.pipeline(transaction=False) as pipeline:
                pipeline.hexists(DECIDED, f"{owner}:{key}")
                pipeline.zcard(_decided(owner))
                pipeline.hlen(DECIDED)
                known, own, all_ = await pipeline.execute()
        if not known and (own >= self._bounds.decided or all_ >= self._bounds.all):
            raise no_room()

    async def aclose(self) -> None:
        await self._asking.aclose()
        await self._reviewing.aclose()

    @asynccontextmanager
    async def _in_haste(self) -> AsyncIterator[None]:
        """Raise Unavailable where the store does not answer, or did not lately."""
        breaker = await self._breakers.get_breaker("reviews", threshold=3, ttl=5)
        try:
            with _in_time():
                async with breaker:
                    yield
        except OpenedState as opened:
            opened.__traceback__ = None  # it is one object, raised again and again: it would keep every frame
            raise Unavailable("the review store is resting after failures", retry_after_seconds=5) from None


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise Unavailable("the review store does not answer", retry_after_seconds=1) from error


def _client(url: str, seconds: float) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, decode_responses=True
    )


async def _hmget(client: redis.asyncio.Redis, name: str, fields: list[str]) -> list[str | None]:
    found: Any = await client.hmget(name, fields)
    return list(found)


def _failed(store: str) -> None:
    metrics.FALLBACKS.labels(f"mapper.{store}.down").inc()
    log.warning("store.failed", extra={"store": store})


def _counts(owner: TenantId) -> str:
    return f"mapper:reviews:counts:{owner}"


def _seen(owner: TenantId) -> str:
    return f"mapper:reviews:seen:{owner}"


def _decided(owner: TenantId) -> str:
    return f"mapper:reviews:decided:{owner}"


def _places(owner: TenantId, key: ReviewId) -> list[str]:
    """Where a decision may stand: the tenant's own goes before the one for all."""
    return [f"{owner}:{key}", f"{PLATFORM}:{key}"]


def _no_longer_waiting(pipeline: Pipeline, owner: TenantId, keys: Sequence[ReviewId]) -> None:
    pipeline.hdel(WAITING, *(f"{owner}:{key}" for key in keys))
    pipeline.zrem(_counts(owner), *keys)
    pipeline.zrem(_seen(owner), *keys)


def _item(
    own: str | None, for_all: str | None, waits: str | None, count: float | None, seen: float | None
) -> ReviewItem | None:
    if decided := own or for_all:
        return _read(decided)
    if waits is None or count is None or seen is None:
        return None
    return _read(waits).model_copy(update={"count": int(count), "last_seen": datetime.fromtimestamp(seen, UTC)})


def _read(kept: str) -> ReviewItem:
    """Return the label that was written as *kept*.

    Raises:
        Unavailable: another release wrote it.
    """
    try:
        return ReviewItem.model_validate_json(kept)
    except ValidationError as error:
        raise Unavailable("the review store holds what this release cannot read", retry_after_seconds=60) from error
