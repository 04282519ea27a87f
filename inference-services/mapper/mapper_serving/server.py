"""The mapper's HTTP face: /api/v1/map, KServe V1 and V2 predict, and CloudEvents."""

import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import FastAPI, Header

from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Outgoing, add_consumer, derived_id, reply_to
from llama_mapper.contracts.events import EventContext, FindingReported, FindingsMapped
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.identifiers import AnyTenantId, RequestId
from llama_mapper.contracts.mapping import MapBatchRequest, MapBatchResponse, Mapping, MapRequest, VendorFinding
from llama_mapper.contracts.problems import InvalidRequest, Unprocessable

from .accounts import SOURCE
from .adapters import MemoryStore, RedisStore
from .batch import map_all, map_items
from .predict import add_kserve
from .review_api import add_reviews
from .service import ANONYMOUS, Mapper
from .settings import Settings

Tenant = Annotated[AnyTenantId, Header(alias="X-Tenant-ID")]


def create_server(mapper: Mapper, store: MemoryStore | RedisStore, settings: Settings) -> FastAPI:
    """Return the application; it is ready while *store* is."""

    async def readiness() -> dict[str, bool]:
        if mapper.model:
            mapper.model.start()  # not waited for: rules answer while the model is away
        return {"rules": True, "store": await store.ready()}

    app = create_app(
        "mapper",
        mapper.versions.mapper,
        max_bytes=settings.max_bytes,
        readiness=readiness,
        log_level=settings.log_level,
    )
    _add_map(app, mapper)
    add_reviews(app, mapper, settings.platform_tenants)
    add_kserve(app, mapper)

    async def on_reported(context: EventContext, event: FindingReported) -> Outgoing:
        if settings.tenants and context.tenantid not in settings.tenants:
            raise Unprocessable("tenantid names no tenant of this system")
        mappings = await _map_event(mapper, event, context)
        data = FindingsMapped(
            request_id=RequestId(derived_id(context, FindingsMapped.type)),  # the same when delivered again
            origin="producer",
            content_hmac=event.content_hmac,
            findings=merge(zip(event.findings, mappings, strict=True)),
            mappings=mappings,
            versions=mapper.versions,
        )
        return reply_to(context, data, SOURCE)

    add_consumer(app, {FindingReported: on_reported}, "/events")
    return app


async def _map_event(mapper: Mapper, event: FindingReported, context: EventContext) -> tuple[Mapping, ...]:
    """Map an event's findings by the adapter it names.

    Raises:
        Unprocessable: that adapter is not served here.
    """
    findings: Sequence[VendorFinding] = event.findings
    if event.adapter:
        findings = [MapRequest(**finding.model_dump(), adapter=event.adapter) for finding in event.findings]
    try:
        return await map_all(mapper, findings, tenant_id=context.tenantid)
    except InvalidRequest as problem:
        raise Unprocessable(problem.detail, errors=problem.errors) from problem


def _add_map(app: FastAPI, mapper: Mapper) -> None:
    @app.post("/api/v1/map", tags=["map"])
    async def map_one(request: MapRequest, tenant: Tenant = ANONYMOUS) -> Mapping:
        """Map one vendor finding; what the model takes is charged to the tenant."""
        return (await map_all(mapper, (request,), tenant_id=tenant))[0]

    @app.post("/api/v1/map/batch", tags=["map"])
    async def map_batch(request: MapBatchRequest, tenant: Tenant = ANONYMOUS) -> MapBatchResponse:
        """Map up to 500 findings; an invalid one is answered in its place."""
        started = time.perf_counter()
        results = await map_items(mapper, request.items, tenant_id=tenant)
        return MapBatchResponse(results=results, latency_ms=round((time.perf_counter() - started) * 1000, 2))
