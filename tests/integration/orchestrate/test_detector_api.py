"""Detectors over HTTP, on a real Valkey and real loopback detectors: registered, used, changed, removed, and whose."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import new_keyset
from llama_mapper.contracts.events import PLATFORM
from tests.fakes.functions import serving
from tests.fakes.identity_provider import AUDIENCE, ISSUER, Provider
from tests.fakes.registered import is_trial, registration, saying
from tests.fakes.services import BROKER, Services, running
from tests.fakes.subscriber import Answer

PROVIDER = Provider()
PATH, JUDGE = "/api/v1/detectors", "/api/v1/orchestrate"
SECRET = "canary-key-8d1f2b"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        jwks = json.dumps({"keys": PROVIDER.documents}).encode()
        started.answers["/jwks"] = lambda _: Answer(200, JSON, jwks)
        started.answers["/mine"] = saying("team-a.judge", "hate_speech")
        yield started


@asynccontextmanager
async def door(
    services: Services, url: str, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[httpx.AsyncClient]:
    issuer = {"issuer": ISSUER, "jwks_url": f"{services.url}/jwks", "audience": AUDIENCE}
    given = {
        **{f"{name}_URL": services.url for name in ("DETECT", "MAPPER", "ANALYZE")},
        "REDIS_URL": url,
        "PEPPER": "p" * 32,
        "KEYSET": KEYSET,
        "ISSUERS": json.dumps([issuer]),
        "DETECTOR_NETWORKS": '["127.0.0.0/8"]',
        "REQUESTS_PER_MINUTE": "6000",
        **settings,
    }
    for name, value in given.items():
        monkeypatch.setenv(f"ORCHESTRATION_{name}", value)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


KEYSET = new_keyset()


@pytest.fixture
async def client(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    async with door(services, url, monkeypatch) as client:
        yield client


def of(tenant: str = "demo", **claims: Any) -> dict[str, str]:
    """An administrator of *tenant* who has just shown a second factor."""
    said = {
        "tenants": [tenant],
        "scope": "detectors:read detectors:write orchestrate:use audit:read",
        "amr": ["otp"],
        "auth_time": int(datetime.now(UTC).timestamp()),
    }
    return {"Authorization": f"Bearer {PROVIDER.sign(said | claims)}"}


async def register(client: httpx.AsyncClient, url: str, tenant: str = "demo", **more: Any) -> httpx.Response:
    return await client.post(PATH, json=registration(f"{url}/mine", **more), headers=of(tenant))


async def ids(client: httpx.AsyncClient, tenant: str = "demo") -> dict[str, str]:
    listed = (await client.get(PATH, headers=of(tenant))).json()["detectors"]
    return {one["id"]: one["origin"] for one in listed}


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert SECRET not in answer.text
    return " ".join([answer.json()["detail"], *(one["message"] for one in answer.json().get("errors", ()))])


async def test_a_registered_detector_is_tried_listed_and_used(client: httpx.AsyncClient, services: Services) -> None:
    made = await register(client, services.url, api_key=SECRET)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"{PATH}/team-a.judge"
    assert (made.json()["has_api_key"], made.json()["for_all_tenants"]) == (True, False)
    (trial,) = services.came("/mine")
    assert is_trial(trial)
    assert trial.headers["x-api-key"] == SECRET
    assert (await ids(client))["team-a.judge"] == "registered"
    asked = {"content": "some words to judge", "detector_types": ["team-a.judge"]}
    answer = (await client.post(JUDGE, json=asked, headers=of())).json()
    (outcome,) = answer["detectors"]
    assert (outcome["detector"], outcome["version"], outcome["status"]) == ("team-a.judge", "1.0", "ok")
    (mapped,) = services.came("/api/v1/map/batch")
    assert json.loads(mapped.body)["items"][0]["detector"] == "hatesonar"
    assert answer["findings"][0]["sources"][0]["detector"] == "team-a.judge"
    described = (await client.get(f"{PATH}/team-a.judge", headers=of())).json()
    assert described["registration"]["url"].endswith("/mine")
    services.answers["/health"] = lambda _: Answer(200)
    assert (await client.get(f"{PATH}/team-a.judge/health", headers=of())).json()["status"] == "healthy"
    services.answers["/health"] = lambda _: Answer(500)
    assert (await client.get(f"{PATH}/team-a.judge/health", headers=of())).json()["status"] == "unhealthy"


async def test_an_adapter_makes_any_api_a_detector(client: httpx.AsyncClient, services: Services) -> None:
    answer = [[{"start": 0, "end": 4, "detection": "EMAIL", "detection_type": "pii", "score": 0.8}]]
    services.answers["/api/v1/text/contents"] = lambda _: Answer(200, JSON, json.dumps(answer).encode())
    said = registration(
        services.url, adapter="trustyai-detectors", vocabulary="presidio", options={"detector_id": "theirs"}
    )
    made = await client.post(PATH, json=said, headers=of())
    assert made.status_code == 201, made.text
    asked = {"content": "some words", "detector_types": ["team-a.judge"]}
    answered = (await client.post(JUDGE, json=asked, headers=of())).json()
    assert [one["status"] for one in answered["detectors"]] == ["ok"]
    (mapped,) = services.came("/api/v1/map/batch")
    asked_of_mapper = json.loads(mapped.body)["items"][0]
    assert (asked_of_mapper["label"], asked_of_mapper["detector"]) == ("EMAIL", "presidio")


def answering(body: Any, status: int = 200) -> Any:
    return lambda _: Answer(status, JSON, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (saying("another", "x"), "trial.contract"),
        (saying("team-a.judge", "x", version="2.0"), "trial.contract"),
        (saying("team-a.judge", status="failed"), "trial.contract"),
        (answering({"reports": []}), "trial.contract"),
        (answering({"reports": [{"detector": "team-a.judge"}]}), "trial.contract"),
        (answering("<html>"), "trial.contract"),
        (answering({}, 500), "trial.unavailable"),
        (answering({}, 401), "trial.unavailable"),
        (lambda _: Answer(302, {"location": "http://169.254.169.254/"}), "trial.unavailable"),
    ],
)
async def test_a_detector_that_does_not_keep_its_contract_is_not_taken(
    client: httpx.AsyncClient, services: Services, bend: Any, reason: str
) -> None:
    services.answers["/mine"] = bend
    assert reason in problem(await register(client, services.url, api_key=SECRET), 422)
    assert "team-a.judge" not in await ids(client)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"url": "https://localhost.localdomain.invalid/x"}, "address.unknown"),
        ({"url": "http://clickhouse.llama-mapper.svc:8123/x"}, "address.not_allowed"),
        ({"vocabulary": "nobodys"}, "vocabulary.unknown"),
        ({"vocabulary": "detoxify"}, "vocabulary.several"),
        ({"adapter": "nobodys"}, "adapter.unknown"),
        ({"adapter": "kserve-v1"}, "options.missing"),
        ({"adapter": "kserve-v1", "options": {"model": "m", "more": 1}}, "options.unknown"),
        ({"adapter": "openai-moderation"}, "api_key.missing"),
        ({"adapter": "aws-comprehend-pii", "options": {"region": "eu-west-1"}}, "api_key.missing"),
        ({"adapter": "trustyai-detectors", "options": {"detector_id": "x"}, "vocabulary": None}, "vocabulary.missing"),
    ],
    ids=str,
)
async def test_what_does_not_fit_is_named(
    client: httpx.AsyncClient, services: Services, more: dict[str, Any], reason: str
) -> None:
    said = registration(f"{services.url}/mine") | more
    assert reason in problem(await client.post(PATH, json=said, headers=of()), 422)
    assert not list(services.came("/mine"))


async def test_a_private_address_is_refused_unless_the_settings_let_it(
    services: Services, redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, url, monkeypatch, DETECTOR_NETWORKS="[]") as client:
        assert "address.not_allowed" in problem(await register(client, services.url), 422)
    assert not list(services.came("/mine"))


@pytest.mark.parametrize("name", ["words", "tox-block", "deberta", "pii", "classifiers"])
async def test_no_name_of_the_installation_can_be_taken(
    client: httpx.AsyncClient, services: Services, name: str
) -> None:
    problem(await register(client, services.url, id=name), 409)


async def test_a_version_never_changes_its_meaning(client: httpx.AsyncClient, services: Services) -> None:
    assert (await register(client, services.url)).status_code == 201
    problem(await register(client, services.url, version="2.0"), 409)
    path, same = f"{PATH}/team-a.judge", registration(f"{services.url}/mine")

    async def put(**more: Any) -> httpx.Response:
        return await client.put(path, json=same | more, headers=of())

    problem(await put(vocabulary="presidio"), 409)
    problem(await put(id="another"), 400)
    assert (await put(weight=2.0, api_key=SECRET)).json()["has_api_key"]
    assert (await put()).json()["has_api_key"]  # the same address keeps its key
    services.answers["/mine"] = saying("team-a.judge", version="2.0")
    changed = await put(version="2.0", vocabulary="presidio")
    assert (changed.status_code, changed.json()["version"]) == (200, "2.0")
    assert (await client.delete(path, headers=of())).status_code == 200
    problem(await put(version="3.0"), 404)
    services.answers["/mine"] = saying("team-a.judge")
    problem(await register(client, services.url, vocabulary="presidio"), 409)  # 1.0 was hatesonar's
    assert (await register(client, services.url)).status_code == 201


async def test_a_key_is_not_shown_to_another_host(client: httpx.AsyncClient, services: Services) -> None:
    assert (await register(client, services.url, api_key=SECRET)).status_code == 201
    services.answers["/theirs"] = saying("team-a.judge", version="2.0")
    said = registration(f"{services.url}/theirs", version="2.0")
    assert not (await client.put(f"{PATH}/team-a.judge", json=said, headers=of())).json()["has_api_key"]
    (came,) = services.came("/theirs")
    assert "x-api-key" not in came.headers


async def test_a_second_factor_and_the_scope_are_needed(client: httpx.AsyncClient, services: Services) -> None:
    said = registration(f"{services.url}/mine")
    for headers in (of(amr=["pwd"]), of(scope="detectors:read"), of(auth_time=1)):
        problem(await client.post(PATH, json=said, headers=headers), 403)
    problem(await client.post(PATH, json=said, headers={"X-Tenant-ID": "demo"}), 401)
    problem(await client.delete(f"{PATH}/team-a.judge", headers=of(amr=[])), 403)


async def test_every_change_is_noted(client: httpx.AsyncClient, services: Services) -> None:
    await register(client, services.url)
    await client.put(f"{PATH}/team-a.judge", json=registration(f"{services.url}/mine", weight=3), headers=of())
    await client.delete(f"{PATH}/team-a.judge", headers=of())
    records = (await client.get("/api/v1/audit", headers=of())).json()["records"]
    assert [(one["entry"]["act"], one["entry"]["target"]) for one in records] == [
        (f"detector.{act}", "team-a.judge:1.0") for act in ("registered", "changed", "removed")
    ]


async def test_another_tenants_detector_is_neither_seen_nor_touched(
    client: httpx.AsyncClient, services: Services
) -> None:
    await register(client, services.url)
    path = f"{PATH}/team-a.judge"
    assert "team-a.judge" not in await ids(client, "other")
    for answer in (
        await client.get(path, headers=of("other")),
        await client.get(f"{path}/health", headers=of("other")),
        await client.put(path, json=registration(f"{services.url}/mine"), headers=of("other")),
        await client.delete(path, headers=of("other")),
    ):
        problem(answer, 404)
    assert (await ids(client))["team-a.judge"] == "registered"
    assert (await register(client, services.url, "other")).status_code == 201  # the name is free there
    await client.delete(path, headers=of())
    assert "team-a.judge" not in await ids(client)
    assert "team-a.judge" in await ids(client, "other")


async def test_the_platforms_detector_is_everybodys_and_only_the_platform_changes_it(
    client: httpx.AsyncClient, services: Services
) -> None:
    said = registration(f"{services.url}/mine")
    problem(await client.post(PATH, json=said, headers=of(PLATFORM)), 403)  # a tenant of that name is not the platform
    everybodys = of("*") | {"X-Tenant-ID": PLATFORM}
    problem(await client.post(PATH, json=said, headers=of("*", amr=[]) | {"X-Tenant-ID": PLATFORM}), 403)
    made = await client.post(PATH, json=said, headers=everybodys)
    assert made.json()["for_all_tenants"], made.text
    described = (await client.get(f"{PATH}/team-a.judge", headers=of())).json()
    assert (described["origin"], described["registration"]) == ("registered", None)
    asked = {"content": "some words", "detector_types": ["team-a.judge"]}
    judged = await client.post(JUDGE, json=asked, headers=of())
    assert judged.status_code == 200, judged.text
    assert judged.json()["detectors"][0]["status"] == "ok"
    problem(await client.delete(f"{PATH}/team-a.judge", headers=of()), 404)
    problem(await register(client, services.url), 409)
    assert (await client.delete(f"{PATH}/team-a.judge", headers=everybodys)).status_code == 200
    assert "team-a.judge" not in await ids(client, "other")


async def test_the_key_is_nowhere_in_clear(
    client: httpx.AsyncClient, services: Services, redis: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    await register(client, services.url, api_key=SECRET)
    services.answers["/mine"] = lambda _: Answer(500, JSON, SECRET.encode())
    asked = {"content": "some words", "detector_types": ["team-a.judge", "words"]}
    answer = await client.post(JUDGE, json=asked, headers=of())
    assert answer.status_code == 206, answer.text
    assert answer.json()["degraded"] == ["detector.own.team-a.judge.unavailable"]
    shown = [answer, await client.get(PATH, headers=of()), await client.get(f"{PATH}/team-a.judge", headers=of())]
    refused = await client.post(PATH, json=registration("http://x", api_key=SECRET), headers=of())
    metrics = await client.get("/metrics")
    dumped = b"".join([name + (await redis.dump(name) or b"") async for name in redis.scan_iter()])
    assert b"team-a.judge" in dumped
    told = capsys.readouterr()
    for text in (dumped.decode("latin-1"), told.out, told.err, refused.text, *(one.text for one in shown)):
        assert SECRET not in text
    assert "team-a" not in metrics.text


async def test_while_the_store_is_away_the_last_known_are_used(
    services: Services, url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(services, url, monkeypatch) as client:
        await register(client, services.url)
        assert "team-a.judge" in await ids(client)
        async with door(services, "redis://127.0.0.1:1/0", monkeypatch) as alone:
            assert "team-a.judge" not in await ids(alone)
            problem(await register(alone, services.url), 503)
