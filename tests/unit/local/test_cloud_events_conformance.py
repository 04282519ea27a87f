"""What the CloudEvents project's own conformance suite asks of a reader of JSON and of HTTP messages, case by case.

The cases are those of github.com/cloudevents/conformance (format/json, features/http-protocol-binding); the events
are ours.
"""

import json
from typing import Any

import pytest

from llama_mapper.contracts.problems import InvalidRequest
from llama_mapper.local.cloud_events import Event, parse

MINIMAL = {"specversion": "1.0", "id": "7", "type": "tried", "source": "https://example.org"}
FULL = {
    **MINIMAL,
    "datacontenttype": "text/plain",
    "dataschema": "https://example.org/schema",
    "subject": "tests",
    "time": "2026-11-20T08:30:00Z",
}
EXTENDED = {
    **MINIMAL,
    "whole": 10,
    "yes": True,
    "text": "text",
    "uri": "https://example.org",
    "reference": "//host/path",
    "moment": "2026-11-20T08:30:00Z",
    "bytes": "TWE=",
}


def read(body: Any, form: str = "") -> list[Event]:
    return parse({"content-type": f"application/cloudevents{form}+json"}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("members", "attributes"),
    [
        (MINIMAL, MINIMAL),
        (MINIMAL | dict.fromkeys(("datacontenttype", "dataschema", "subject", "time")), MINIMAL),
        (FULL, FULL),
        (EXTENDED, {**EXTENDED, "whole": "10", "yes": "true"}),
        ({**MINIMAL, "source": "#fragment"}, {**MINIMAL, "source": "#fragment"}),
        *(
            ({**MINIMAL, "time": time}, {**MINIMAL, "time": time})
            for time in (
                "2026-11-20T08:30:00Z",
                "2026-11-20t08:30:00z",
                "2026-11-20T08:30:00.000000000Z",
                "2026-11-20T09:30:00+01:00",
                "2026-11-20T07:30:00-01:00",
                "2016-12-31T23:59:60Z",
            )
        ),
    ],
)
def test_a_valid_event_is_read_as_it_stands(members: dict[str, Any], attributes: dict[str, str]) -> None:
    assert [event.attributes for event in read(members)] == [attributes]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("specversion", [None, "", "0.9", "1.1", 1.0]),
        ("id", [None, "", 25, {"a": "b"}]),
        ("type", [None, "", True]),
        ("source", [None, "", "two words"]),
        (
            "time",
            [
                "lunchtime",
                "",
                1,
                "2026-11-20",
                "2026-11-20T08:30Z",
                "2026-11-20 08:30:00Z",
                "20261120T083000Z",
                "2026-11-20T08:30:00",
                "2026-11-20T08:30:00X",
                "2026-11-20T08:30:00+25:00",
                "2026-11-20T08:30:00+xx:00",
                "2026-11-20T08:30:00+05",
                "2026-11-20T08:30:00+0500",
                "2026-13-20T08:30:00Z",
                "2026-11-20T24:30:00Z",
                "٢٠٢٦-11-20T08:30:00Z",
            ],
        ),
        ("datacontenttype", ["xyz", "", "/plain", "text/", "text/pl ain", "text/plain\u00fc", 1]),
        ("dataschema", ["", "schema", "//host/schema"]),
        ("subject", ["", 7]),
    ],
)
def test_an_attribute_of_the_wrong_form_is_refused_by_name(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InvalidRequest) as raised:
            read({**MINIMAL, field: value})
        assert [error.field for error in raised.value.errors] == [field], value


@pytest.mark.parametrize(
    "more", [{"MyExtension": "x"}, {"my.extension": "x"}, {"my_extension": "x"}, {"my.extension": 1.5}, {"": "x"}]
)
def test_an_extension_of_the_wrong_form_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        read({**MINIMAL, **more})


def test_data_in_both_forms_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        read({**MINIMAL, "data": "text", "data_base64": "eyAieHl6IjogMTIzIH0="})


@pytest.mark.parametrize("batch", [[], [MINIMAL], [MINIMAL, MINIMAL], [MINIMAL, FULL], [MINIMAL, EXTENDED]])
def test_a_valid_batch_is_read_in_its_order(batch: list[dict[str, Any]]) -> None:
    texts = {"whole": "10", "yes": "true"}
    assert [event.attributes for event in read(batch, "-batch")] == [
        {name: texts.get(name, value) for name, value in one.items()} for one in batch
    ]


@pytest.mark.parametrize(
    "batch", [[MINIMAL, {**MINIMAL, "specversion": "0.9"}], [{**MINIMAL, "id": None}], ["no object", MINIMAL], {}]
)
def test_a_batch_with_anything_invalid_is_refused(batch: Any) -> None:
    with pytest.raises(InvalidRequest):
        read(batch, "-batch")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_binary_message_has_the_attributes_of_its_headers(content_type: str) -> None:
    headers = {f"ce-{name}": value for name, value in MINIMAL.items()} | {"content-type": content_type}
    (event,) = parse(headers, b'{"a": 1}')
    assert event == Event({**MINIMAL, "datacontenttype": content_type}, b'{"a": 1}')


@pytest.mark.parametrize("parameters", ["", "; charset=utf-8", ";charset=UTF-8"])
@pytest.mark.parametrize("media_type", ["application/cloudevents+json", "APPLICATION/CloudEvents+JSON"])
def test_a_structured_message_is_known_by_its_media_type(media_type: str, parameters: str) -> None:
    body = json.dumps({**MINIMAL, "datacontenttype": "application/json", "data": {"a": 1}}).encode()
    (event,) = parse({"content-type": media_type + parameters}, body)
    assert event == Event({**MINIMAL, "datacontenttype": "application/json"}, b'{"a":1}')
