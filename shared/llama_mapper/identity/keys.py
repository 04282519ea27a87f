"""API keys: ``lmk_<id>_<secret>``, kept as an HMAC under a pepper that no store holds.

The secret has 256 random bits, so that a fast hash is enough (OWASP Password Storage Cheat Sheet is about passwords,
which have few); the pepper makes a stolen store useless, the id makes looking a key up one read.
"""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypedDict, Unpack

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import ApiKey, NewApiKey, Principal
from llama_mapper.contracts.problems import NotFound, Unauthorized
from llama_mapper.contracts.wire import Wire

PREFIX = "lmk"
_KEY = re.compile(rf"{PREFIX}_([a-z0-9]{{12}})_([A-Za-z0-9_-]{{43}})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
REFUSED = "the API key is not valid"
"""One sentence for unknown, wrong, expired and revoked: the difference would tell an attacker which ids exist."""
OVERLAP = timedelta(days=1)
USED_EVERY = timedelta(hours=1)


class StoredKey(Wire):
    """What a store keeps: the key's description and the HMAC of its secret."""

    key: ApiKey
    digest: bytes


class KeyChanges(TypedDict, total=False):
    expires_at: datetime
    last_used_at: datetime
    revoked_at: datetime
    replaced_by: str


class KeyStore(Protocol):
    """Where keys are kept.

    Raises (all methods):
        Unavailable: the store cannot be reached; nobody is let in by a key.
    """

    async def get(self, key_id: str) -> StoredKey | None: ...

    async def add(self, stored: StoredKey) -> None: ...

    async def change(self, key_id: str, changes: KeyChanges) -> None:
        """Set these fields and no other, so that a use noted late does not bring a revoked key back."""
        ...

    async def of(self, tenant_id: TenantId) -> tuple[ApiKey, ...]: ...


class Keys:
    """Makes, verifies and ends keys; *pepper* has at least 32 bytes and comes from a Secret."""

    def __init__(self, store: KeyStore, pepper: bytes) -> None:
        if len(pepper) < 32:
            raise ValueError("the pepper needs at least 32 bytes")
        self._store = store
        self._pepper = pepper

    async def create(self, tenant_id: TenantId, new: NewApiKey, now: datetime) -> tuple[ApiKey, str]:
        """Return the key's description and, this once, the key."""
        key_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
        secret = secrets.token_urlsafe(32)
        key = ApiKey(
            id=key_id,
            tenant_id=tenant_id,
            scopes=tuple(dict.fromkeys(new.scopes)),
            name=new.name,
            created_at=now,
            expires_at=now + timedelta(days=new.days),
        )
        await self._store.add(StoredKey(key=key, digest=self._digest(key_id, secret)))
        return key, f"{PREFIX}_{key_id}_{secret}"

    async def verify(self, presented: str, now: datetime) -> Principal:
        """Say whose *presented* is.

        Raises:
            Unauthorized: it is no key of ours, or no longer.
        """
        match = _KEY.fullmatch(presented)
        key_id, secret = match.groups() if match else ("0" * 12, "")
        stored = await self._store.get(key_id)
        # Compared in any case, and in constant time: how long a refusal takes says nothing.
        expected = stored.digest if stored else b"\0" * 32
        same = hmac.compare_digest(self._digest(key_id, secret), expected)
        if stored is None or not same or not _alive(stored.key, now):
            raise Unauthorized(REFUSED)
        await self._used(stored, now)
        return Principal(subject=f"key:{key_id}", kind="key", tenants=(stored.key.tenant_id,), scopes=stored.key.scopes)

    async def rotate(self, key_id: str, tenant_id: TenantId, now: datetime) -> tuple[ApiKey, str]:
        """Return a successor with the same rights; the old key works for another day.

        Raises:
            NotFound: no such key of this tenant, or it has ended.
        """
        stored = await self.own(key_id, tenant_id)
        if not _alive(stored.key, now):
            raise NotFound("no such key in use")
        days = max(1, (stored.key.expires_at - stored.key.created_at).days)
        new = NewApiKey(name=stored.key.name, scopes=stored.key.scopes, days=days)
        key, secret = await self.create(tenant_id, new, now)
        until = min(stored.key.expires_at, now + OVERLAP)
        await self._change(stored, expires_at=until, replaced_by=key.id)
        return key, secret

    async def revoke(self, key_id: str, tenant_id: TenantId, now: datetime) -> ApiKey:
        """End a key at once; once more changes nothing.

        Raises:
            NotFound: no such key of this tenant.
        """
        stored = await self.own(key_id, tenant_id)
        return stored.key if stored.key.revoked_at else await self._change(stored, revoked_at=now)

    async def of(self, tenant_id: TenantId) -> tuple[ApiKey, ...]:
        return await self._store.of(tenant_id)

    async def own(self, key_id: str, tenant_id: TenantId) -> StoredKey:
        """Return a tenant's key.

        Raises:
            NotFound: no such key of this tenant.
        """
        stored = await self._store.get(key_id)
        if stored is None or stored.key.tenant_id != tenant_id:
            raise NotFound("no such key")
        return stored

    async def _used(self, stored: StoredKey, now: datetime) -> None:
        last = stored.key.last_used_at
        if last is None or now - last >= USED_EVERY:
            await self._change(stored, last_used_at=now.replace(minute=0, second=0, microsecond=0))

    async def _change(self, stored: StoredKey, **changes: Unpack[KeyChanges]) -> ApiKey:
        await self._store.change(stored.key.id, changes)
        return stored.key.model_copy(update=dict(changes))

    def _digest(self, key_id: str, secret: str) -> bytes:
        return hmac.new(self._pepper, f"{key_id}\n{secret}".encode(), hashlib.sha256).digest()


def _alive(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and key.created_at <= now < key.expires_at


def utc_now() -> datetime:
    return datetime.now(UTC)
