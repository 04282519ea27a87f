"""The mapper's HTTP face: /api/v1/map, KServe V1 and V2 predict, and CloudEvents."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from kserve import InferRequest, InferResponse, Model, ModelRepository
from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.infer_type import InferOutput
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from pydantic import ValidationError

from llama_mapper.chassis import correlation, metrics
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Outgoing, add_consumer, reply_to
from llama_mapper.chassis.guard import problem_response
from llama_mapper.contracts.events import EventContext, FindingReported, FindingsMapped
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.identifiers import RequestId
from llama_mapper.contracts.mapping import (
    MapBatchItem,
    MapBatchRequest,
    MapBatchResponse,
    MapItem,
    Mapping,
    MapRequest,
    Refused,
    VendorFinding,
    own_fields,
)
from llama_mapper.contracts.problems import (
    FieldError,
    InvalidRequest,
    NotFound,
    Problem,
    Unavailable,
    Unprocessable,
)

from .adapters import MemoryStore, RedisStore, ReviewItem
from .service import Mapper
from .settings import Settings

SOURCE = "/inference-services/mapper"
MODEL_NAME = "mapper"


def create_server(mapper: Mapper, store: MemoryStore | RedisStore, settings: Settings) -> FastAPI:
    """Return the application; *store* also lists the review queue."""

    async def readiness() -> dict[str, bool]:
        return {"rules": True, "store": await store.ready()}

    app = create_app(
        "mapper",
        mapper.versions.mapper,
        max_bytes=settings.max_bytes,
        readiness=readiness,
        log_level=settings.log_level,
    )
    _add_map(app, mapper)
    _add_kserve(app, mapper)

    @app.get("/api/v1/reviews", tags=["review"])
    async def reviews(limit: int = 100) -> tuple[ReviewItem, ...]:
        """Labels that no rule knew, most frequent first."""
        return await store.waiting(max(1, min(limit, 1000)))

    async def on_reported(context: EventContext, event: FindingReported) -> Outgoing:
        if settings.tenants and context.tenantid not in settings.tenants:
            raise Unprocessable("tenantid names no tenant of this system")
        mappings = await _map_all(mapper, event.findings)
        data = FindingsMapped(
            request_id=RequestId(correlation.current()),
            origin="producer",
            content_hmac=event.content_hmac,
            findings=merge(zip(event.findings, mappings, strict=True)),
            mappings=mappings,
            versions=mapper.versions,
        )
        return reply_to(context, data, SOURCE)

    add_consumer(app, {FindingReported: on_reported}, "/events")
    return app


def _add_map(app: FastAPI, mapper: Mapper) -> None:
    @app.post("/api/v1/map", tags=["map"])
    async def map_one(request: MapRequest) -> Mapping:
        """Map one vendor finding."""
        return (await _map_all(mapper, (request,)))[0]

    @app.post("/api/v1/map/batch", tags=["map"])
    async def map_batch(request: MapBatchRequest) -> MapBatchResponse:
        """Map up to 500 findings; an invalid one is answered in its place."""
        started = time.perf_counter()
        results = await map_items(mapper, request.items)
        return MapBatchResponse(results=results, latency_ms=round((time.perf_counter() - started) * 1000, 2))


async def _map_all(mapper: Mapper, findings: tuple[VendorFinding, ...]) -> tuple[Mapping, ...]:
    mappings = tuple(await asyncio.gather(*(mapper.map_finding(finding) for finding in findings)))
    for mapping in mappings:
        metrics.MAPPINGS.labels(mapping.method).inc()
    return mappings


async def map_items(mapper: Mapper, items: tuple[MapItem, ...]) -> tuple[MapBatchItem, ...]:
    """Map the good items and keep every item's place."""
    good = tuple(item for item in items if not isinstance(item, Refused))
    mapped = iter(await _map_all(mapper, good))
    return tuple(
        _refused(index, item)
        if isinstance(item, Refused)
        else MapBatchItem(index=index, status=200, mapping=next(mapped))
        for index, item in enumerate(items)
    )


def _refused(index: int, item: Refused) -> MapBatchItem:
    errors = tuple(FieldError(field=field, message="missing, not allowed or not valid") for field in item.fields)
    problem = InvalidRequest(f"check: {', '.join(item.fields)}"[:240], errors=errors)
    return MapBatchItem(index=index, status=400, problem=problem.document(correlation.current()))


class MapperModel(Model):  # type: ignore[misc] # kserve is not typed
    """KServe's view of the mapper: V1 ``instances`` of findings, or V2 BYTES tensors of findings as JSON."""

    def __init__(self, mapper: Mapper) -> None:
        super().__init__(MODEL_NAME)
        self._mapper = mapper
        self.ready = True

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        findings: Any = payload.get("instances") if isinstance(payload, dict) else None
        if isinstance(payload, InferRequest):
            findings = [_json(row) for tensor in payload.inputs for row in tensor.data]
        try:
            batch = MapBatchRequest.model_validate({"items": findings})
        except ValidationError as error:
            raise InvalidRequest("check: instances", errors=_field_errors(error)) from None
        return {"batch": batch, "request": payload}

    async def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        return payload | {"results": await map_items(self._mapper, payload["batch"].items)}

    async def postprocess(self, result: Any, headers: dict[str, str] | None = None) -> Any:
        rows: tuple[MapBatchItem, ...] = result["results"]
        request = result["request"]
        if not isinstance(request, InferRequest):
            return {"predictions": [row.model_dump(mode="json", exclude_none=True) for row in rows]}
        data = [row.model_dump_json(exclude_none=True) for row in rows]
        output = InferOutput(name="mappings", shape=[len(data)], datatype="BYTES", data=data)
        return InferResponse(response_id=request.id or "", model_name=MODEL_NAME, infer_outputs=[output])


def _json(row: Any) -> Any:
    try:
        return json.loads(row)
    except (ValueError, TypeError):
        raise InvalidRequest("each element of the BYTES tensor must be one finding as JSON") from None


def _field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    fields = own_fields(error, lambda name: name == "items")
    return tuple(FieldError(field=field, message="missing or not valid") for field in fields)


def _add_kserve(app: FastAPI, mapper: Mapper) -> None:
    """KServe's own endpoints on our application, so that its errors are problems too and never quote the input."""
    repository = ModelRepository()
    repository.update(MapperModel(mapper))
    plane = DataPlane(model_registry=repository)
    extension = ModelRepositoryExtension(model_registry=repository)
    register_v1_endpoints(app, plane, extension)
    register_v2_endpoints(app, plane, extension)

    def translate(make: Callable[[], Problem]) -> Any:
        async def handler(_: Request, __: Exception) -> Response:
            return problem_response(make())

        return handler

    app.add_exception_handler(ModelNotFound, translate(lambda: NotFound(f"the only model here is {MODEL_NAME}")))
    app.add_exception_handler(ModelNotReady, translate(lambda: Unavailable("not ready", retry_after_seconds=1)))
    app.add_exception_handler(InvalidInput, translate(lambda: InvalidRequest("this is not a KServe predict request")))
    app.add_exception_handler(InferenceError, translate(lambda: InvalidRequest("the request cannot be predicted")))
