"""Where audit logs are kept: a list for each tenant in Redis, appended to under a watch; memory for one process."""

from collections.abc import Awaitable
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import WatchError

from llama_mapper.contracts.audit import AuditEntry, AuditRecord
from llama_mapper.contracts.identifiers import TenantId

from .audit import GENESIS, linked
from .reaching import reached


class AuditLog(Protocol):
    """Raises (all methods): Unavailable; an act that cannot be noted is not done."""

    async def append(self, entry: AuditEntry) -> AuditRecord: ...

    async def read(self, tenant_id: TenantId, start: int = 0, count: int = 100) -> tuple[AuditRecord, ...]:
        """*count* records from the *start*-th, oldest first."""
        ...


class MemoryAudit:
    def __init__(self) -> None:
        self._logs: dict[str, list[AuditRecord]] = {}

    async def append(self, entry: AuditEntry) -> AuditRecord:
        log = self._logs.setdefault(entry.tenant_id, [])
        log.append(linked(entry, len(log) + 1, log[-1].hash if log else GENESIS))
        return log[-1]

    async def read(self, tenant_id: TenantId, start: int = 0, count: int = 100) -> tuple[AuditRecord, ...]:
        return tuple(self._logs.get(tenant_id, ())[start : start + count])


class RedisAudit:
    def __init__(self, redis: "Redis", prefix: str = "identity:audit") -> None:
        self._redis = redis
        self._prefix = prefix

    async def append(self, entry: AuditEntry) -> AuditRecord:
        name = f"{self._prefix}:{entry.tenant_id}"
        with reached("the audit log"):
            while True:
                async with self._redis.pipeline(transaction=True) as pipe:
                    await pipe.watch(name)
                    length = await pipe.llen(name)
                    last = await cast(Awaitable[bytes | None], pipe.lindex(name, -1))
                    previous = AuditRecord.model_validate_json(last).hash if last else GENESIS
                    record = linked(entry, length + 1, previous)
                    pipe.multi()  # type: ignore[no-untyped-call]
                    pipe.rpush(name, record.model_dump_json())
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue  # somebody else was first: theirs is the one before
                    return record

    async def read(self, tenant_id: TenantId, start: int = 0, count: int = 100) -> tuple[AuditRecord, ...]:
        with reached("the audit log"):
            name = f"{self._prefix}:{tenant_id}"
            kept = await cast(Awaitable[list[bytes]], self._redis.lrange(name, start, start + count - 1))
        return tuple(AuditRecord.model_validate_json(record) for record in kept)
