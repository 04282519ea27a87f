"""The events' schemas are fresh, and the sample events are valid by schema and by model."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llama_mapper.contracts import schemas
from llama_mapper.contracts.events import EVENTS, EventContext

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "eventing" / "schemas"
SAMPLES = sorted((Path(__file__).parent / "events").glob("*.json"))
BY_TYPE = {event.type: event for event in EVENTS}


def sample(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return event


def test_committed_schemas_are_those_of_the_models() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.json")}
    assert committed == {name: schemas.render(schema) for name, schema in schemas.schemas().items()}


def test_write_makes_a_file_for_each_event_and_removes_those_of_no_event(tmp_path: Path) -> None:
    stale = tmp_path / "io.llama-mapper.finding.forgotten.v1.json"
    stale.write_text("{}")
    foreign = tmp_path / "README.json"
    foreign.write_text("{}")
    written = schemas.write(tmp_path)
    assert [path.name for path in written] == sorted(f"{event.type}.json" for event in EVENTS)
    assert set(tmp_path.iterdir()) == {*written, foreign}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_schema_names_its_event_and_is_a_schema(event: Any) -> None:
    schema = schemas.schema_of(event)
    Draft202012Validator.check_schema(schema)
    assert (schema["x-event-type"], schema["title"]) == (event.type, event.__name__)
    assert event.type.endswith(schema["$id"].removeprefix("urn:llama-mapper:event:"))


@pytest.mark.parametrize("path", sorted(COMMITTED.glob("*.json")), ids=lambda path: path.stem)
def test_a_bound_is_said_in_words_of_json_schema(path: Path) -> None:
    assert not [word for word in ("ge", "gt", "le", "lt") if f'"{word}":' in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_type_has_two_samples(event: Any) -> None:
    assert len([path for path in SAMPLES if sample(path)["type"] == event.type]) == 2


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid_by_schema_and_by_model(path: Path) -> None:
    event = sample(path)
    model = BY_TYPE[event["type"]]
    Draft202012Validator(schemas.schema_of(model)).validate(event["data"])
    model.model_validate_json(json.dumps(event["data"]))
    EventContext.model_validate(event)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_a_model_writes_is_valid_by_its_schema(path: Path) -> None:
    event = sample(path)
    model = BY_TYPE[event["type"]]
    written = model.model_validate(event["data"]).model_dump(mode="json", exclude_none=True)
    Draft202012Validator(schemas.schema_of(model)).validate(written)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_without_a_required_field_is_not_valid(path: Path) -> None:
    event = sample(path)
    schema = schemas.schema_of(BY_TYPE[event["type"]])
    for name in schema["required"]:
        without = {key: value for key, value in event["data"].items() if key != name}
        assert not Draft202012Validator(schema).is_valid(without)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_no_event_has_room_for_content(event: Any) -> None:
    """Every text in an event is bounded by a pattern, a choice or a length far below a document's."""
    schema = schemas.schema_of(event)
    texts = [node for node in _nodes(schema) if node.get("type") == "string"]
    assert texts
    for node in texts:
        assert {"pattern", "enum", "const", "format"} & set(node) or node.get("maxLength", 10_000) <= 300


def _nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        return [node, *(inner for value in node.values() for inner in _nodes(value))]
    return [inner for value in node for inner in _nodes(value)] if isinstance(node, list) else []
