"""Time-based one-time codes (RFC 6238) as the second factor of a key that administers.

The shared secret is kept sealed; a code counts once (section 5.2), and after five wrong ones in a quarter of an hour
none counts until that time is over (section 7.3: throttling is part of the scheme, six digits alone are few).
"""

from datetime import datetime, timedelta
from typing import Protocol

import pyotp

from llama_mapper.contracts.problems import RateLimited, Unauthorized

STEP_SECONDS = 30
DRIFT_STEPS = 1
MOST_FAILURES = 5
FAILURES_COUNT_FOR = timedelta(minutes=15)


class Seal(Protocol):
    def seal(self, plain: bytes, *place: str) -> bytes: ...

    def open(self, sealed: bytes, *place: str) -> bytes: ...


class CodeStore(Protocol):
    """Where sealed secrets and what was used are kept.

    Raises (all methods):
        Unavailable: the store cannot be reached; no code counts.
    """

    async def secret(self, key_id: str) -> bytes | None: ...

    async def enrol(self, key_id: str, sealed: bytes) -> None: ...

    async def failures(self, key_id: str) -> int:
        """How many wrong codes there were lately."""
        ...

    async def failed(self, key_id: str, lifetime: timedelta) -> None: ...

    async def use(self, key_id: str, step: int) -> bool:
        """Note that the code of *step* was used; False where it, or a later one, was used before."""
        ...


class OneTimeCodes:
    def __init__(self, store: CodeStore, sealer: Seal) -> None:
        self._store = store
        self._sealer = sealer

    async def enrol(self, key_id: str, tenant_id: str) -> str:
        """Make a new secret for a key, in place of any other; returns the ``otpauth`` URI for a QR code, this once."""
        secret = pyotp.random_base32()
        await self._store.enrol(key_id, self._sealer.seal(secret.encode(), tenant_id, "otp", key_id))
        return pyotp.TOTP(secret).provisioning_uri(name=f"{tenant_id} {key_id}", issuer_name="Llama Mapper")

    async def verify(self, key_id: str, tenant_id: str, code: str, now: datetime) -> None:
        """Let *code* count, once.

        Raises:
            Unauthorized: wrong, used before, or none is enrolled.
            RateLimited: too many wrong ones.
        """
        if await self._store.failures(key_id) >= MOST_FAILURES:
            raise RateLimited("too many wrong codes", retry_after_seconds=int(FAILURES_COUNT_FOR.total_seconds()))
        sealed = await self._store.secret(key_id)
        step = self._step(sealed, key_id, tenant_id, code, now) if sealed else None
        if step is None or not await self._store.use(key_id, step):
            await self._store.failed(key_id, FAILURES_COUNT_FOR)
            raise Unauthorized("the one-time code is not valid")

    def _step(self, sealed: bytes, key_id: str, tenant_id: str, code: str, now: datetime) -> int | None:
        """The time step whose code this is; a phone's clock may be one step off."""
        totp = pyotp.TOTP(self._sealer.open(sealed, tenant_id, "otp", key_id).decode())
        current = int(now.timestamp()) // STEP_SECONDS
        for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
            if pyotp.utils.strings_equal(code, totp.generate_otp(step)):
                return step
        return None
