"""Tenants' configurations over HTTP, on a real Valkey and the shipped policies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from redis.asyncio import Redis

from functions.orchestrate.tenants.store import KnownTenants, RedisTenants
from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import NewApiKey, Scope
from llama_mapper.contracts.tenants import TenantConfiguration
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from tests.fakes.functions import serving
from tests.fakes.services import BROKER, Services, running
from tests.fakes.tenants import version

PEPPER, KEYSET = "p" * 32, new_keyset()
WORDS = {"content": "write to ada@example.org", "detector_types": ["words"]}
ADMINISTERS: tuple[Scope, ...] = ("tenants:read", "tenants:write", "orchestrate:use", "audit:read")


def at(tenant: str, rest: str = "") -> str:
    return f"/api/v1/tenants/{tenant}/configuration{rest}"


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        yield started


@asynccontextmanager
async def replica(services: Services, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    given = {f"{name}_URL": services.url for name in ("DETECT", "MAPPER", "ANALYZE")}
    for name, value in (given | {"REDIS_URL": url, "PEPPER": PEPPER, "KEYSET": KEYSET}).items():
        monkeypatch.setenv(f"ORCHESTRATION_{name}", value)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


@pytest.fixture
async def client(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    async with replica(services, url, monkeypatch) as client:
        yield client


class Administrator:
    """A key with a second factor; each of its codes counts once, so each call of a test takes another moment's."""

    def __init__(self, client: httpx.AsyncClient, redis: Redis, tenant: str, *scopes: Scope) -> None:
        self._client, self._redis = client, redis
        self._tenant = TenantId(tenant)
        self._scopes = scopes or ADMINISTERS
        self._key = ""

    async def headers(self) -> dict[str, str]:
        new = NewApiKey(name="of a test", scopes=self._scopes)
        self._key = (await Keys(RedisKeys(self._redis), PEPPER.encode()).create(self._tenant, new, datetime.now(UTC)))[
            1
        ]
        codes = OneTimeCodes(RedisCodes(self._redis), Sealer(KEYSET))
        uri = await codes.enrol(self._key.split("_")[1], self._tenant)
        code = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0]).now()
        return {"X-API-Key": self._key, "X-One-Time-Code": code}

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path, headers=await self.headers())

    async def put(self, path: str, match: str | None, **fields: Any) -> httpx.Response:
        sent = await self.headers() | ({"If-Match": match} if match else {})
        return await self._client.put(path, json={"configuration": fields, "why": "OPS-1"}, headers=sent)

    async def back(self, path: str, match: str, number: int) -> httpx.Response:
        sent = await self.headers() | {"If-Match": match}
        return await self._client.post(f"{path}/rollback", json={"version": number, "why": "OPS-2"}, headers=sent)


@pytest.fixture
def own(client: httpx.AsyncClient, redis: Redis) -> Administrator:
    return Administrator(client, redis, "demo")


@pytest.fixture
def platform(client: httpx.AsyncClient, redis: Redis) -> Administrator:
    return Administrator(client, redis, "*")


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, document["error_code"]) == (status, code), answer.text
    return document


async def test_a_configuration_is_read_changed_listed_and_rolled_back(own: Administrator) -> None:
    read = await own.get(at("demo"))
    assert (read.status_code, read.headers["ETag"], read.json()["own"]) == (200, '"0"', None)
    changed = await own.put(at("demo"), '"0"', max_content_characters=100)
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"1"')
    assert changed.json()["rules"]["max_content_characters"] == 100
    await own.put(at("demo"), '"1"', max_content_characters=50)
    back = await own.back(at("demo"), '"2"', 1)
    assert (back.headers["ETag"], back.json()["rules"]["max_content_characters"]) == ('"3"', 100)
    listed = (await own.get(at("demo", "/versions"))).json()["versions"]
    assert [(one["version"], one["restored"]) for one in listed] == [(3, 1), (2, None), (1, None)]
    assert (await own.get(at("demo", "/versions/2"))).json()["own"]["max_content_characters"] == 50
    refused(await own.get(at("demo", "/versions/4")), 404, "NOT_FOUND")
    acts = [record["entry"]["act"] for record in (await own.get("/api/v1/audit")).json()["records"]]
    assert acts == ["tenant.changed", "tenant.changed", "tenant.rolled_back"]


async def test_a_change_says_which_version_it_changes(own: Administrator) -> None:
    refused(await own.put(at("demo"), None), 428, "PRECONDITION_REQUIRED")
    refused(await own.put(at("demo"), '"1"'), 412, "PRECONDITION_FAILED")
    refused(await own.put(at("demo"), "W/1"), 400, "INVALID_REQUEST")


async def test_what_would_loosen_is_refused_by_name(own: Administrator) -> None:
    answer = await own.put(at("demo"), '"0"', thresholds={"confidence": 0.9}, retention_days=365)
    named = [error["field"] for error in refused(answer, 400, "INVALID_REQUEST")["errors"]]
    assert named == ["configuration.retention_days", "configuration.thresholds.confidence"]


async def test_another_tenants_configuration_is_neither_read_nor_written(
    client: httpx.AsyncClient, own: Administrator, platform: Administrator, redis: Redis
) -> None:
    await platform.put(at("acme"), '"0"', requests_per_day=7_654_321)
    for path in (at("acme"), at("acme", "/versions"), at("acme", "/versions/1"), at("never-there")):
        answer = await own.get(path)
        refused(answer, 403, "INSUFFICIENT_RBAC")
        assert "7654321" not in answer.text
    refused(await own.put(at("acme"), '"1"'), 403, "INSUFFICIENT_RBAC")
    refused(await own.back(at("acme"), '"1"', 1), 403, "INSUFFICIENT_RBAC")
    assert (await platform.get(at("acme"))).json()["version"] == 1
    sent = await own.headers() | {"X-Tenant-ID": "acme"}
    refused(await client.get(at("demo"), headers=sent), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("headers", [{}, {"X-Tenant-ID": "demo"}])
async def test_nobody_in_particular_sees_and_changes_nothing(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    refused(await client.get(at("demo"), headers=headers), 401, "UNAUTHORIZED")
    body = {"configuration": {}, "why": "OPS-1"}
    answer = await client.put(at("demo"), json=body, headers=headers | {"If-Match": '"0"'})
    refused(answer, 401, "UNAUTHORIZED")


async def test_writing_needs_its_scope_and_a_second_factor(client: httpx.AsyncClient, redis: Redis) -> None:
    reader = Administrator(client, redis, "demo", "tenants:read")
    assert (await reader.get(at("demo"))).status_code == 200
    refused(await reader.put(at("demo"), '"0"'), 403, "INSUFFICIENT_RBAC")
    sent = await Administrator(client, redis, "demo").headers()
    del sent["X-One-Time-Code"]
    body = {"configuration": {}, "why": "OPS-1"}
    answer = await client.put(at("demo"), json=body, headers=sent | {"If-Match": '"0"'})
    refused(answer, 403, "INSUFFICIENT_RBAC")
    assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]


async def test_the_platform_makes_a_tenant_which_then_works_and_switches_it_off(
    client: httpx.AsyncClient, platform: Administrator, redis: Redis
) -> None:
    new = Administrator(client, redis, "acme")
    refused(await client.post("/api/v1/orchestrate", json=WORDS, headers=await new.headers()), 401, "UNAUTHORIZED")
    refused(await new.put(at("acme"), '"0"'), 404, "NOT_FOUND")
    assert (await platform.put(at("acme"), '"0"')).status_code == 200
    answer = await client.post("/api/v1/orchestrate", json=WORDS, headers=await new.headers())
    assert (answer.status_code, answer.json()["tenant_id"]) == (200, "acme")
    refused(await client.post("/api/v1/orchestrate", json=WORDS, headers={"X-Tenant-ID": "acme"}), 401, "UNAUTHORIZED")
    await platform.put(at("acme"), '"1"', enabled=False)
    refused(await client.post("/api/v1/orchestrate", json=WORDS, headers=await new.headers()), 403, "INSUFFICIENT_RBAC")
    refused(await new.put(at("acme"), '"2"', enabled=True), 400, "INVALID_REQUEST")


async def test_the_platform_says_for_which_tenant_and_does_not_work_in_its_name(
    client: httpx.AsyncClient, platform: Administrator
) -> None:
    refused(
        await client.post("/api/v1/orchestrate", json=WORDS, headers=await platform.headers()), 400, "INVALID_REQUEST"
    )
    sent = await platform.headers() | {"X-Tenant-ID": "demo"}
    refused(await client.post("/api/v1/orchestrate", json=WORDS, headers=sent), 403, "INSUFFICIENT_RBAC")


async def test_a_configuration_decides(client: httpx.AsyncClient, own: Administrator) -> None:
    headers = {"X-Tenant-ID": "demo"}
    before = (await client.post("/api/v1/orchestrate", json=WORDS, headers=headers)).json()
    assert before["decision"]["action"] == "redact"
    await own.put(at("demo"), '"0"', labels=[{"label": "PII", "action": "block"}], max_priority="low")
    after = (await client.post("/api/v1/orchestrate", json=WORDS, headers=headers)).json()
    assert after["decision"]["action"] == "block"
    assert after["decision"]["policy_version"].endswith("+tenant.1")
    assert "priority.capped" in after["degraded"]


async def test_a_tenants_quota_counts_all_its_callers_together(client: httpx.AsyncClient, own: Administrator) -> None:
    await own.put(at("demo"), '"0"', requests_per_day=2)
    answers = [
        await client.get("/api/v1/detectors", headers={"X-Tenant-ID": "demo"}),
        await own.get(at("demo")),
        await client.get("/api/v1/detectors", headers={"X-Tenant-ID": "demo"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert '"tenant-day";q=2;w=86400' in answers[0].headers["RateLimit-Policy"]


async def test_an_invented_tenant_of_the_store_needs_a_keyed_caller(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/orchestrate", json=WORDS, headers={"X-Tenant-ID": "never-there"})
    refused(answer, 401, "UNAUTHORIZED")


async def test_replicas_see_one_anothers_changes(redis: Redis) -> None:
    store = RedisTenants(redis)
    one, other = KnownTenants(store), KnownTenants(RedisTenants(redis))
    assert await one.of(TenantId("acme")) is None
    assert await other.of(TenantId("acme")) is None
    assert await store.append(version("acme", own=TenantConfiguration(max_content_characters=5)))
    assert await store.append(version("other"))
    for replica in (one, other):
        await replica.refresh()
        assert await replica.of(TenantId("acme")) == await store.version(TenantId("acme"), 1)
        assert await replica.of(TenantId("other")) == version("other")


async def test_only_the_next_version_is_taken_and_old_ones_stay_as_they_were(redis: Redis) -> None:
    store = RedisTenants(redis)
    assert await store.append(version("acme"))
    assert not await store.append(version("acme"))
    assert not await store.append(version("acme", 3))
    assert await store.append(version("acme", 2, own=TenantConfiguration(enabled=False)))
    assert await store.version(TenantId("acme"), 1) == version("acme")
    assert [one.version for one in await store.versions(TenantId("acme"), 10)] == [2, 1]
    assert (await store.since(1)).tenants.keys() == {TenantId("acme")}
    assert (await store.since(2)).tenants == {}


async def test_a_store_that_lost_everything_is_read_anew(redis: Redis) -> None:
    store = RedisTenants(redis)
    known = KnownTenants(store)
    await store.append(version("acme"))
    await known.refresh()
    await redis.flushdb()
    await known.refresh()
    assert await known.of(TenantId("acme")) is None


async def test_without_redis_there_are_no_configurations_and_tenants_of_the_policies_work(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(services, "redis://127.0.0.1:1/0", monkeypatch) as client:
        demo = await client.post("/api/v1/orchestrate", json=WORDS, headers={"X-Tenant-ID": "demo"})
        assert demo.status_code == 200
        other = await client.post("/api/v1/orchestrate", json=WORDS, headers={"X-Tenant-ID": "acme"})
        refused(other, 503, "UNAVAILABLE")
