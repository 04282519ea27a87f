"""Where the model's answers are cached: Redis, or this process's memory on a single machine."""

import hashlib

import redis.asyncio
from pydantic import ValidationError
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.mapping import VendorFinding

from .resolution import Resolution

log = get_logger(__name__)

MAX_ANSWERS = 50_000
"""Labels come from callers: whoever invents new ones without end must not fill a store."""


def identity(finding: VendorFinding, *versions: str) -> str:
    """A key for (detector, version, label, description, kind) under *versions*: hashed, so a store shows no word."""
    own = (finding.detector, finding.detector_version, finding.label, finding.description or "", finding.kind or "")
    parts = (*own, *versions)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class MemoryStore:
    """The cache of one process; gone with it."""

    def __init__(self, taxonomy_version: str, *, max_answers: int = MAX_ANSWERS) -> None:
        self._version = taxonomy_version
        self._max_answers = max_answers
        self._cache: dict[str, Resolution] = {}

    async def get(self, finding: VendorFinding, adapter: str) -> Resolution | None:
        return self._cache.get(identity(finding, self._version, adapter))

    async def put(self, finding: VendorFinding, adapter: str, resolution: Resolution) -> None:
        if len(self._cache) >= self._max_answers:
            del self._cache[next(iter(self._cache))]  # the oldest
        self._cache[identity(finding, self._version, adapter)] = resolution

    async def ready(self) -> bool:
        return True


class RedisStore:
    """A cache shared by all replicas. Reads and writes that fail cost the cache, never the answer."""

    def __init__(self, url: str, taxonomy_version: str, cache_seconds: int) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=0.2, socket_connect_timeout=0.2)
        self._version = taxonomy_version
        self._cache_seconds = cache_seconds

    async def get(self, finding: VendorFinding, adapter: str) -> Resolution | None:
        try:
            found = await self._redis.get(f"mapper:answer:{identity(finding, self._version, adapter)}")
            return Resolution.model_validate_json(found) if found else None
        except (RedisError, ValidationError):
            _failed()
            return None

    async def put(self, finding: VendorFinding, adapter: str, resolution: Resolution) -> None:
        key = f"mapper:answer:{identity(finding, self._version, adapter)}"
        try:
            await self._redis.set(key, resolution.model_dump_json(), ex=self._cache_seconds)
        except RedisError:
            _failed()

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def ready(self) -> bool:
        try:
            return bool(await self._redis.ping())
        except RedisError:
            return False


def _failed() -> None:
    metrics.FALLBACKS.labels("mapper.cache.down").inc()
    log.warning("store.failed", extra={"store": "cache"})
