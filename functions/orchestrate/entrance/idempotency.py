"""``Idempotency-Key``: a request that comes twice is done once (draft-ietf-httpapi-idempotency-key-header-07).

The same key with another body is 422, one that is still being answered 409 with ``Retry-After``; a replay says so in
``Idempotency-Replayed``. Keys are kept as HMACs by tenant and route, answers sealed: an answer names what was found.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.chassis import metrics
from llama_mapper.chassis.sealing import Sealer, Unsealable
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Conflict, InvalidRequest, Problem, Unavailable, Unprocessable
from llama_mapper.contracts.wire import Wire

KEPT_SECONDS = 86_400
IN_FLIGHT_SECONDS = 60
"""Longer than any request may take; a pod that was killed leaves its key blocked for so long, and no longer."""
KEY = r'"?([\x21\x23-\x7e]{1,255})"?'  # a structured-field string, or the bare token most clients send


class Kept(Wire):
    """What a store keeps of a key: whose body it was, and the sealed answer once there is one."""

    fingerprint: bytes
    sealed: bytes | None = None


class KeptAnswers(Protocol):
    """Raises (all methods): Unavailable."""

    async def begin(self, name: str, kept: Kept, seconds: int) -> Kept | None:
        """Keep *kept* where nothing is kept yet; else return what is."""
        ...

    async def finish(self, name: str, kept: Kept, seconds: int) -> None: ...

    async def forget(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Answered:
    body: bytes
    replayed: bool


class Idempotency:
    """*secret* makes the names under which answers are kept."""

    def __init__(self, store: KeptAnswers, sealer: Sealer, secret: bytes) -> None:
        self._store = store
        self._sealer = sealer
        self._secret = secret

    async def once(
        self, key: str | None, tenant_id: TenantId, route: str, body: bytes, work: Callable[[], Awaitable[bytes]]
    ) -> Answered:
        """Answer by *work*, or by what it answered before; without a key, by *work* alone.

        Raises:
            InvalidRequest: not a key.
            Unprocessable: the key came with another body before.
            Conflict: the first request is still being answered.
        """
        if key is None:
            return Answered(await work(), replayed=False)
        name, fingerprint = self._names(key, tenant_id, route, body)
        try:
            before = await self._store.begin(name, Kept(fingerprint=fingerprint), IN_FLIGHT_SECONDS)
        except Unavailable:
            metrics.FALLBACKS.labels("idempotency.off").inc()
            return Answered(await work(), replayed=False)
        if before is not None:
            return Answered(self._replay(before, fingerprint, tenant_id, name), replayed=True)
        return Answered(await self._first(name, fingerprint, tenant_id, work), replayed=False)

    async def _first(
        self, name: str, fingerprint: bytes, tenant_id: TenantId, work: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        answer = None
        try:
            answer = await work()
        finally:
            if answer is None:  # a problem, or the caller has gone: trying again must be possible
                await self._quietly(self._store.forget(name))
        sealed = self._sealer.seal(answer, tenant_id, "idempotency", name)
        await self._quietly(self._store.finish(name, Kept(fingerprint=fingerprint, sealed=sealed), KEPT_SECONDS))
        return answer

    async def _quietly(self, change: Awaitable[None]) -> None:
        """What was done stays done, though it cannot be remembered."""
        try:
            await change
        except Problem:
            metrics.FALLBACKS.labels("idempotency.off").inc()

    def _replay(self, before: Kept, fingerprint: bytes, tenant_id: TenantId, name: str) -> bytes:
        if not hmac.compare_digest(before.fingerprint, fingerprint):
            raise Unprocessable("this Idempotency-Key came with another body before; use a new one")
        if before.sealed is None:
            raise Conflict("the first request with this Idempotency-Key is still being answered", retry_after_seconds=1)
        try:
            return self._sealer.open(before.sealed, tenant_id, "idempotency", name)
        except Unsealable:
            raise Unprocessable("what was answered before cannot be read any more; use a new Idempotency-Key") from None

    def _names(self, key: str, tenant_id: TenantId, route: str, body: bytes) -> tuple[str, bytes]:
        match = re.fullmatch(KEY, key)
        if match is None:
            raise InvalidRequest("Idempotency-Key has 1 to 255 printable characters, without spaces or quotes inside")
        name = hmac.new(self._secret, f"{tenant_id}\n{route}\n{match.group(1)}".encode(), hashlib.sha256).hexdigest()
        return name, hmac.new(self._secret, b"body\n" + body, hashlib.sha256).digest()
