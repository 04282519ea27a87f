"""Wire the gate: what is taken of keys, tokens and codes follows from which secrets and stores there are."""

from dataclasses import dataclass

import httpx
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer
from llama_mapper.identity.audit_logs import AuditLog, RedisAudit
from llama_mapper.identity.authentication import Authentication
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from llama_mapper.identity.reaching import RestingRedis, once_more
from llama_mapper.identity.tokens import KeySet, Tokens

from ..ports import Policies
from ..response_cache import ResponseCache
from ..settings import Settings
from ..tenants.policy import TenantPolicies
from ..tenants.store import KnownTenants, RedisTenants
from .gate import Gate
from .idempotency import Idempotency
from .kept_answers import RedisAnswers
from .limits import Limits, SharedStore

STORE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Entrance:
    """The gate, and what its resources work on; ``keys`` and ``audit`` are there together or not at all."""

    gate: Gate
    idempotency: Idempotency | None
    keys: Keys | None
    audit: AuditLog | None
    codes: OneTimeCodes | None
    redis: "Redis | None"
    counts: SharedStore | None
    cache: ResponseCache | None
    policies: TenantPolicies
    tenants: KnownTenants
    tenant_store: RedisTenants | None

    async def aclose(self) -> None:
        if self.counts is not None:
            await self.counts.aclose()
        if self.redis is not None:
            await self.redis.aclose()


def entrance(settings: Settings, policy: Policies, client: httpx.AsyncClient) -> Entrance:
    """Keys need Redis and a pepper; kept answers and codes a keyset too; tokens an issuer and a pepper."""
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    pepper = settings.pepper.get_secret_value().encode() if settings.pepper else None
    sealer = Sealer(settings.keyset.get_secret_value()) if settings.keyset else None
    redis = (
        RestingRedis.from_url(
            url, socket_timeout=STORE_SECONDS, socket_connect_timeout=STORE_SECONDS, retry=once_more()
        )
        if url
        else None
    )
    keys = Keys(RedisKeys(redis), pepper) if redis and pepper else None
    codes = OneTimeCodes(RedisCodes(redis), sealer) if redis and sealer and keys else None
    tokens = [Tokens(one, KeySet(str(one.jwks_url), client), pepper) for one in settings.issuers if pepper]
    secret = pepper or settings.hmac_key.get_secret_value().encode() or b"no secret is configured"
    seconds = settings.response_cache_seconds
    counts = SharedStore(server=url, options=_options()) if url else None
    limits = Limits(
        counts,
        identity=settings.requests_per_minute,
        address=settings.requests_per_minute_address,
        daily=settings.requests_per_day,
    )
    store = RedisTenants(redis) if redis else None
    tenants = KnownTenants(store)
    policies = TenantPolicies(policy, tenants)
    return Entrance(
        gate=Gate(Authentication(keys, tokens), policies, limits, codes, settings.trusted_proxies, secret),
        idempotency=Idempotency(RedisAnswers(redis), sealer, secret) if redis and sealer else None,
        keys=keys,
        audit=RedisAudit(redis) if redis and keys else None,
        codes=codes,
        redis=redis,
        counts=counts,
        cache=ResponseCache(redis, sealer, secret, seconds) if redis and sealer and seconds else None,
        policies=policies,
        tenants=tenants,
        tenant_store=store,
    )


def _options() -> dict[str, object]:
    return {"SOCKET_TIMEOUT": STORE_SECONDS, "SOCKET_CONNECT_TIMEOUT": STORE_SECONDS}
