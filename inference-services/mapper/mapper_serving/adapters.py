"""Where the cache and the review queue live: Redis, or this process's memory on a single machine."""

import hashlib
from collections.abc import Awaitable
from typing import Any, cast

import redis.asyncio
from pydantic import ValidationError
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.wire import Wire

from .resolution import Resolution

log = get_logger(__name__)

MAX_REVIEWS = 10_000
MAX_ANSWERS = 50_000
"""Labels come from callers: whoever invents new ones without end must not fill a store."""


class ReviewItem(Wire):
    """A label waiting for a person, and how often it came."""

    detector: str
    detector_version: str
    label: str
    description: str | None
    count: int


def identity(finding: VendorFinding, *versions: str) -> str:
    """A key for (detector, version, label, description, kind) under *versions*: hashed, so a store shows no word."""
    own = (finding.detector, finding.detector_version, finding.label, finding.description or "", finding.kind or "")
    parts = (*own, *versions)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class MemoryStore:
    """Cache and reviews of one process; gone with it."""

    def __init__(
        self, taxonomy_version: str, *, max_answers: int = MAX_ANSWERS, max_reviews: int = MAX_REVIEWS
    ) -> None:
        self._version = taxonomy_version
        self._max_answers = max_answers
        self._max_reviews = max_reviews
        self._cache: dict[str, Resolution] = {}
        self._reviews: dict[str, ReviewItem] = {}

    async def get(self, finding: VendorFinding, adapter: str) -> Resolution | None:
        return self._cache.get(identity(finding, self._version, adapter))

    async def put(self, finding: VendorFinding, adapter: str, resolution: Resolution) -> None:
        if len(self._cache) >= self._max_answers:
            del self._cache[next(iter(self._cache))]  # the oldest
        self._cache[identity(finding, self._version, adapter)] = resolution

    async def add(self, finding: VendorFinding) -> None:
        key = identity(finding)
        if key in self._reviews or len(self._reviews) < self._max_reviews:
            self._reviews[key] = _item(finding, self._reviews[key].count + 1 if key in self._reviews else 1)

    async def waiting(self, limit: int) -> tuple[ReviewItem, ...]:
        return tuple(sorted(self._reviews.values(), key=lambda item: -item.count)[:limit])

    async def ready(self) -> bool:
        return True


class RedisStore:
    """Cache and reviews shared by all replicas. Reads and writes that fail cost the cache, never the answer."""

    def __init__(self, url: str, taxonomy_version: str, cache_seconds: int, *, max_reviews: int = MAX_REVIEWS) -> None:
        self._max_reviews = max_reviews
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=0.2, socket_connect_timeout=0.2)
        self._version = taxonomy_version
        self._cache_seconds = cache_seconds

    async def get(self, finding: VendorFinding, adapter: str) -> Resolution | None:
        try:
            found = await self._redis.get(f"mapper:answer:{identity(finding, self._version, adapter)}")
            return Resolution.model_validate_json(found) if found else None
        except (RedisError, ValidationError):
            self._failed("cache")
            return None

    async def put(self, finding: VendorFinding, adapter: str, resolution: Resolution) -> None:
        key = f"mapper:answer:{identity(finding, self._version, adapter)}"
        try:
            await self._redis.set(key, resolution.model_dump_json(), ex=self._cache_seconds)
        except RedisError:
            self._failed("cache")

    async def add(self, finding: VendorFinding) -> None:
        key = identity(finding)
        try:
            known = await self._redis.hexists("mapper:review:items", key)
            if not known and await self._redis.hlen("mapper:review:items") >= self._max_reviews:
                return
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hsetnx("mapper:review:items", key, _item(finding, 0).model_dump_json())
                pipeline.zincrby("mapper:review:counts", 1, key)
                await pipeline.execute()
        except RedisError:
            self._failed("reviews")

    async def waiting(self, limit: int) -> tuple[ReviewItem, ...]:
        """The labels that came most often.

        Raises:
            Unavailable: the store does not answer.
        """
        try:
            ranked: Any = await self._redis.zrevrange("mapper:review:counts", 0, limit - 1, withscores=True)
            counts: list[tuple[bytes, float]] = ranked
            keys = [key for key, _ in counts]
            items = await cast(Awaitable[list[Any]], self._redis.hmget("mapper:review:items", keys)) if keys else []
        except RedisError as error:
            raise Unavailable("the review store does not answer", retry_after_seconds=1) from error
        found = zip(items, counts, strict=True)
        return tuple(
            ReviewItem.model_validate_json(item).model_copy(update={"count": int(count)})
            for item, (_, count) in found
            if item
        )

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def ready(self) -> bool:
        try:
            return bool(await self._redis.ping())
        except RedisError:
            return False

    @staticmethod
    def _failed(store: str) -> None:
        metrics.FALLBACKS.labels(f"mapper.{store}.down").inc()
        log.warning("store.failed", extra={"store": store})


def _item(finding: VendorFinding, count: int) -> ReviewItem:
    return ReviewItem(
        detector=finding.detector,
        detector_version=finding.detector_version,
        label=finding.label,
        description=finding.description,
        count=count,
    )
