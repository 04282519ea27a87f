"""Patterns through record on the real engine (chdb), over HTTP from end to end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from purgatory import AsyncCircuitBreakerFactory

from functions.analyze.patterns.api import add_patterns
from functions.analyze.patterns.counted import Counted
from functions.record.adapters import ClickHouse
from functions.record.rows import FindingRow, RequestRow, stamp
from functions.record.server import create_server
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.calls import ServiceClient
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.patterns import PatternsResponse
from llama_mapper.contracts.series import EVIDENCE_QUERIES
from tests.unit.record import samples

pytest.importorskip("chdb", reason="the embedded engine is not installed")

START = datetime.fromisoformat("2026-11-02T00:00:00+00:00")
BASELINE, HOURS, EACH = 28 * 24, 35 * 24, 6
BURST = range(BASELINE + 80, BASELINE + 86)
"""Every request has an e-mail address, one in six has one otherwise; another tenant has none of that."""
BODY: dict[str, Any] = {"period": {"start": "2026-11-02T00:00:00Z", "end": "2026-11-09T00:00:00Z"}}
EMAIL, PHONE = "PII.Contact.Email", "PII.Contact.Phone"


def rows(tenant: str, *, burst: bool) -> Iterator[tuple[RequestRow, list[FindingRow]]]:
    context, event = samples.findings()
    mine = context.model_copy(update={"tenantid": TenantId(tenant)})
    shared = stamp(mine, event.request_id, samples.CORRELATION, START)
    request, finding = RequestRow.of(event, shared), next(FindingRow.all_of(event, shared))
    for n in range(HOURS * EACH):
        hour = n // EACH
        at = {
            "request_id": f"request-{n:06d}",
            "occurred_at": START + timedelta(hours=hour - BASELINE, minutes=n % EACH * 9),
        }
        # A spread that no clock has: the labels meet in one of thirty-six, as by chance.
        email = n * 7 % 11 % 6 == 0 or (burst and hour in BURST)
        labels = [label for label, there in ((EMAIL, email), (PHONE, n * 5 % 13 % 6 == 0)) if there]
        made = [finding.model_copy(update=at | {"label": label, "position": i}) for i, label in enumerate(labels)]
        yield request.model_copy(update=at | {"labels": tuple(labels)}), made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    store = ClickHouse(f"chdb://{tmp_path_factory.mktemp('rows')}/rows", retention_days=3650)

    async def fill() -> None:
        for tenant in ("demo", "calm"):
            made = list(rows(tenant, burst=tenant == "demo"))
            await store.append([request for request, _ in made])
            await store.append([one for _, findings in made for one in findings])

    asyncio.run(fill())
    yield store
    store.close()


@pytest.fixture
async def client(store: ClickHouse) -> AsyncIterator[httpx.AsyncClient]:
    record = create_server(store, max_bytes=65_536, log_level="ERROR")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(record)) as inner:
        service = ServiceClient("record", "http://record", inner, AsyncCircuitBreakerFactory())
        transport = httpx.ASGITransport(analyze(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://analyze") as client:
            yield client


def analyze(service: ServiceClient) -> FastAPI:
    app = create_app("analyze", "0", log_level="ERROR")
    add_patterns(app, Counted(service, 20.0))
    return app


async def found(client: httpx.AsyncClient, tenant: str, **body: Any) -> PatternsResponse:
    answer = await client.post("/api/v1/patterns", json=BODY | body, headers={"X-Tenant-ID": tenant})
    assert answer.status_code == 200, answer.text
    return PatternsResponse.model_validate_json(answer.content)


async def test_a_burst_in_the_rows_is_found_with_its_evidence(client: httpx.AsyncClient) -> None:
    told = await found(client, "demo", kinds=["temporal"])
    (burst,) = [one for one in told.patterns if one.effect == "burst-rate-ratio"]
    assert (burst.labels, burst.detectors) == ((EMAIL,), ("presidio",))
    assert burst.period.start == START + timedelta(hours=80)
    assert burst.evidence_query in EVIDENCE_QUERIES
    assert told.series_tested == 2


async def test_the_evidence_is_served_again_by_record(client: httpx.AsyncClient, store: ClickHouse) -> None:
    (burst,) = [one for one in (await found(client, "demo")).patterns if one.effect == "burst-rate-ratio"]
    asked = {
        "query": burst.evidence_query,
        "from": burst.period.start.isoformat(),
        "to": burst.period.end.isoformat(),
        "label": burst.labels[0],
        "detector": burst.detectors[0],
    }
    record = httpx.ASGITransport(create_server(store, max_bytes=65_536, log_level="ERROR"))
    async with httpx.AsyncClient(transport=record, base_url="http://record") as inner:
        answer = await inner.get("/api/v1/series", params=asked, headers={"X-Tenant-ID": "demo"})
    counted = sum(answer.json()["series"][0]["counts"])
    assert counted == len(BURST) * EACH
    assert f"{counted} requests" in burst.explanation


@pytest.mark.parametrize("tenant", ["calm", "nobody"])
async def test_another_tenant_is_told_nothing_of_it(client: httpx.AsyncClient, tenant: str) -> None:
    told = await found(client, tenant)
    assert [one for one in told.patterns if one.effect == "burst-rate-ratio"] == []
    assert (told.series_tested > 0) == (tenant == "calm")


async def test_labels_that_are_not_asked_for_are_not_looked_at(client: httpx.AsyncClient) -> None:
    told = await found(client, "demo", labels=[PHONE])
    assert {label for one in told.patterns for label in one.labels} <= {PHONE}


@pytest.mark.parametrize(
    ("body", "headers", "field"),
    [
        (BODY, {}, "header.X-Tenant-ID"),
        (BODY, {"X-Tenant-ID": "No Tenant"}, "header.X-Tenant-ID"),
        (
            {"period": {"start": "2026-09-01T00:00:00Z", "end": "2026-11-09T00:00:00Z"}},
            {"X-Tenant-ID": "demo"},
            "period",
        ),
        (
            {"period": {"start": "0001-01-01T00:00:00Z", "end": "0001-01-02T00:00:00Z"}},
            {"X-Tenant-ID": "demo"},
            "period",
        ),
        (BODY | {"tenant_id": "calm"}, {"X-Tenant-ID": "demo"}, "(unknown field)"),
    ],
)
async def test_what_cannot_be_counted_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], headers: dict[str, str], field: str
) -> None:
    answer = await client.post("/api/v1/patterns", json=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


async def test_without_record_there_is_no_answer() -> None:
    async with httpx.AsyncClient(trust_env=False) as inner:
        service = ServiceClient("record", "http://127.0.0.1:1", inner, AsyncCircuitBreakerFactory())
        transport = httpx.ASGITransport(analyze(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://analyze") as client:
            answer = await client.post("/api/v1/patterns", json=BODY, headers={"X-Tenant-ID": "demo"})
    assert (answer.status_code, answer.json()["error_code"]) == (503, "UNAVAILABLE")
