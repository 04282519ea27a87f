from typing import Annotated, Any

from fastapi import FastAPI, Header

from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.documents import attribute
from llama_mapper.chassis.events import add_consumer
from llama_mapper.contracts.events import EvaluationCompleted, EventContext


async def nothing(context: EventContext, event: EvaluationCompleted) -> None:
    return None


def app() -> FastAPI:
    made = create_app("a-service", "1")
    add_consumer(made, {EvaluationCompleted: nothing}, "/events")

    @made.get("/api/v1/things")
    async def things(limit: int | None = None, kind: Annotated[int | bool | None, Header()] = None) -> int:
        return 1

    return made


def parameters(path: str, method: str) -> dict[str, Any]:
    listed = app().openapi()["paths"][path][method]["parameters"]
    return {parameter["name"]: parameter for parameter in listed}


def test_an_events_attributes_are_headers_and_its_data_is_the_body() -> None:
    said = parameters("/events", "post")
    assert {name for name, one in said.items() if one["required"]} == {
        "ce-id", "ce-source", "ce-type", "ce-tenantid", "ce-specversion"
    }  # fmt: skip
    assert said["ce-type"]["schema"]["enum"] == [EvaluationCompleted.type]
    document = app().openapi()
    body = document["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"anyOf": [{"$ref": "#/components/schemas/event.EvaluationCompleted"}]}
    assert "evaluation_id" in document["components"]["schemas"]["event.EvaluationCompleted"]["required"]


def test_a_mapping_says_that_other_keys_are_refused() -> None:
    event = app().openapi()["components"]["schemas"]["event.EvaluationCompleted"]
    assert event["properties"]["metrics"]["additionalProperties"] is False


def test_a_parameter_is_never_null() -> None:
    said = parameters("/api/v1/things", "get")
    assert said["limit"]["schema"]["type"] == "integer"
    assert said["kind"]["schema"]["anyOf"] == [{"type": "integer"}, {"type": "boolean"}]


def test_an_attribute_is_a_header_of_its_name() -> None:
    header = {"name": "ce-type", "in": "header", "required": True, "schema": {"const": "a"}}
    assert attribute("type", {"const": "a"}) == header
