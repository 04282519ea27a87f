"""The mapper as KServe sees it: V1 ``:predict`` and V2 ``/infer`` in JSON, behind our guard and with our problems.

KServe registers more than the mapper wants to offer: anybody could unload the model or ask for an explanation that
nobody gives. So the routes that are served are listed here, one by one.
"""

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from kserve import InferRequest, InferResponse, Model, ModelRepository
from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.infer_type import InferOutput
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from kserve.protocol.rest.v2_endpoints import V2Endpoints
from pydantic import TypeAdapter, ValidationError

from llama_mapper.chassis.guard import problem_response
from llama_mapper.contracts.identifiers import AnyTenantId, TenantId
from llama_mapper.contracts.mapping import MapBatchItem, MapBatchRequest, own_fields
from llama_mapper.contracts.problems import FieldError, InvalidRequest, NotFound, Problem, Unavailable

from .batch import map_items
from .service import ANONYMOUS, Mapper

MODEL_NAME = "mapper"
PREDICT = "/v1/models/{model_name}:predict"
_INSTANCES = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/MapRequest"}}
# KServe reads the body itself, so FastAPI sees none.
_TAKEN = {"type": "object", "required": ["instances"], "properties": {"instances": _INSTANCES}}
_BODIES = {PREDICT: {"requestBody": {"required": True, "content": {"application/json": {"schema": _TAKEN}}}}}
_TENANT: TypeAdapter[TenantId] = TypeAdapter(AnyTenantId)


class MapperModel(Model):  # type: ignore[misc] # kserve is not typed
    """V1 ``instances`` of findings, or V2 BYTES tensors of findings as JSON."""

    def __init__(self, mapper: Mapper) -> None:
        super().__init__(MODEL_NAME)
        self._mapper = mapper
        self.ready = True

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        findings: Any = payload.get("instances") if isinstance(payload, dict) else None
        field = "instances"
        if isinstance(payload, InferRequest):
            findings, field = _rows(payload), "inputs"
        try:
            batch = MapBatchRequest.model_validate({"items": findings})
        except ValidationError as error:
            raise InvalidRequest(f"check: {field}", errors=_field_errors(error, field)) from None
        return {"batch": batch, "request": payload}

    async def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        results = await map_items(self._mapper, payload["batch"].items, tenant_id=_tenant(headers))
        return payload | {"results": results}

    async def postprocess(self, result: Any, headers: dict[str, str] | None = None) -> Any:
        rows: tuple[MapBatchItem, ...] = result["results"]
        request = result["request"]
        if not isinstance(request, InferRequest):
            return {"predictions": [row.model_dump(mode="json", exclude_none=True) for row in rows]}
        data = [row.model_dump_json(exclude_none=True) for row in rows]
        output = InferOutput(name="mappings", shape=[len(data)], datatype="BYTES", data=data)
        return InferResponse(response_id=request.id or "", model_name=MODEL_NAME, infer_outputs=[output])


def _tenant(headers: dict[str, str] | None) -> TenantId:
    """For whom KServe's client asks.

    Raises:
        InvalidRequest: the header is no tenant's name.
    """
    said = {name.lower(): value for name, value in (headers or {}).items()}.get("x-tenant-id")
    try:
        return _TENANT.validate_python(said) if said is not None else ANONYMOUS
    except ValidationError:
        error = FieldError(field="header.X-Tenant-ID", message="not a tenant's name")
        raise InvalidRequest("check: header.X-Tenant-ID", errors=(error,)) from None


def _rows(request: Any) -> list[Any]:
    if any(tensor.datatype != "BYTES" for tensor in request.inputs):
        raise InvalidRequest("check: inputs; every tensor must have datatype BYTES")
    return [_json(row) for tensor in request.inputs for row in tensor.data]


def _json(row: Any) -> Any:
    try:
        return json.loads(row)
    except (ValueError, TypeError):
        raise InvalidRequest("each element of the BYTES tensor must be one finding as JSON") from None


def _field_errors(error: ValidationError, name: str) -> tuple[FieldError, ...]:
    fields = own_fields(error, lambda part: part == "items")
    return tuple(
        FieldError(field=name + field.removeprefix("items"), message="missing or not valid") for field in fields
    )


class _JsonPlane(DataPlane):  # type: ignore[misc] # kserve is not typed
    """KServe's data plane without its binary tensors, whose decoder crashes on malformed lengths."""

    def metadata(self) -> dict[str, Any]:
        return dict(super().metadata()) | {"extensions": []}

    def decode_inference_request(self, body: Any, headers: Any, model_name: str) -> Any:
        if isinstance(body, bytes):
            raise InvalidInput("binary")
        return super().decode_inference_request(body, headers, model_name)


def add_kserve(app: FastAPI, mapper: Mapper) -> None:
    """Offer the mapper to KServe's clients on *app*; errors are problems and never quote the input."""
    repository = ModelRepository()
    repository.update(MapperModel(mapper))
    plane = _JsonPlane(model_registry=repository)
    v1, v2 = V1Endpoints(plane), V2Endpoints(plane)
    served: tuple[tuple[str, str, Callable[..., Any]], ...] = (
        ("GET", "/v1/models", v1.models),
        ("GET", "/v1/models/{model_name}", v1.model_ready),
        ("POST", PREDICT, v1.predict),
        ("GET", "/v2", v2.metadata),
        ("GET", "/v2/health/live", v2.live),
        ("GET", "/v2/health/ready", v2.ready),
        ("GET", "/v2/models", v2.models),
        ("GET", "/v2/models/{model_name}", v2.model_metadata),
        ("GET", "/v2/models/{model_name}/ready", v2.model_ready),
        ("POST", "/v2/models/{model_name}/infer", v2.infer),
    )
    for method, path, endpoint in served:
        app.add_api_route(
            path, endpoint, methods=[method], tags=["kserve"], response_model=None, openapi_extra=_BODIES.get(path)
        )

    def translate(error: type[Exception], make: Callable[[], Problem]) -> None:
        async def handler(_: Request, __: Exception) -> Response:
            return problem_response(make())

        app.add_exception_handler(error, handler)

    translate(ModelNotFound, lambda: NotFound(f"the only model here is {MODEL_NAME}"))
    translate(ModelNotReady, lambda: Unavailable("not ready", retry_after_seconds=1))
    translate(InvalidInput, lambda: InvalidRequest("this is not a KServe predict request in JSON"))
    translate(InferenceError, lambda: InvalidRequest("the request cannot be predicted"))
    translate(NotImplementedError, lambda: InvalidRequest("check: query.model_version; the mapper has only one"))
