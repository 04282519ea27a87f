"""The way in, over HTTP and on a real Valkey: who asks, for whom, may they, how often, and what is kept of it."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.contracts.audit import AuditRecord
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import SCOPES, NewApiKey, Scope
from llama_mapper.identity.audit import first_fault
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from tests.fakes.functions import serving
from tests.fakes.identity_provider import AUDIENCE, ISSUER, Provider
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer

DEMO, OTHER = TenantId("demo"), TenantId("other")
PEPPER, KEYSET = "p" * 32, new_keyset()
PATH = "/api/v1/orchestrate"
CANARY = "canary7f3@example.org"
WORDS = {"content": f"write to {CANARY}", "detector_types": ["words"]}
PROVIDER = Provider()


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        jwks = json.dumps({"keys": PROVIDER.documents}).encode()
        started.answers["/jwks"] = lambda _: Answer(200, JSON, jwks)
        yield started


@asynccontextmanager
async def door(
    services: Services, url: str, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[httpx.AsyncClient]:
    issuer = {"issuer": ISSUER, "jwks_url": f"{services.url}/jwks", "audience": AUDIENCE}
    given = {
        **{f"{name}_URL": services.url for name in ("DETECT", "MAPPER", "ANALYZE")},
        "REDIS_URL": url,
        "PEPPER": PEPPER,
        "KEYSET": KEYSET,
        "ISSUERS": json.dumps([issuer]),
        **settings,
    }
    for name, value in given.items():
        monkeypatch.setenv(f"ORCHESTRATION_{name}", value)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


@pytest.fixture
async def client(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    async with door(services, url, monkeypatch) as client:
        yield client


async def key(redis: Redis, *scopes: Scope, tenant_id: TenantId = DEMO) -> str:
    new = NewApiKey(name="of a test", scopes=scopes)
    return (await Keys(RedisKeys(redis), PEPPER.encode()).create(tenant_id, new, datetime.now(UTC)))[1]


async def phone(redis: Redis, presented: str) -> pyotp.TOTP:
    uri = await OneTimeCodes(RedisCodes(redis), Sealer(KEYSET)).enrol(presented.split("_")[1], DEMO)
    return pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.json()
    assert document["error_code"] == code
    assert CANARY not in response.text
    return document


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_a_key_needs_no_tenant_header(client: httpx.AsyncClient, redis: Redis, header: str) -> None:
    presented = await key(redis, "orchestrate:use")
    value = presented if header == "X-API-Key" else f"Bearer {presented}"
    answer = await client.post(PATH, json=WORDS, headers={header: value})
    assert (answer.status_code, answer.json()["tenant_id"]) == (200, "demo")


async def test_a_token_of_the_provider_lets_in_and_a_strangers_does_not(client: httpx.AsyncClient) -> None:
    good, changed = PROVIDER.sign(), PROVIDER.sign({"iss": "https://login.example.org/"})
    assert (await client.post(PATH, json=WORDS, headers={"Authorization": f"Bearer {good}"})).status_code == 200
    answer = await client.post(PATH, json=WORDS, headers={"Authorization": f"Bearer {changed}"})
    refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_wrong_key_is_refused_though_the_tenant_needs_none(client: httpx.AsyncClient) -> None:
    headers = {"X-API-Key": f"lmk_{'a' * 12}_{'A' * 43}", "X-Tenant-ID": "demo"}
    refused(await client.post(PATH, json=WORDS, headers=headers), 401, "UNAUTHORIZED")


async def test_the_header_adds_no_tenant_to_a_key(client: httpx.AsyncClient, redis: Redis) -> None:
    presented = await key(redis, "orchestrate:use", tenant_id=OTHER)
    headers = {"X-API-Key": presented, "X-Tenant-ID": "demo"}
    refused(await client.post(PATH, json=WORDS, headers=headers), 403, "INSUFFICIENT_RBAC")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", PATH, "jobs:use"),
        ("POST", f"{PATH}/batch", "jobs:use"),
        ("GET", "/api/v1/detectors", "orchestrate:use"),
        ("GET", "/api/v1/keys", "orchestrate:use"),
        ("POST", "/api/v1/keys", "keys:read"),
        ("POST", "/api/v1/keys/aaaaaaaaaaaa/rotation", "keys:read"),
        ("DELETE", "/api/v1/keys/aaaaaaaaaaaa", "keys:read"),
        ("POST", "/api/v1/keys/aaaaaaaaaaaa/one-time-codes", "keys:read"),
        ("GET", "/api/v1/audit", "keys:read"),
    ],
)
async def test_every_resource_needs_its_own_scope(
    client: httpx.AsyncClient, redis: Redis, method: str, path: str, scope: Scope
) -> None:
    body = {"items": [WORDS]} if path.endswith("batch") else WORDS if path == PATH else {"name": "n", "scopes": [scope]}
    headers = {"X-API-Key": await key(redis, scope)}
    answer = await client.request(method, path, json=body if method == "POST" else None, headers=headers)
    refused(answer, 403, "INSUFFICIENT_RBAC")


async def test_administering_needs_a_second_factor_and_is_noted(client: httpx.AsyncClient, redis: Redis) -> None:
    presented = await key(redis, *SCOPES)
    new, headers = {"name": "ci", "scopes": ["orchestrate:use"], "days": 7}, {"X-API-Key": presented}
    answer = await client.post("/api/v1/keys", json=new, headers=headers)
    refused(answer, 403, "INSUFFICIENT_RBAC")
    assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]
    code = {"X-One-Time-Code": (await phone(redis, presented)).now()}
    issued = await client.post("/api/v1/keys", json=new, headers=headers | code)
    assert issued.status_code == 201, issued.text
    made = issued.json()
    assert (await client.post(PATH, json=WORDS, headers={"X-API-Key": made["secret"]})).status_code == 200
    refused(await client.post("/api/v1/keys", json=new, headers=headers | code), 401, "UNAUTHORIZED")  # used before
    records = (await client.get("/api/v1/audit", headers=headers)).json()["records"]
    assert [(one["entry"]["act"], one["entry"]["target"]) for one in records] == [("key.created", made["key"]["id"])]
    assert first_fault([AuditRecord.model_validate(one) for one in records]) is None
    listed = (await client.get("/api/v1/keys", headers=headers)).json()["keys"]
    assert made["key"]["id"] in {one["id"] for one in listed}
    assert "secret" not in json.dumps(listed)


async def test_nobody_gets_by_a_key_what_they_do_not_hold(client: httpx.AsyncClient, redis: Redis) -> None:
    narrow, wide = await key(redis, "keys:write"), await key(redis, "orchestrate:use", "policies:write")
    headers = {"X-API-Key": narrow}
    totp = await phone(redis, narrow)
    new = {"name": "wider", "scopes": ["policies:write"]}
    answer = await client.post("/api/v1/keys", json=new, headers=headers | {"X-One-Time-Code": totp.now()})
    refused(answer, 403, "INSUFFICIENT_RBAC")
    later = {"X-One-Time-Code": totp.at(datetime.now(UTC) + timedelta(seconds=30))}
    answer = await client.post(f"/api/v1/keys/{wide.split('_')[1]}/rotation", headers=headers | later)
    refused(answer, 403, "INSUFFICIENT_RBAC")


async def test_another_tenants_keys_are_neither_seen_nor_touched(client: httpx.AsyncClient, redis: Redis) -> None:
    mine, theirs = await key(redis, *SCOPES), await key(redis, "orchestrate:use", tenant_id=OTHER)
    headers = {"X-API-Key": mine}
    assert theirs.split("_")[1] not in (await client.get("/api/v1/keys", headers=headers)).text
    code = {"X-One-Time-Code": (await phone(redis, mine)).now()}
    refused(await client.delete(f"/api/v1/keys/{theirs.split('_')[1]}", headers=headers | code), 404, "NOT_FOUND")


async def test_a_revoked_key_ends_at_once(client: httpx.AsyncClient, redis: Redis) -> None:
    mine, ended = await key(redis, *SCOPES), await key(redis, "orchestrate:use")
    code = {"X-One-Time-Code": (await phone(redis, mine)).now()}
    path = f"/api/v1/keys/{ended.split('_')[1]}"
    assert (await client.delete(path, headers={"X-API-Key": mine} | code)).json()["revoked_at"]
    refused(await client.post(PATH, json=WORDS, headers={"X-API-Key": ended}), 401, "UNAUTHORIZED")


async def test_too_many_requests_are_told_where_they_stand(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, url, monkeypatch, REQUESTS_PER_MINUTE="10", REQUESTS_PER_DAY="100") as client:
        headers = {"X-API-Key": await key(redis, "orchestrate:use")}
        answers = [await client.post(PATH, json=WORDS, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"identity";q=10;w=60, "tenant-day";q=100;w=86400'
    assert re.fullmatch(r'"identity";r=1;t=\d+, "tenant-day";r=99;t=\d+', answers[0].headers["RateLimit"])
    refused(answers[2], 429, "RATE_LIMITED")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 6
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"


async def test_who_says_not_who_they_are_has_the_narrow_limit(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, url, monkeypatch, REQUESTS_PER_MINUTE_ADDRESS="5") as client:
        answers = [await client.post(PATH, json=WORDS, headers={"X-Tenant-ID": "demo"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]


async def test_a_forged_address_gives_no_more_requests(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, url, monkeypatch, REQUESTS_PER_MINUTE_ADDRESS="5") as client:
        forged = [{"X-Tenant-ID": "demo", "X-Forwarded-For": f"203.0.113.{number}"} for number in range(2)]
        answers = [await client.post(PATH, json=WORDS, headers=headers) for headers in forged]
    assert answers[0].status_code == 200
    refused(answers[1], 429, "RATE_LIMITED")


async def test_the_same_idempotency_key_gives_the_same_answer_and_one_event(
    client: httpx.AsyncClient, services: Services
) -> None:
    headers = {"X-Tenant-ID": "demo", "Idempotency-Key": "order-1"}
    first = await client.post(PATH, json=WORDS, headers=headers)
    again = await client.post(PATH, json=WORDS, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert len(list(services.came(BROKER))) == 1
    other = await client.post(PATH, json=WORDS | {"priority": "low"}, headers=headers)
    refused(other, 422, "UNPROCESSABLE")


async def test_while_redis_is_away_keys_do_not_let_in_and_open_tenants_are_served(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, "redis://127.0.0.1:1/0", monkeypatch) as client:
        answer = await client.post(PATH, json=WORDS, headers={"X-API-Key": f"lmk_{'a' * 12}_{'A' * 43}"})
        refused(answer, 503, "UNAVAILABLE")
        headers = {"X-Tenant-ID": "demo", "Idempotency-Key": "order-1"}
        assert (await client.post(PATH, json=WORDS, headers=headers)).status_code == 200


async def test_the_store_holds_no_content_no_key_no_person_and_no_address(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    presented = await key(redis, "orchestrate:use")
    headers = {"X-API-Key": presented, "Idempotency-Key": "canary-order", "X-Forwarded-For": "203.0.113.99"}
    await client.post(PATH, json=WORDS, headers=headers)
    await client.post(PATH, json=WORDS, headers={"Authorization": f"Bearer {PROVIDER.sign()}"})
    await client.post(PATH, json=WORDS, headers={"X-Tenant-ID": "demo"})
    dumped = b"".join([name + (await redis.dump(name) or b"") async for name in redis.scan_iter()])
    assert len(dumped) > 500
    for secret in (CANARY, "canary-order", presented.split("_", 2)[2], "ada@example.org", "203.0.113", "127.0.0.1"):
        assert secret.encode() not in dumped
