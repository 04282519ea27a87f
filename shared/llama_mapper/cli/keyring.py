"""The key store as who runs the system reaches it: itself, so that the first key can be made; every act is noted."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer
from llama_mapper.contracts.audit import Act, AuditEntry, AuditRecord
from llama_mapper.contracts.identifiers import CorrelationId, TenantId
from llama_mapper.contracts.identity import ApiKey, NewApiKey
from llama_mapper.identity.audit_logs import RedisAudit
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys, utc_now
from llama_mapper.identity.one_time_codes import OneTimeCodes
from llama_mapper.local import directory, layout

from .services import running

REDIS, PEPPER, KEYSET = "ORCHESTRATION_REDIS_URL", "ORCHESTRATION_PEPPER", "ORCHESTRATION_KEYSET"


@dataclass(frozen=True, slots=True)
class Keyring:
    """A tenant's keys and audit log, opened by ``opened``."""

    tenant_id: TenantId
    keys: Keys
    audit: RedisAudit
    codes: OneTimeCodes

    async def create(self, new: NewApiKey) -> tuple[ApiKey, str]:
        key, secret = await self.keys.create(self.tenant_id, new, utc_now())
        await self._note("key.created", key.id)
        return key, secret

    async def rotate(self, key_id: str) -> tuple[ApiKey, str]:
        rotated = await self.keys.rotate(key_id, self.tenant_id, utc_now())
        await self._note("key.rotated", key_id)
        return rotated

    async def revoke(self, key_id: str) -> None:
        await self.keys.revoke(key_id, self.tenant_id, utc_now())
        await self._note("key.revoked", key_id)

    async def enrol(self, key_id: str) -> str:
        await self.keys.own(key_id, self.tenant_id)
        uri = await self.codes.enrol(key_id, self.tenant_id)
        await self._note("code.enrolled", key_id)
        return uri

    async def list(self) -> tuple[ApiKey, ...]:
        return await self.keys.of(self.tenant_id)

    async def acts(self) -> tuple[AuditRecord, ...]:
        return await self.audit.read(self.tenant_id, 0, 10_000_000)

    async def _note(self, act: Act, target: str) -> None:
        await self.audit.append(
            AuditEntry(
                at=utc_now(),
                tenant_id=self.tenant_id,
                subject="operator",
                act=act,
                target=target,
                correlation_id=CorrelationId(uuid.uuid4().hex),
            )
        )


@asynccontextmanager
async def opened(tenant: str, run_dir: Path | None) -> AsyncIterator[Keyring]:
    """The store and secrets that the environment names as orchestrate's settings do, else the local run's.

    Raises:
        CannotRun: they are not in the environment, and this is no checkout.
    """
    url = os.environ.get(REDIS) or running("valkey", run_dir).replace("http://", "redis://") + "/0"
    pepper, keyset = os.environ.get(PEPPER), os.environ.get(KEYSET)
    if not (pepper and keyset):
        local = directory.choose(run_dir, layout.find_root())
        local.create()
        pepper, keyset = pepper or local.pepper(), keyset or local.keyset()
    async with Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as redis:
        yield Keyring(
            TenantId(tenant),
            Keys(RedisKeys(redis), pepper.encode()),
            RedisAudit(redis),
            OneTimeCodes(RedisCodes(redis), Sealer(keyset)),
        )
