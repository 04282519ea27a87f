"""The drop-in doors over HTTP on a real Valkey: OpenAI's own client, and ours, sync and async."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.client import AsyncLlamaMapper, Item, LlamaMapper, NoAnswer, ProblemError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import SCOPES, NewApiKey
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from tests.fakes.bridge import AsyncBridge, Bridge
from tests.fakes.free_ports import free_port
from tests.fakes.functions import serving
from tests.fakes.orchestration import report
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer, Received

openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")

DEMO = TenantId("demo")
PEPPER, KEYSET = "p" * 32, new_keyset()
BASE = "http://orchestrate"
CANARY = "canary7f3@example.org"
TEXT = f"write to {CANARY}"
MODERATIONS = "/v1/moderations"
WANTED = {
    "presidio": "pii",
    "llama-mapper-regex": "pii",
    "detect-secrets": "secrets",
    "tox-block": "classifiers",
    "minilm-injection": "injection",
    "jailguard": "injection",
}
"""What the selection policy asks for where a request names nothing."""


def offered(_: Received) -> Answer:
    known = [{"id": name, "version": "1.0", "family": family, "loaded": True} for name, family in WANTED.items()]
    return Answer(200, JSON, json.dumps({"detectors": known}).encode())


def detected(received: Received) -> Answer:
    """``presidio`` finds an EMAIL wherever there is an @."""
    asked = json.loads(received.body)
    reports = [
        report(name, *(["EMAIL"] if name == "presidio" and "@" in asked["content"] else []), family=WANTED[name])
        for name in asked["detectors"]
    ]
    said = [one.model_dump(mode="json", exclude_none=True) for one in reports]
    return Answer(200, JSON, json.dumps({"reports": said}).encode())


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        started.answers |= {"/api/v1/detectors": offered, "/api/v1/detect": detected}
        yield started


@pytest.fixture
async def door(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("DETECT", "MAPPER", "ANALYZE"):
        monkeypatch.setenv(f"ORCHESTRATION_{name}_URL", services.url)
    for name, value in {"REDIS_URL": url, "PEPPER": PEPPER, "KEYSET": KEYSET}.items():
        monkeypatch.setenv(f"ORCHESTRATION_{name}", value)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


@pytest.fixture
async def key(redis: Redis) -> str:
    new = NewApiKey(name="of a test", scopes=SCOPES)
    return (await Keys(RedisKeys(redis), PEPPER.encode()).create(DEMO, new, datetime.now(UTC)))[1]


async def totp(redis: Redis, presented: str) -> pyotp.TOTP:
    uri = await OneTimeCodes(RedisCodes(redis), Sealer(KEYSET)).enrol(presented.split("_")[1], DEMO)
    return pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])


def ours(door: httpx.AsyncClient, **given: Any) -> AsyncLlamaMapper:
    return AsyncLlamaMapper(BASE, transport=AsyncBridge(door), **given)


def theirs(door: httpx.AsyncClient, key: str, **given: Any) -> Any:
    return openai.AsyncOpenAI(api_key=key, base_url=f"{BASE}/v1", http_client=door, max_retries=0, **given)


async def test_openais_client_gets_every_category_and_our_decision(door: httpx.AsyncClient, key: str) -> None:
    answer = await theirs(door, key).moderations.create(input=TEXT, model="omni-moderation-latest")
    assert answer.id.startswith("modr-")
    assert answer.model.startswith("llama-mapper-")
    (result,) = answer.results
    assert result.flagged is True
    said = result.categories.model_dump(by_alias=True)
    assert len(said) == 13
    assert set(said.values()) == {False}
    assert result.category_scores.sexual_minors == 0.0
    assert result.category_applied_input_types.hate_threatening == ["text"]
    assert result.llama_mapper["decision"]["action"] == "redact"
    assert [found["label"] for found in result.llama_mapper["findings"]] == ["PII.Contact.Email"]


async def test_a_list_has_a_result_a_text_and_parts_have_one(
    door: httpx.AsyncClient, key: str, services: Services
) -> None:
    many = await theirs(door, key).moderations.create(input=["nothing", TEXT, "nothing"])
    assert [result.flagged for result in many.results] == [False, True, False]
    parts = [{"type": "text", "text": "nothing"}, {"type": "text", "text": TEXT}]
    assert [result.flagged for result in (await theirs(door, key).moderations.create(input=parts)).results] == [True]
    assert len(list(services.came(BROKER))) == 4


async def test_openais_client_raises_its_own_errors(door: httpx.AsyncClient, key: str, services: Services) -> None:
    image = [{"type": "image_url", "image_url": {"url": f"https://example.org/{CANARY}"}}]
    with pytest.raises(openai.BadRequestError, match="images are not judged here") as refused:
        await theirs(door, key).moderations.create(input=image)
    assert (refused.value.param, refused.value.code) == ("input.0.type", "INVALID_REQUEST")
    with pytest.raises(openai.AuthenticationError):
        await theirs(door, f"lmk_{'a' * 12}_{'A' * 43}").moderations.create(input=TEXT)
    services.answers["/api/v1/detect"] = lambda _: Answer(503)
    with pytest.raises(openai.InternalServerError) as failed:
        await theirs(door, key).moderations.create(input=[TEXT, TEXT])
    assert failed.value.status_code == 502
    assert CANARY not in str(refused.value.body) + str(failed.value.body)


@pytest.mark.parametrize(
    ("method", "body", "status", "param"),
    [
        ("POST", b"{", 400, None),
        ("POST", b'{"input": ""}', 400, "input"),
        ("POST", b'{"input": 5}', 400, "input"),
        ("POST", b" " * 1_048_577, 413, None),
        ("GET", None, 405, None),
    ],
)
async def test_whoever_says_no_says_it_in_openais_shape(
    door: httpx.AsyncClient, method: str, body: bytes | None, status: int, param: str | None
) -> None:
    headers = {"X-Tenant-ID": "demo", "Content-Type": "application/json"}
    answer = await door.request(method, MODERATIONS, content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert answer.headers["x-correlation-id"]


async def test_other_paths_keep_their_problems(door: httpx.AsyncClient) -> None:
    answer = await door.get("/v1/models")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_document_says_which_shape_an_error_has(door: httpx.AsyncClient) -> None:
    document = (await door.get("/openapi.json")).json()
    here = document["paths"][MODERATIONS]["post"]["responses"]["401"]["content"]
    there = document["paths"]["/api/v1/orchestrate"]["post"]["responses"]["401"]["content"]
    assert (list(here), list(there)) == (["application/json"], ["application/problem+json"])


async def test_our_client_judges_one_content_and_many(door: httpx.AsyncClient, key: str) -> None:
    async with ours(door, api_key=key) as mapper:
        answer = await mapper.orchestrate(TEXT, detector_types=["presidio"], correlation_id="correlation-1")
        items: list[Item] = [
            "nothing",
            {"content": TEXT, "priority": "low"},
            {"content": ""},
            OrchestrateRequest(content=TEXT),
        ]
        batch = await mapper.batch(items)
        listed = await mapper.detectors()
        health = await mapper.detector_health("presidio")
    assert (answer.decision.action, answer.correlation_id) == ("redact", "correlation-1")
    assert [one.status for one in batch.results] == [200, 200, 400, 200]
    assert (listed.detectors[0].id, health.status) == ("presidio", "healthy")


async def test_our_client_for_code_that_waits_does_the_same(door: httpx.AsyncClient, key: str, redis: Redis) -> None:
    codes, transport = await totp(redis, key), Bridge(door)

    def work() -> tuple[str, list[str]]:
        with LlamaMapper(BASE, token=lambda: key, tenant="demo", transport=transport) as mapper:
            issued = mapper.create_key("ci", ["orchestrate:use"], 7, code=codes.now())
            with LlamaMapper(BASE, api_key=issued.secret, transport=transport) as other:
                action = other.orchestrate(TEXT).decision.action
            assert issued.key.id in {one.id for one in mapper.keys().keys}
            return action, [record.entry.act for record in mapper.audit().records]

    assert await asyncio.to_thread(work) == ("redact", ["key.created"])


async def test_keys_are_rotated_and_revoked(door: httpx.AsyncClient, key: str, redis: Redis) -> None:
    codes, now = await totp(redis, key), datetime.now(UTC).timestamp()
    target = key.split("_")[1]
    async with ours(door, api_key=key) as mapper:
        with pytest.raises(ProblemError) as refused:
            await mapper.rotate_key(target)
        issued = await mapper.rotate_key(target, code=codes.at(int(now)))
        revoked = await mapper.revoke_key(issued.key.id, code=codes.at(int(now) + 30))
    assert (refused.value.status, refused.value.error_code) == (403, "INSUFFICIENT_RBAC")
    assert revoked.revoked_at is not None


async def test_a_problem_is_an_exception_that_says_what_and_holds_no_content(
    door: httpx.AsyncClient, services: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    caught: list[Exception] = []
    async with ours(door, tenant="demo", attempts=1) as mapper:
        for content, options in (
            (TEXT * 5_000, {}),
            (TEXT, {"priority": CANARY}),
            (TEXT, {"detector_types": [CANARY]}),
        ):
            with pytest.raises(ProblemError) as refused:
                await mapper.orchestrate(content, **options)
            caught.append(refused.value)
        services.answers["/api/v1/detect"] = lambda _: Answer(503)
        with pytest.raises(ProblemError) as failed:
            await mapper.orchestrate(TEXT)
    async with AsyncLlamaMapper(f"http://u:{CANARY}@127.0.0.1:{free_port()}", tenant="demo", attempts=1) as nobody:
        with pytest.raises(NoAnswer, match=r"nothing answers on http://127\.0\.0\.1:") as unheard:
            await nobody.orchestrate(TEXT)
    caught += [failed.value, unheard.value]
    assert [getattr(error, "status", 0) for error in caught] == [413, 400, 400, 502, 0]
    assert failed.value.retryable
    chained = [link for error in caught for link in (error, error.__cause__, error.__context__) if link]
    assert len(chained) == len(caught)  # httpx' and pydantic's exceptions hold the request
    said = "".join(f"{error!s} {error!r} {vars(error)}" for error in caught) + caplog.text
    assert CANARY not in said


async def test_the_same_call_sent_twice_is_one_event(door: httpx.AsyncClient, key: str, services: Services) -> None:
    lost: list[str] = []

    class LosesTheFirst(AsyncBridge):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            lost.append(answer.headers.get("idempotency-replayed", "first"))
            if len(lost) == 1:
                raise httpx.ReadError("cut")
            return answer

    async with AsyncLlamaMapper(BASE, api_key=key, transport=LosesTheFirst(door)) as mapper:
        answer = await mapper.orchestrate(TEXT)
    assert lost == ["first", "true"]
    (event,) = services.came(BROKER)
    assert json.loads(event.body)["request_id"] == answer.request_id
