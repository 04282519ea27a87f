"""Keys and the audit log over HTTP: /api/v1/keys, /api/v1/audit."""

from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query

from llama_mapper.contracts.audit import Act, AuditRecords
from llama_mapper.contracts.identity import ApiKey, ApiKeys, Enrolment, IssuedKey, NewApiKey, Scope
from llama_mapper.contracts.problems import InsufficientRbac, Unavailable
from llama_mapper.identity.audit_logs import AuditLog
from llama_mapper.identity.keys import Keys, utc_now
from llama_mapper.identity.one_time_codes import OneTimeCodes

from .gate import Admitted, Gate

KeyIdInPath = Annotated[str, Path(pattern=r"^[a-z0-9]{12}$")]


def add_keys(app: FastAPI, gate: Gate, keys: Keys, audit: AuditLog, codes: OneTimeCodes | None) -> None:
    """Add the resources; what cannot be noted is not done."""
    reads, writes, audits = gate.needs("keys:read"), gate.needs("keys:write"), gate.needs("audit:read")

    async def note(admitted: Admitted, act: Act, target: str) -> None:
        await audit.append(admitted.entry(act, target))

    @app.get("/api/v1/keys", tags=["keys"])
    async def list_keys(admitted: Annotated[Admitted, Depends(reads)]) -> ApiKeys:
        """The tenant's keys, without the keys themselves."""
        return ApiKeys(keys=await keys.of(admitted.tenant_id))

    @app.post("/api/v1/keys", tags=["keys"], status_code=201)
    async def create_key(new: NewApiKey, admitted: Annotated[Admitted, Depends(writes)]) -> IssuedKey:
        """Make a key; it is shown in this answer and never again. Nobody can give a scope they do not hold."""
        _holds(admitted, new.scopes)
        key, secret = await keys.create(admitted.tenant_id, new, utc_now())
        try:
            await note(admitted, "key.created", key.id)
        except Unavailable:
            await keys.revoke(key.id, admitted.tenant_id, utc_now())
            raise
        return IssuedKey(key=key, secret=secret)

    @app.post("/api/v1/keys/{key_id}/rotation", tags=["keys"], status_code=201)
    async def rotate_key(key_id: KeyIdInPath, admitted: Annotated[Admitted, Depends(writes)]) -> IssuedKey:
        """Make a successor with the same rights; the old key works for another day."""
        _holds(admitted, (await keys.own(key_id, admitted.tenant_id)).key.scopes)
        await note(admitted, "key.rotated", key_id)
        key, secret = await keys.rotate(key_id, admitted.tenant_id, utc_now())
        return IssuedKey(key=key, secret=secret)

    @app.delete("/api/v1/keys/{key_id}", tags=["keys"])
    async def revoke_key(key_id: KeyIdInPath, admitted: Annotated[Admitted, Depends(writes)]) -> ApiKey:
        """End a key at once."""
        await keys.own(key_id, admitted.tenant_id)
        await note(admitted, "key.revoked", key_id)
        return await keys.revoke(key_id, admitted.tenant_id, utc_now())

    if codes is not None:

        @app.post("/api/v1/keys/{key_id}/one-time-codes", tags=["keys"], status_code=201)
        async def enrol(key_id: KeyIdInPath, admitted: Annotated[Admitted, Depends(writes)]) -> Enrolment:
            """Give a key a second factor: the address for an authenticator's QR code, shown in this answer only."""
            await keys.own(key_id, admitted.tenant_id)
            await note(admitted, "code.enrolled", key_id)
            return Enrolment(uri=await codes.enrol(key_id, admitted.tenant_id))

    @app.get("/api/v1/audit", tags=["audit"])
    async def read_audit(
        admitted: Annotated[Admitted, Depends(audits)],
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> AuditRecords:
        """The tenant's administrative acts, oldest first; `llama-mapper audit verify` checks the chain."""
        return AuditRecords(records=await audit.read(admitted.tenant_id, start, count))


def _holds(admitted: Admitted, scopes: tuple[Scope, ...]) -> None:
    """Nobody gets, by way of a key, a scope that they do not hold themselves."""
    if not set(scopes) <= set(admitted.principal.scopes):
        raise InsufficientRbac("a key cannot have a scope that its maker does not hold")
