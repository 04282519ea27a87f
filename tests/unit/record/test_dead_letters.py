import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from functions.record.dead_letters import attributes, dead_letter
from llama_mapper.contracts.problems import Problem, Unprocessable
from tests.unit.record.samples import NOW

PROBLEM = Unprocessable("event data not valid: findings").document("corr-00000001").model_dump_json()
LETTER = {
    "id": "report-1",
    "source": "/vendors/acme",
    "type": "io.llama-mapper.finding.reported.v1",
    "tenantid": "demo",
    "correlationid": "corr-00000001",
    "time": "2026-11-20T08:30:00Z",
    "knativeerrordest": "http://mapper.default.svc.cluster.local/events",
    "knativeerrorcode": "422",
    "knativeerrordata": PROBLEM,
}


def test_letter_says_which_event_failed_where_and_why() -> None:
    row = dead_letter(LETTER, NOW)
    assert (row.tenant_id, row.event_id, row.event_source, row.status, row.error_code) == (
        "demo",
        "report-1",
        "/vendors/acme",
        422,
        "UNPROCESSABLE",
    )
    assert row.destination == "http://mapper.default.svc.cluster.local/events"
    assert row.occurred_at == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (PROBLEM, "UNPROCESSABLE"),
        (PROBLEM[: PROBLEM.index('"retryable"')], "UNPROCESSABLE"),
        (base64.b64encode(PROBLEM.encode()).decode(), "UNPROCESSABLE"),
        (Problem("x").document("corr-00000001").model_dump_json(), "INTERNAL_ERROR"),
        ('{"error_code":"NO_SUCH_CODE"}', None),
        ('{"error":"boom"}', None),
        ("upstream connect error", None),
        ("abcde", None),
        ("", None),
    ],
)
def test_error_code_is_found_in_the_answer(answer: str, code: str | None) -> None:
    assert dead_letter(LETTER | {"knativeerrordata": answer}, NOW).error_code == code


@pytest.mark.parametrize(
    ("attribute", "value", "column", "kept"),
    [
        ("tenantid", "Not A Tenant", "tenant_id", ""),
        ("tenantid", "", "tenant_id", ""),
        ("type", "call me at 555 0100", "event_type", "unreadable"),
        ("type", "com.example.Other", "event_type", "com.example.Other"),
        ("knativeerrordest", "http://host/?q=jones@example.org", "destination", ""),
        ("knativeerrorcode", "abc", "status", 0),
        ("knativeerrorcode", "-1", "status", 0),
        ("correlationid", "a b", "correlation_id", None),
        ("time", "yesterday", "occurred_at", NOW),
        ("time", str(NOW + timedelta(days=1)), "occurred_at", NOW),
    ],
)
def test_attribute_that_does_not_fit_is_left_out(attribute: str, value: str, column: str, kept: object) -> None:
    assert getattr(dead_letter(LETTER | {attribute: value}, NOW), column) == kept


@pytest.mark.parametrize(("attribute", "column"), [("id", "event_id"), ("source", "event_source")])
def test_identity_that_does_not_fit_is_hashed(attribute: str, column: str) -> None:
    first, same, other = (
        getattr(dead_letter(LETTER | {attribute: value}, NOW), column)
        for value in ("jones@example.org?", "jones@example.org?", "smith@example.org?")
    )
    assert first == same != other
    assert first.startswith("sha256:")


def test_only_the_three_attributes_of_every_event_are_needed() -> None:
    row = dead_letter({"id": "1", "source": "/s", "type": "t"}, NOW)
    assert (row.tenant_id, row.destination, row.status, row.error_code) == ("", "", 0, None)


def test_binary_mode_attributes_are_percent_decoded() -> None:
    headers = {f"ce-{name}": quote(value) for name, value in LETTER.items()} | {"content-type": "application/json"}
    assert attributes(headers, b"") == LETTER


def test_structured_mode_attributes_come_from_the_body_without_its_data() -> None:
    body = json.dumps(LETTER | {"data": {"note": "secret"}, "knativeerrorcode": 422}).encode()
    assert attributes({"content-type": "application/cloudevents+json"}, body) == LETTER


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"ce-id": "1", "ce-source": "/s"}, b""),
        ({"ce-id": "", "ce-source": "/s", "ce-type": "t"}, b""),
        ({"content-type": "application/cloudevents+json"}, b"[]"),
        ({"content-type": "application/cloudevents+json"}, b'{"id": "1"}'),
    ],
)
def test_what_is_no_event_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Unprocessable, match="id, source and type"):
        attributes(headers, body)
