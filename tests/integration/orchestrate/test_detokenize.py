"""Content redacted and put back over HTTP, on a real Valkey: who may, what is noted, and what is kept."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer, new_keyset, new_token_keyset
from llama_mapper.client import AsyncLlamaMapper, ProblemError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import NewApiKey, Scope
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from tests.fakes.bridge import AsyncBridge
from tests.fakes.functions import serving
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer, Received
from tests.fakes.words import said

DEMO, OTHER = TenantId("demo"), TenantId("other")
PEPPER, KEYSET = "p" * 32, new_keyset()
PATH, BACK = "/api/v1/orchestrate", "/api/v1/detokenize"
CANARY = "MAIL-canary7f3@x"
WORDS = {"content": f"Write to {CANARY} today.", "detector_types": ["words"], "redaction": "token"}


def detected(received: Received) -> Answer:
    asked = json.loads(received.body)
    reports = [said(name, asked["content"]).model_dump(mode="json", exclude_none=True) for name in asked["detectors"]]
    return Answer(200, JSON, json.dumps({"reports": reports}).encode())


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        started.answers["/api/v1/detect"] = detected
        yield started


@pytest.fixture
async def door(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("DETECT", "MAPPER", "ANALYZE"):
        monkeypatch.setenv(f"ORCHESTRATION_{name}_URL", services.url)
    given = {"REDIS_URL": url, "PEPPER": PEPPER, "KEYSET": KEYSET, "TOKEN_KEYSET": new_token_keyset(), "HMAC_KEY": "k"}
    for name, value in given.items():
        monkeypatch.setenv(f"ORCHESTRATION_{name}", value)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


async def key(redis: Redis, *scopes: Scope, tenant_id: TenantId = DEMO) -> str:
    new = NewApiKey(name="of a test", scopes=scopes)
    return (await Keys(RedisKeys(redis), PEPPER.encode()).create(tenant_id, new, datetime.now(UTC)))[1]


async def code(redis: Redis, presented: str) -> str:
    uri = await OneTimeCodes(RedisCodes(redis), Sealer(KEYSET)).enrol(presented.split("_")[1], DEMO)
    return pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0]).now()


async def redacted(door: httpx.AsyncClient, **more: str) -> str:
    answer = await door.post(PATH, json=WORDS | more, headers={"X-Tenant-ID": "demo"})
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["redaction"]["content"]
    assert CANARY not in answer.text
    return content


async def test_tokens_are_turned_back_with_a_second_factor_and_the_act_is_noted(
    door: httpx.AsyncClient, redis: Redis
) -> None:
    presented = await key(redis, "content:restore", "audit:read")
    content = await redacted(door)
    async with AsyncLlamaMapper("http://orchestrate", api_key=presented, transport=AsyncBridge(door)) as mapper:
        back = await mapper.detokenize(f"{content} {content}", code=await code(redis, presented))
        (record,) = (await mapper.audit()).records
    assert (back.content, back.restored, back.unknown) == (f"{WORDS['content']} {WORDS['content']}", 2, 0)
    assert (record.entry.act, record.entry.target) == ("content.restored", "tokens:2")


async def test_without_the_second_factor_or_the_scope_nothing_is_turned_back(
    door: httpx.AsyncClient, redis: Redis
) -> None:
    content = await redacted(door)
    for scope in ("content:restore", "orchestrate:use"):
        presented = await key(redis, scope)
        async with AsyncLlamaMapper("http://orchestrate", api_key=presented, transport=AsyncBridge(door)) as mapper:
            with pytest.raises(ProblemError) as refused:
                await mapper.detokenize(content)
        assert refused.value.error_code == "INSUFFICIENT_RBAC"
    answer = await door.post(BACK, json={"content": content}, headers={"X-Tenant-ID": "demo"})
    assert answer.status_code == 401


async def test_nothing_of_a_redaction_is_kept_or_logged_in_the_clear(
    door: httpx.AsyncClient, services: Services, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    presented = await key(redis, "content:restore")
    headers = {"X-Tenant-ID": "demo", "Idempotency-Key": "once"}
    first, again = [await door.post(PATH, json=WORDS, headers=headers) for _ in range(2)]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json()["redaction"] == again.json()["redaction"]
    content = first.json()["redaction"]["content"]
    headers = {"X-API-Key": presented, "X-One-Time-Code": await code(redis, presented)}
    back = await door.post(BACK, json={"content": content}, headers=headers)
    assert CANARY in back.json()["content"]
    assert back.headers["Cache-Control"] == "no-store"
    kept = b"".join([await redis.dump(name) or b"" for name in await redis.keys("*")])
    sent = b"".join(one.body for one in services.came(BROKER))
    assert len(kept) > 500
    assert len(sent) > 500
    token = content.removeprefix("Write to ").removesuffix(" today.").encode()
    for place in (kept, sent, caplog.text.encode()):
        assert b"canary7f3" not in place
        assert token not in place


async def test_the_same_content_out_of_the_response_cache_is_redacted_as_the_new_request_asks(
    door: httpx.AsyncClient,
) -> None:
    assert (await redacted(door, redaction="mask")) == f"Write to {'*' * len(CANARY)} today."
    hashed = await redacted(door, redaction="hash")
    assert hashed.startswith("Write to <PII.Contact.Email:h.")
    assert hashed == await redacted(door, redaction="hash")
