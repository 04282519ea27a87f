"""Where keys are kept: Redis for many processes, memory for tests and one process."""

import json
from collections.abc import Awaitable
from typing import cast

from pydantic import ValidationError
from pydantic_core import to_jsonable_python
from redis.asyncio import Redis

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import ApiKey
from llama_mapper.contracts.problems import Unavailable

from .keys import KeyChanges, StoredKey
from .reaching import reached

Field = bytes | bytearray | memoryview | str | int | float
"""What redis-py takes for a hash's field, and for its value."""


class MemoryKeys:
    def __init__(self) -> None:
        self._stored: dict[str, StoredKey] = {}

    async def get(self, key_id: str) -> StoredKey | None:
        return self._stored.get(key_id)

    async def add(self, stored: StoredKey) -> None:
        self._stored[stored.key.id] = stored

    async def change(self, key_id: str, changes: KeyChanges) -> None:
        stored = self._stored[key_id]
        self._stored[key_id] = StoredKey(key=stored.key.model_copy(update=dict(changes)), digest=stored.digest)

    async def of(self, tenant_id: TenantId) -> tuple[ApiKey, ...]:
        return tuple(stored.key for stored in self._stored.values() if stored.key.tenant_id == tenant_id)


class RedisKeys:
    """A hash for each key, a field for each of its parts, and a set of ids for each tenant."""

    def __init__(self, redis: "Redis", prefix: str = "identity") -> None:
        self._redis = redis
        self._prefix = prefix

    async def get(self, key_id: str) -> StoredKey | None:
        with reached("the key store"):
            fields = await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(self._key(key_id)))
        return _read(fields) if fields else None

    async def add(self, stored: StoredKey) -> None:
        fields: dict[Field, Field] = {
            name: json.dumps(value) for name, value in stored.key.model_dump(mode="json").items()
        }
        fields["digest"] = stored.digest.hex()
        with reached("the key store"):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(self._key(stored.key.id), mapping=fields)
                pipe.sadd(self._tenant(stored.key.tenant_id), stored.key.id)
                await pipe.execute()

    async def change(self, key_id: str, changes: KeyChanges) -> None:
        fields: dict[Field, Field] = {name: json.dumps(to_jsonable_python(value)) for name, value in changes.items()}
        with reached("the key store"):
            await self._redis.hset(self._key(key_id), mapping=fields)

    async def of(self, tenant_id: TenantId) -> tuple[ApiKey, ...]:
        with reached("the key store"):
            ids = await cast(Awaitable[set[bytes]], self._redis.smembers(self._tenant(tenant_id)))
        found = [await self.get(key_id.decode()) for key_id in sorted(ids)]
        return tuple(stored.key for stored in found if stored)

    def _key(self, key_id: str) -> str:
        return f"{self._prefix}:key:{key_id}"

    def _tenant(self, tenant_id: TenantId) -> str:
        return f"{self._prefix}:keys-of:{tenant_id}"


def _read(fields: dict[bytes, bytes]) -> StoredKey:
    try:
        values = {name.decode(): json.loads(value) for name, value in fields.items() if name != b"digest"}
        return StoredKey(
            key=ApiKey.model_validate(values, strict=False), digest=bytes.fromhex(fields[b"digest"].decode())
        )
    except (KeyError, ValueError, ValidationError) as error:
        raise Unavailable("the key store holds what this version cannot read", retry_after_seconds=30) from error
