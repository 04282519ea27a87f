"""Answer a request, or answer it again as before where its ``Idempotency-Key`` is known."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel

from llama_mapper.contracts.identifiers import TenantId

from .idempotency import KEY, Idempotency

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=257, json_schema_extra={"pattern": f"^{KEY}$"})
]
Work = Callable[[], Awaitable[tuple[int, BaseModel]]]


async def answered(
    idempotency: Idempotency | None, key: str | None, tenant_id: TenantId, request: Request, work: Work
) -> Response:
    """Return what *work* answers, status and body; a key is not heeded where nothing can be kept (docs/settings.md)."""

    async def once() -> bytes:
        status, body = await work()
        return b"%d" % status + body.model_dump_json().encode()

    if idempotency is None or key is None:
        return _response(await once())
    answer = await idempotency.once(key, tenant_id, request.url.path, await request.body(), once)
    response = _response(answer.body)
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _response(kept: bytes) -> Response:
    return Response(kept[3:], int(kept[:3]), media_type="application/json")
