"""A service's OpenAPI document: FastAPI's, with problems in their shape and with the events that it cannot see."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from llama_mapper.contracts.events import EventContext, EventData

_EVENTS = "#/components/schemas/event.{model}"
Document = dict[str, Any]


def openapi(app: FastAPI, events: Iterable[type[EventData]] = ()) -> Document:
    """FastAPI's document, without the 422 shape that this application never sends, and with the data of *events*."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _, data = models_json_schema([(model, "validation") for model in events], ref_template=_EVENTS)
    schemas.update({f"event.{name}": schema for name, schema in data.get("$defs", {}).items()})
    _close(document)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
            for status, answer in operation.get("responses", {}).items():
                if status.isdigit() and int(status) >= 400 and not _own(answer):
                    answer["content"] = {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
                    }
    return document


def _close(part: Any) -> None:
    """Say of every mapping that a key of another pattern is refused: pydantic does so, and does not say it."""
    if isinstance(part, dict):
        if "patternProperties" in part:
            part.setdefault("additionalProperties", False)
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            _close(inner)


def _own(answer: Document) -> bool:
    """Whether a resource has errors in a shape of its own (another vendor's API)."""
    schema = str(answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", ""))
    return bool(schema) and not schema.endswith(("/ProblemDocument", "/HTTPValidationError"))


def event_request(models: Sequence[type[EventData]]) -> Document:
    """What a resource takes that takes one of *models*, in binary mode: attributes are headers, the data the body."""
    attributes = EventContext.model_json_schema()
    types = {"enum": sorted(model.type for model in models)}
    properties: Document = attributes["properties"] | {"type": types, "specversion": {"const": "1.0"}}
    properties.pop("traceparent")  # the tracing extension's, which every service on the way passes on
    required = {*attributes["required"], "specversion"}
    data = {"anyOf": [{"$ref": _EVENTS.format(model=model.__name__)} for model in models]}
    return {
        "parameters": [attribute(name, schema, name in required) for name, schema in properties.items()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": data}}},
    }


def attribute(name: str, schema: Document, required: bool = True) -> Document:
    """One attribute of an event as the header that carries it."""
    return {"name": f"ce-{name}", "in": "header", "required": required, "schema": _without_null(schema)}


def _without_null(schema: Document) -> Document:
    """The schema of a parameter, which is there or not, and never null."""
    said = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return said | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
