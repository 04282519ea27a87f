"""CloudEvents 1.0 over HTTP, in binary, structured and batch mode, with near misses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

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
        ({"data": None}, b"null", "application/json"),
        ({"data": None, "datacontenttype": "text/plain"}, b"", "text/plain"),
        ({"data": None, "data_base64": "/w=="}, b"\xff", None),
        (
            {"data": {"a": 1}, "datacontenttype": "application/json; charset=utf-8"},
            b'{"a":1}',
            "application/json; charset=utf-8",
        ),
        ({"data_base64": None}, b"", None),
    ],
)
def test_structured_mode_becomes_bytes(members: dict[str, Any], data: bytes, content_type: str | None) -> None:
    event = structured(members)
    assert (event.data, event.attributes.get("datacontenttype")) == (data, content_type)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("Euro%20%e2%82%ac", "Euro €"),
        ("%61%62", "ab"),
        ("100%2525", "100%25"),
        ("100%", "100%"),
        ('"two words"', "two words"),
        (r'"a \"quoted\" \\ word"', r'a "quoted" \ word'),
        ('"%C3%BC b"', "ü b"),
        ('"', '"'),
        ("a b", "a b"),
    ],
)
def test_a_headers_value_is_unquoted_and_then_decoded_once(value: str, expected: str) -> None:
    assert parse_one(binary({"subject": value}), b"").attributes["subject"] == expected


@pytest.mark.parametrize("value", ["%C0%A0", "%ff", "%ED%A0%80", "%E2%82", "Grüße", "a%00b"])
def test_a_headers_value_that_is_not_utf8_or_has_control_characters_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_one(binary({"subject": value}), b"")
    assert [error.field for error in raised.value.errors] == ["subject"]


def test_an_attribute_that_is_given_twice_is_refused() -> None:
    headers = Headers(raw=[(name.encode(), value.encode()) for name, value in [*binary().items(), ("CE-ID", "2")]])
    with pytest.raises(InvalidRequest) as raised:
        parse_one(headers, b"")
    assert [error.field for error in raised.value.errors] == ["id"]


def test_content_type_alone_says_what_the_data_of_a_binary_event_are() -> None:
    event = parse_one({**binary({"datacontenttype": "text/css"}), "content-type": "text/plain; a=b"}, b"x")
    assert event.attributes["datacontenttype"] == "text/plain; a=b"


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
        ({"subject": ""}, "subject"),
        ({"dataschema": "/relative"}, "dataschema"),
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
        ({"attempt": 2**31}, "(extension)"),
        ({"attempt": 1.0}, "(extension)"),
        ({"subject": True}, "subject"),
        ({"data": {"a": 1}, "datacontenttype": "text/plain"}, "data"),
        ({"data": "\ud800", "datacontenttype": "text/plain"}, "data"),
        ({"data": float("nan")}, "data"),
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
