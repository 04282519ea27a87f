"""Jobs as orchestrate serves them: over HTTP, on a real Valkey."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer
from llama_mapper.client import AsyncLlamaMapper, ProblemError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import NewApiKey, Scope
from llama_mapper.contracts.jobs import Job, JobList
from llama_mapper.contracts.orchestration import OrchestrateResponse
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from tests.fakes.functions import serving
from tests.fakes.jobs import KEYSET, held_by, order, store
from tests.fakes.services import BROKER, Services, running
from tests.fakes.subscriber import Answer, listening, saying

PATH = "/api/v1/jobs"
DEMO_ID = TenantId("demo")
DEMO = {"X-Tenant-ID": "demo"}
WORDS = {"content": "canary-4711: write to someone@example.org", "detector_types": ["words"]}
PEPPER = "p" * 32


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        yield started


@pytest.fixture
async def client(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("DETECT", "MAPPER", "ANALYZE"):
        monkeypatch.setenv(f"ORCHESTRATION_{name}_URL", services.url)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    monkeypatch.setenv("ORCHESTRATION_REDIS_URL", url)
    monkeypatch.setenv("ORCHESTRATION_KEYSET", KEYSET)
    monkeypatch.setenv("ORCHESTRATION_PEPPER", PEPPER)
    monkeypatch.setenv("ORCHESTRATION_CALLBACK_LOOPBACK", "true")
    async with serving("orchestrate") as (client, _):
        yield client


def mapper(client: httpx.AsyncClient, tenant: str = "demo") -> AsyncLlamaMapper:
    return AsyncLlamaMapper("http://orchestrate", tenant=tenant, transport=client._transport)


@pytest.mark.parametrize("door", ["jobs", "orchestrate"])
async def test_a_content_is_submitted_waited_for_and_its_result_fetched(
    client: httpx.AsyncClient, services: Services, door: str
) -> None:
    body = WORDS | ({"processing_mode": "async"} if door == "orchestrate" else {})
    accepted = await client.post(f"/api/v1/{door}", json=body, headers=DEMO | {"X-Correlation-ID": "correlation-1"})
    assert accepted.status_code == 202, accepted.text
    job = Job.model_validate_json(accepted.content)
    assert accepted.headers["location"] == f"{PATH}/{job.id}"
    assert accepted.headers["retry-after"] == "1"
    async with mapper(client) as asking:
        ended = await asking.wait(job.id)
    assert ended.status == "succeeded"
    answer = OrchestrateResponse.model_validate_json((await client.get(ended.result or "", headers=DEMO)).content)
    assert [found.label for found in answer.findings] == ["PII.Contact.Email"]
    (event,) = services.came(BROKER)
    assert {event.id, str(answer.request_id)} == {str(job.id)}
    assert event.headers["ce-correlationid"] == "correlation-1"
    assert "canary" not in event.body.decode() + accepted.text


async def test_the_same_idempotency_key_is_the_same_job(client: httpx.AsyncClient, redis: Redis) -> None:
    headers = DEMO | {"Idempotency-Key": "order-1"}
    first, again = [await client.post(PATH, json=WORDS, headers=headers) for _ in range(2)]
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert (first.json()["id"], first.headers["location"]) == (again.json()["id"], again.headers["location"])
    assert len((await client.get(PATH, headers=DEMO)).json()["jobs"]) == 1
    other = await client.post(PATH, json=WORDS | {"content": "x"}, headers=headers)
    assert other.status_code == 422


async def test_jobs_are_listed_page_by_page(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await client.post(PATH, json=WORDS, headers=DEMO)
    first = JobList.model_validate_json((await client.get(PATH, params={"limit": 2}, headers=DEMO)).content)
    cursor = {"limit": 2, "cursor": first.next_cursor}
    rest = JobList.model_validate_json((await client.get(PATH, params=cursor, headers=DEMO)).content)
    assert (len(first.jobs), len(rest.jobs), rest.next_cursor) == (2, 1, None)


async def test_a_job_that_has_ended_is_not_cancelled_and_one_that_is_not_there_is_404(
    client: httpx.AsyncClient,
) -> None:
    async with mapper(client) as asking:
        job = await asking.submit(WORDS["content"] if isinstance(WORDS["content"], str) else "")
        await asking.wait(job.id)
        with pytest.raises(ProblemError) as refused:
            await asking.cancel(job.id)
        assert refused.value.status == 409
        with pytest.raises(ProblemError) as missing:
            await asking.job("job-which-is-not-there")
        assert missing.value.status == 404


async def test_another_tenants_job_is_404_whatever_is_asked_of_it(client: httpx.AsyncClient, redis: Redis) -> None:
    job = await store(redis).submit(order(TenantId("other")))
    for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        response = await client.request(method, f"{PATH}/{job.id}{path}", headers=DEMO)
        assert response.status_code == 404, path
    assert (await client.post(f"/api/v1/webhooks/dead/{job.id}/replay", headers=DEMO)).status_code == 404


@pytest.mark.parametrize(
    "address", ["http://example.org/", "https://10.0.0.1/", "https://example.org:22/", "canary", "x" * 513]
)
async def test_a_callback_that_may_not_be_called_is_named_and_not_quoted(
    client: httpx.AsyncClient, address: str
) -> None:
    response = await client.post(PATH, json=WORDS, headers=DEMO | {"X-Callback-URL": address})
    assert response.status_code == 400
    assert [one["field"] for one in response.json()["errors"]] == ["header.X-Callback-URL"]
    assert address not in response.text


async def test_the_callback_tells_of_the_job_and_never_of_what_was_found(client: httpx.AsyncClient) -> None:
    async with listening(saying(Answer(204))) as receiver:
        await client.post(PATH, json=WORDS, headers=DEMO | {"X-Callback-URL": receiver.url + "/done"})
        received = await receiver.next()
    document = json.loads(received.body)
    assert set(document) == set(Job.model_fields)
    assert "EMAIL" not in received.body.decode().upper()
    assert document["status"] == "succeeded"


async def test_the_secret_is_for_administrators(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/webhooks/secret", headers=DEMO)).status_code == 401
    assert (await client.post("/api/v1/webhooks/secret", headers=DEMO)).status_code == 401


async def test_an_administrator_sees_the_secret_and_rotates_it_and_the_log_says_so(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    scopes: tuple[Scope, ...] = ("keys:write", "audit:read")
    keys = Keys(RedisKeys(redis), PEPPER.encode())
    made, presented = await keys.create(DEMO_ID, NewApiKey(name="admin", scopes=scopes), datetime.now(UTC))
    uri = await OneTimeCodes(RedisCodes(redis), Sealer(KEYSET)).enrol(made.id, DEMO_ID)
    totp = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
    headers = {"X-API-Key": presented}
    path = "/api/v1/webhooks/secret"
    assert (await client.get(path, headers=headers)).status_code == 403, "a second factor is needed"
    shown = await client.get(path, headers=headers | {"X-One-Time-Code": totp.now()})
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    later = totp.at(datetime.now(UTC) + timedelta(seconds=30))
    rotated = await client.post(path, headers=headers | {"X-One-Time-Code": later})
    assert rotated.status_code == 201
    assert rotated.json()["previous"] == shown.json()["secret"] != rotated.json()["secret"]
    acts = (await client.get("/api/v1/audit", headers=headers)).json()["records"]
    assert [one["entry"]["act"] for one in acts] == ["webhook.secret_shown", "webhook.secret_rotated"]
    assert "whsec_" not in json.dumps(acts)


async def test_nothing_of_the_content_is_left_in_the_store(client: httpx.AsyncClient, redis: Redis) -> None:
    async with mapper(client) as asking:
        job = await asking.submit(str(WORDS["content"]), detector_types=["words"])
        await asking.wait(job.id)
    held = await held_by(redis)
    assert job.id in held
    assert "canary" not in held
    assert "someone" not in held


async def test_without_a_store_jobs_say_what_they_need(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATION_DETECT_URL", services.url)
    async with serving("orchestrate") as (client, _):
        asked: list[tuple[str, str, Any]] = [
            ("POST", PATH, WORDS),
            ("POST", "/api/v1/orchestrate", WORDS | {"processing_mode": "async"}),
            ("GET", PATH, None),
            ("GET", f"{PATH}/job-00000001", None),
            ("DELETE", f"{PATH}/job-00000001", None),
        ]
        for method, path, body in asked:
            response = await client.request(method, path, json=body, headers=DEMO)
            assert response.status_code == 503, path
            assert "ORCHESTRATION_KEYSET" in response.json()["detail"]
