"""The policies over HTTP, with keys on a real Valkey: what is in force, and a bundle tried before it is."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from functions.orchestrate.policies.bundle_archives import build
from functions.orchestrate.policies.bundle_store import BundleStore
from functions.orchestrate.policies.bundles import Bundle, read_folder
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.identity import Scope
from llama_mapper.registry.directory import DirectoryStorage
from tests.fakes.findings import found
from tests.fakes.services import JSON, Services, running
from tests.fakes.subscriber import Answer, Received

from .test_gate import CANARY, door, key, phone, refused

SHIPPED = read_folder(Path(Settings.model_fields["policies"].default))
NAME = "platform/decision:2026.11"
PATH = "/api/v1/policies"


def changed(**decision: Any) -> Bundle:
    """The shipped policies with other data below ``decision``, and without the tests that hold of the shipped data."""
    data = json.loads(json.dumps(SHIPPED.data))
    data["decision"] |= decision
    return Bundle(SHIPPED.policies, data)


def recorded(action: str, *labels: str) -> dict[str, Any]:
    findings = [found(label, severity=3).model_dump(mode="json") for label in labels]
    decision = {"action": action, "reasons": [], "policy_version": "2026.10"}
    coverage = {"method": "REQUIRED_SET", "score": 1.0, "required": [], "missing": []}
    said = {"content_type": "text", "occurred_at": "2026-11-22T10:00:00Z", "request_id": "r" * 32}
    return said | {"findings": findings, "decision": decision, "coverage": coverage}


REQUESTS = [recorded("redact", "PII.Contact.Email"), recorded("block", "SECRET.Key"), recorded("allow")]


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        answer = Answer(200, JSON, json.dumps({"decisions": REQUESTS}).encode())
        started.answers["/api/v1/decisions"] = lambda _: answer
        started.answers["/jwks"] = lambda _: Answer(200, JSON, b'{"keys": []}')
        yield started


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(DirectoryStorage(tmp_path))


@pytest.fixture
async def client(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    settings = {"RECORD_URL": services.url, "POLICY_STORE": str(tmp_path)}
    async with door(services, url, monkeypatch, **settings) as client:
        yield client


async def headers(redis: Redis, *scopes: Scope) -> dict[str, str]:
    """Of a key with *scopes* that has just shown its second factor."""
    presented = await key(redis, *scopes)
    return {"X-API-Key": presented, "X-One-Time-Code": (await phone(redis, presented)).now()}


def asked(archive: bytes, **changes: Any) -> dict[str, Any]:
    return {"bundle": NAME, "sha256": hashlib.sha256(archive).hexdigest()} | changes


async def validate(client: httpx.AsyncClient, redis: Redis, body: dict[str, Any]) -> httpx.Response:
    return await client.post(f"{PATH}/validate", json=body, headers=await headers(redis, "policies:write"))


async def test_what_is_in_force_is_told_to_who_may_read_it(client: httpx.AsyncClient, redis: Redis) -> None:
    answer = await client.get(PATH, headers={"X-API-Key": await key(redis, "policies:read")})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["version"], said["digest"]) == (SHIPPED.version, SHIPPED.digest)
    assert (said["engine"], said["last_reload"], said["bundle"]) == ("in_process", None, None)


@pytest.mark.parametrize(
    ("method", "path", "scope"), [("GET", PATH, "orchestrate:use"), ("POST", f"{PATH}/validate", "policies:read")]
)
async def test_without_the_scope_nobody_is_told(
    client: httpx.AsyncClient, redis: Redis, method: str, path: str, scope: Scope
) -> None:
    body = asked(b"") if method == "POST" else None
    refused(
        await client.request(method, path, json=body, headers=await headers(redis, scope)), 403, "INSUFFICIENT_RBAC"
    )


async def test_validating_needs_a_second_factor(client: httpx.AsyncClient, redis: Redis) -> None:
    presented = {"X-API-Key": await key(redis, "policies:write")}
    refused(await client.post(f"{PATH}/validate", json=asked(b""), headers=presented), 403, "INSUFFICIENT_RBAC")


async def test_a_sound_bundle_is_tried_on_the_tenants_last_requests(
    client: httpx.AsyncClient, redis: Redis, store: BundleStore, services: Services
) -> None:
    archive = build(changed(labels=[entry for entry in SHIPPED.data["decision"]["labels"] if entry["label"] != "PII"]))
    store.put(NAME, archive)
    answer = await validate(client, redis, asked(archive, dry_run_requests=50))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["faults"] == []
    assert said["dry_run"]["requests"] == 3
    assert said["dry_run"]["changes"] == [{"before": "redact", "after": "allow", "requests": 1}]
    (question,) = services.came("/api/v1/decisions")
    assert question.headers["x-tenant-id"] == "demo"


async def test_the_shipped_policies_would_change_nothing(
    client: httpx.AsyncClient, redis: Redis, store: BundleStore
) -> None:
    archive = build(SHIPPED)
    store.put(NAME, archive)
    said = (await validate(client, redis, asked(archive))).json()
    assert (said["faults"], said["dry_run"]) == ([], {"requests": 3, "changed": 0, "changes": []})


async def test_a_faulty_bundle_is_not_tried_and_not_quoted(
    client: httpx.AsyncClient, redis: Redis, store: BundleStore, services: Services
) -> None:
    modules = {**SHIPPED.policies, "decision/decision.rego": f'package llama_mapper.decision\n\nx := "{CANARY}'}
    archive = build(Bundle(modules, SHIPPED.data))
    store.put(NAME, archive)
    answer = await validate(client, redis, asked(archive))
    assert answer.status_code == 200
    assert CANARY not in answer.text
    said = answer.json()
    assert said["faults"] == [{"file": "decision/decision.rego", "line": 3, "code": "rego_parse_error"}]
    assert said["dry_run"] is None
    assert not list(services.came("/api/v1/decisions"))


async def test_what_is_no_bundle_is_a_fault(client: httpx.AsyncClient, redis: Redis, store: BundleStore) -> None:
    store.put(NAME, b"canary")
    said = (await validate(client, redis, asked(b"canary"))).json()
    assert [fault["code"] for fault in said["faults"]] == ["not_tar_gz"]


@pytest.mark.parametrize(
    "change", [{"bundle": "platform/other:1"}, {"sha256": "0" * 64}, {"bundle": "platform/decision"}]
)
async def test_a_bundle_that_is_not_there_or_is_another_is_not_found(
    client: httpx.AsyncClient, redis: Redis, store: BundleStore, change: dict[str, str]
) -> None:
    archive = build(SHIPPED)
    store.put(NAME, archive)
    refused(await validate(client, redis, asked(archive, **change)), 400, "POLICY_NOT_FOUND")


async def test_no_dry_run_asks_record_nothing(
    client: httpx.AsyncClient, redis: Redis, store: BundleStore, services: Services
) -> None:
    archive = build(SHIPPED)
    store.put(NAME, archive)
    assert (await validate(client, redis, asked(archive, dry_run_requests=0))).json()["dry_run"] is None
    assert not list(services.came("/api/v1/decisions"))


async def test_a_record_that_is_away_is_said(
    client: httpx.AsyncClient, redis: Redis, store: BundleStore, services: Services
) -> None:
    def away(_: Received) -> Answer:
        return Answer(503, JSON, b"{}")

    services.answers["/api/v1/decisions"] = away
    archive = build(SHIPPED)
    store.put(NAME, archive)
    refused(await validate(client, redis, asked(archive)), 503, "UNAVAILABLE")


async def test_without_a_store_no_bundle_is_found(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, url, monkeypatch) as client:
        refused(await validate(client, redis, asked(b"")), 400, "POLICY_NOT_FOUND")
