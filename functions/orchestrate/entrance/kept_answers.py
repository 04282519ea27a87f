"""Where answers are kept for a second asking: Redis for many pods, memory for one."""

from collections.abc import Awaitable
from typing import Any

from redis.asyncio import Redis

from llama_mapper.contracts.problems import Unavailable
from llama_mapper.identity.reaching import reached

from .idempotency import Kept

FINGERPRINT_BYTES = 32


class MemoryAnswers:
    """Never ages: for tests and a process of an hour."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    async def begin(self, name: str, kept: Kept, seconds: int) -> Kept | None:
        before = self._kept.get(name)
        self._kept.setdefault(name, kept)
        return before

    async def finish(self, name: str, kept: Kept, seconds: int) -> None:
        self._kept[name] = kept

    async def forget(self, name: str) -> None:
        self._kept.pop(name, None)


class RedisAnswers:
    """Fingerprint, then the sealed answer."""

    def __init__(self, redis: "Redis", prefix: str = "orchestrate:idempotency") -> None:
        self._redis = redis
        self._prefix = prefix

    async def begin(self, name: str, kept: Kept, seconds: int) -> Kept | None:
        before = await self._asked(
            self._redis.set(self._key(name), _packed(kept), nx=True, get=True, ex=seconds)  # Redis 7: NX with GET
        )
        if not before:
            return None
        if len(before) < FINGERPRINT_BYTES:
            raise Unavailable("the store of answers holds something else under this name")
        return Kept(fingerprint=before[:FINGERPRINT_BYTES], sealed=before[FINGERPRINT_BYTES:] or None)

    async def finish(self, name: str, kept: Kept, seconds: int) -> None:
        await self._asked(self._redis.set(self._key(name), _packed(kept), ex=seconds))

    async def forget(self, name: str) -> None:
        await self._asked(self._redis.delete(self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    async def _asked(self, question: Awaitable[Any]) -> Any:
        with reached("the store of answers"):
            return await question


def _packed(kept: Kept) -> bytes:
    return kept.fingerprint + (kept.sealed or b"")
