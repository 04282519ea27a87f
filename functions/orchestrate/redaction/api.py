"""``POST /api/v1/detokenize``: turn a tenant's tokens back; an administrative act, in the audit log each time."""

from typing import Annotated

from fastapi import Depends, FastAPI, Response

from llama_mapper.contracts.redaction import DetokenizeRequest, DetokenizeResponse
from llama_mapper.identity.audit_logs import AuditLog

from ..entrance.gate import Admitted, Gate
from .tokens import Tokens


def add_detokenization(app: FastAPI, gate: Gate, tokens: Tokens | None, audit: AuditLog | None) -> None:
    """Add the resource where tokens can be turned back and the act can be noted; else nobody can."""
    if tokens is None or audit is None:
        return
    restores = Depends(gate.needs("content:restore"))

    @app.post("/api/v1/detokenize", tags=["redaction"])
    async def detokenize(
        body: DetokenizeRequest, admitted: Annotated[Admitted, restores], response: Response
    ) -> DetokenizeResponse:
        """Put back what this tenant's tokens stand for; others are left as they are, and counted."""
        content, restored, unknown = tokens.restore(body.content, admitted.tenant_id)
        await audit.append(admitted.entry("content.restored", f"tokens:{restored}"))
        response.headers["Cache-Control"] = "no-store"
        return DetokenizeResponse(content=content, restored=restored, unknown=unknown)
