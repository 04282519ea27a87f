"""CloudEvents 1.0 over HTTP, in binary, structured and batch mode, with near misses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.contracts.problems import InvalidRequest
from llama_mapper.local.cloud_events import Event, parse, parse_one

REQUIRED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def binary(changes: dict[str, str | None] | None = None) -> dict[str, str]:
    attributes = {**REQUIRED, **(changes or {})}
    return {f"ce-{name}": value for name, value in attributes.items() if value is not None}


def structured(changes: dict[str, Any] | None = None) -> Event:
    body = json.dumps({**REQUIRED, **(changes or {})}).encode()
    return parse_one({"content-type": "application/cloudevents+json; charset=utf-8"}, body)


def test_binary_mode_takes_attributes_from_headers_and_data_from_the_body() -> None:
    event = parse_one({**binary({"tenantid": "demo"}), "content-type": "text/plain", "x-other": "no"}, b"\xff")
    assert event == Event({**REQUIRED, "tenantid": "demo", "datacontenttype": "text/plain"}, b"\xff")


def test_binary_mode_decodes_percent_encoding_and_headers_encode_it() -> None:
    event = parse_one(binary({"subject": "Gr%C3%BC%C3%9Fe 100%25"}), b"")
    assert event.attributes["subject"] == "Grüße 100%"
    assert event.headers()["ce-subject"] == "Gr%C3%BC%C3%9Fe%20100%25"


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1))
def test_an_attribute_comes_through_headers_unchanged(value: str) -> None:
    event = Event({**REQUIRED, "subject": value}, b"")
    assert parse_one(event.headers(), b"") == event


@pytest.mark.parametrize(
    ("members", "data", "content_type"),
    [
        ({"data": {"a": [1, "ü"]}}, '{"a":[1,"ü"]}'.encode(), "application/json"),
        ({"data": "text", "datacontenttype": "text/plain"}, b"text", "text/plain"),
        ({"data": "text"}, b'"text"', "application/json"),
        ({"data": "text", "datacontenttype": "application/vnd.x+json"}, b'"text"', "application/vnd.x+json"),
        ({"data_base64": "/w==", "datacontenttype": "image/png"}, b"\xff", "image/png"),
        ({"data_base64": "/w=="}, b"\xff", None),
        ({}, b"", None),
        ({"data": None}, b"", None),
    ],
)
def test_structured_mode_becomes_bytes(members: dict[str, Any], data: bytes, content_type: str | None) -> None:
    event = structured(members)
    assert (event.data, event.attributes.get("datacontenttype")) == (data, content_type)


def test_structured_attributes_have_a_canonical_text() -> None:
    attributes = structured({"urgent": True, "attempt": 3, "subject": None}).attributes
    assert attributes == {**REQUIRED, "urgent": "true", "attempt": "3"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"source": None}, "source"),
        ({"source": "a b"}, "source"),
        ({"type": None}, "type"),
        ({"specversion": None}, "specversion"),
        ({"specversion": "0.3"}, "specversion"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-11-20T08:30:00"}, "time"),
        ({"subject": "a%0d%0ab"}, "subject"),
        ({"tenant-id": "demo"}, "(extension)"),
        ({"data": "x"}, "data"),
    ],
)
def test_a_faulty_binary_event_is_refused_by_name(changes: dict[str, str | None], field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_one(binary(changes), b"")
    assert [error.field for error in raised.value.errors] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": 0.5}, "id"),
        ({"type": ["t"]}, "type"),
        ({"tenantid": {"a": 1}}, "(extension)"),
        ({"tenantID": "demo"}, "(extension)"),
        ({"data": 1, "data_base64": "/w=="}, "data"),
        ({"data_base64": "no!"}, "data_base64"),
        ({"data_base64": 7}, "data_base64"),
    ],
)
def test_a_faulty_structured_event_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        structured(changes)
    assert field in [error.field for error in raised.value.errors]


def test_every_fault_is_named_at_once_and_no_value_is() -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_one(binary({"id": None, "time": "canary", "x-canary": "canary"}), b"canary")
    assert [error.field for error in raised.value.errors] == ["(extension)", "id", "time"]
    assert "canary" not in raised.value.document("correlation").model_dump_json()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/cloudevents+json", b"[]"),
        ("application/cloudevents+json", b"not json"),
        ("application/cloudevents+xml", b"<event/>"),
        ("application/cloudevents-batch+json", b"{}"),
        ("application/json", b"{}"),
        ("", b""),
    ],
)
def test_what_is_no_event_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse({"content-type": content_type}, body)


def test_a_batch_is_several_events() -> None:
    body = json.dumps([{**REQUIRED, "id": str(number)} for number in range(3)]).encode()
    events = parse({"content-type": "application/cloudevents-batch+json"}, body)
    assert [event.attributes["id"] for event in events] == ["0", "1", "2"]


def test_a_batch_with_one_fault_is_refused_with_its_place() -> None:
    body = json.dumps([REQUIRED, {**REQUIRED, "id": ""}]).encode()
    with pytest.raises(InvalidRequest) as raised:
        parse({"content-type": "application/cloudevents-batch+json"}, body)
    assert [error.field for error in raised.value.errors] == ["1.id"]
