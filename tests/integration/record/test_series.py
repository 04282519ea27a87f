"""Counts over time on the real engine: whole buckets, one tenant, and bounds."""

from typing import Any, get_args

import httpx
import pytest

from llama_mapper.contracts.series import EVIDENCE_QUERIES, PairsAnswer, PairsQuery, SeriesAnswer, SeriesQuery
from tests.unit.record import samples

DEMO = {"X-Tenant-ID": "demo"}
DAY = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
BOTH = ["HARM.Speech.Defamation", "PII.Contact.Email"]


async def post(client: httpx.AsyncClient, name: str, **changed: Any) -> None:
    headers = {"Content-Type": "application/cloudevents+json"}
    answer = await client.post("/events", json=samples.event(name) | changed, headers=headers)
    assert answer.status_code == 204, answer.text


@pytest.fixture
async def kept(client: httpx.AsyncClient) -> httpx.AsyncClient:
    for name in ("findings.mapped.v1.orchestrate", "findings.mapped.v1.producer"):
        await post(client, name)
    return client


async def series(client: httpx.AsyncClient, tenant: str = "demo", **query: Any) -> SeriesAnswer:
    answer = await client.get("/api/v1/series", params=DAY | query, headers={"X-Tenant-ID": tenant})
    assert answer.status_code == 200, answer.text
    return SeriesAnswer.model_validate_json(answer.content)


async def test_requests_are_counted_by_hour_label_and_detector(kept: httpx.AsyncClient) -> None:
    told = await series(kept)
    assert told.buckets == len(told.requests) == 24
    assert told.requests[8] == sum(told.requests) == 2
    assert [(one.label, one.detector, one.at, one.counts) for one in told.series] == [
        ("HARM.Speech.Defamation", "llama-guard", (8,), (1,)),
        ("PII.Contact.Email", "presidio", (8,), (1,)),
    ]


@pytest.mark.parametrize("query", get_args(SeriesQuery))
@pytest.mark.parametrize("bucket", ["hour", "day"])
async def test_every_stored_query_answers(kept: httpx.AsyncClient, query: str, bucket: str) -> None:
    told = await series(kept, query=query, bucket=bucket)
    assert (told.query, told.bucket, told.left_out) == (query, bucket, 0)
    assert sum(sum(one.counts) for one in told.series) == 2
    assert all((one.label is None) == ("detector" in query) for one in told.series)


async def test_an_event_that_comes_twice_counts_once(kept: httpx.AsyncClient) -> None:
    await post(kept, "findings.mapped.v1.orchestrate")
    assert sum((await series(kept)).requests) == 2


async def test_what_the_limit_leaves_out_is_said(kept: httpx.AsyncClient) -> None:
    told = await series(kept, limit=1)
    assert (len(told.series), told.left_out) == (1, 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"label": "PII.Contact.Email"}, ["PII.Contact.Email"]),
        ({"label": BOTH}, BOTH),
        ({"detector": "llama-guard"}, ["HARM.Speech.Defamation"]),
        ({"label": "PII.Contact.Email", "detector": "llama-guard"}, []),
    ],
)
async def test_labels_and_detectors_narrow(kept: httpx.AsyncClient, query: dict[str, Any], found: list[str]) -> None:
    assert [one.label for one in (await series(kept, **query)).series] == found


async def test_another_tenant_counts_nothing(kept: httpx.AsyncClient) -> None:
    told = await series(kept, tenant="other")
    assert (sum(told.requests), told.series) == (0, ())
    answer = await kept.get("/api/v1/pairs", params=DAY | {"name": BOTH}, headers={"X-Tenant-ID": "other"})
    assert PairsAnswer.model_validate_json(answer.content).labels == ()


async def test_labels_that_meet_are_counted_once_a_request(client: httpx.AsyncClient) -> None:
    event = samples.event("findings.mapped.v1.orchestrate")
    other = event["data"]["findings"][0] | {"label": "PII.Contact.Phone"}
    await post(
        client, "findings.mapped.v1.orchestrate", data=event["data"] | {"findings": [*event["data"]["findings"], other]}
    )
    names = ["PII.Contact.Email", "PII.Contact.Phone", "PII.Person.Name"]
    answer = await client.get("/api/v1/pairs", params=DAY | {"name": names}, headers=DEMO)
    (met,) = PairsAnswer.model_validate_json(answer.content).labels
    assert (met.first, met.second, met.requests) == (names[0], names[1], 1)


@pytest.mark.parametrize("query", get_args(PairsQuery))
async def test_every_query_of_pairs_answers(kept: httpx.AsyncClient, query: str) -> None:
    params = DAY | {"query": query, "name": ["a", "b"]}
    assert (await kept.get("/api/v1/pairs", params=params, headers=DEMO)).json()["query"] == query


def test_the_closed_list_is_what_record_serves() -> None:
    assert {*get_args(SeriesQuery), *get_args(PairsQuery)} == EVIDENCE_QUERIES


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"to": "2026-11-19T00:00:00Z"}, "to"),
        ({"to": "2027-11-20T00:00:00Z"}, "to"),
        ({"from": "1970-01-01T00:00:00Z"}, "from"),
        ({"from": "2026-11-20T00:00:00"}, "from"),
        ({"bucket": "minute"}, "bucket"),
        ({"query": "SELECT 1"}, "query"),
        ({"label": "x' OR 1=1"}, "label"),
        ({"limit": "501"}, "limit"),
    ],
)
async def test_what_does_not_fit_is_refused(client: httpx.AsyncClient, query: dict[str, str], field: str) -> None:
    answer = await client.get("/api/v1/series", params=DAY | query, headers=DEMO)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, f"query.{field}")


async def test_one_name_is_no_pair(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/pairs", params=DAY | {"name": "PII"}, headers=DEMO)
    assert answer.status_code == 400
