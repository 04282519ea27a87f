"""Where one-time codes are kept: Redis for many processes, memory for one."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from .reaching import reached

# Sets the step only where it is later than the one before, in one go: two requests must not both use a code.
_USE = """
local last = tonumber(redis.call('GET', KEYS[1]) or '-1')
if tonumber(ARGV[1]) <= last then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600)
return 1
"""


class MemoryCodes:
    """Failures never age here: a process that restarts forgets them."""

    def __init__(self) -> None:
        self._secrets: dict[str, bytes] = {}
        self._failures: dict[str, int] = {}
        self._steps: dict[str, int] = {}

    async def secret(self, key_id: str) -> bytes | None:
        return self._secrets.get(key_id)

    async def enrol(self, key_id: str, sealed: bytes) -> None:
        self._secrets[key_id] = sealed

    async def failures(self, key_id: str) -> int:
        return self._failures.get(key_id, 0)

    async def failed(self, key_id: str, lifetime: timedelta) -> None:
        self._failures[key_id] = self._failures.get(key_id, 0) + 1

    async def use(self, key_id: str, step: int) -> bool:
        if step <= self._steps.get(key_id, -1):
            return False
        self._steps[key_id] = step
        return True


class RedisCodes:
    def __init__(self, redis: "Redis", prefix: str = "identity") -> None:
        self._redis = redis
        self._prefix = prefix
        self._use = redis.register_script(_USE)

    async def secret(self, key_id: str) -> bytes | None:
        sealed: bytes | None = await self._asked(self._redis.get(self._name("otp", key_id)))
        return sealed

    async def enrol(self, key_id: str, sealed: bytes) -> None:
        await self._asked(self._redis.set(self._name("otp", key_id), sealed))

    async def failures(self, key_id: str) -> int:
        return int(await self._asked(self._redis.get(self._name("otp-failures", key_id))) or 0)

    async def failed(self, key_id: str, lifetime: timedelta) -> None:
        name = self._name("otp-failures", key_id)
        if await self._asked(self._redis.incr(name)) == 1:
            await self._asked(self._redis.expire(name, lifetime))

    async def use(self, key_id: str, step: int) -> bool:
        return bool(await self._asked(self._use(keys=[self._name("otp-step", key_id)], args=[step])))

    async def _asked(self, question: Awaitable[Any]) -> Any:
        with reached("the key store"):
            return await question

    def _name(self, what: str, key_id: str) -> str:
        return f"{self._prefix}:{what}:{key_id}"
