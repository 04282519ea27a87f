"""What a tenant's callbacks are signed with, by the Standard Webhooks specification (symmetric, ``v1``).

A secret is made at its first use and kept sealed. For a day after a rotation both secrets sign, so that a receiver
can change over.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer, Unsealable
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.identity.reaching import reached

OVERLAP = timedelta(days=1)
SECRET_BYTES = 32
PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Secrets:
    """``secret`` signs; ``previous`` too until a day after ``rotated``."""

    secret: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    rotated: str | None = None

    def signing(self, now: datetime) -> tuple[str, ...]:
        if self.previous and self.rotated and datetime.fromisoformat(self.rotated) + OVERLAP > now:
            return (self.secret, self.previous)
        return (self.secret,)


def sign(keys: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of a signed message; a signature by each of *keys*."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.new(_key(key), signed, hashlib.sha256).digest()).decode() for key in keys
    ]
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def _new() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class WebhookSecrets:
    """Raises (all methods): Unavailable, where the store does not answer or a lost key sealed what it holds."""

    def __init__(self, redis: "Redis", sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def of(self, tenant_id: TenantId) -> Secrets:
        """The tenant's secrets; made now where there are none."""
        with reached("the store of webhook secrets"):
            sealed: Any = await self._redis.get(_name(tenant_id))
            if sealed is None:
                fresh = self._seal(tenant_id, Secrets(_new()))
                # Of two that make one at once the first one's holds.
                sealed = await self._redis.set(_name(tenant_id), fresh, nx=True, get=True) or fresh
        return self._open(tenant_id, sealed)

    async def rotate(self, tenant_id: TenantId, now: datetime) -> Secrets:
        before = await self.of(tenant_id)
        after = Secrets(_new(), before.secret, now.astimezone(UTC).isoformat())
        with reached("the store of webhook secrets"):
            await self._redis.set(_name(tenant_id), self._seal(tenant_id, after))
        return after

    def _seal(self, tenant_id: TenantId, kept: Secrets) -> bytes:
        return self._sealer.seal(json.dumps(asdict(kept)).encode(), tenant_id, "webhook secret")

    def _open(self, tenant_id: TenantId, sealed: bytes) -> Secrets:
        try:
            return Secrets(**json.loads(self._sealer.open(sealed, tenant_id, "webhook secret")))
        except Unsealable:
            raise Unavailable("the webhook secret was sealed with a key that is lost") from None


def _name(tenant_id: TenantId) -> str:
    return f"orchestrate:webhook-secret:{tenant_id}"
