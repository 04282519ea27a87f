"""orchestrate in front of model servers that fail, hang and come back: real servers, real HTTP, from the settings."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest

from functions.orchestrate.detectors.condition import DETECT
from llama_mapper.chassis import metrics
from llama_mapper.chassis.settings import SettingsError
from tests.fakes.functions import serving
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer, Received, Subscriber, listening

DEMO = {"X-Tenant-ID": "demo"}
CONTENT = "canary someone@example.org"
Behave = Callable[[Received], Awaitable[Answer]]


def predicts(label: str, score: float = 0.9, version: str = "1") -> Answer:
    body = json.dumps({"predictions": [[{"label": label, "score": score}]]}).encode()
    return Answer(200, {**JSON, "x-model-version": version}, body)


async def good(received: Received) -> Answer:
    return predicts("toxic")


async def down(received: Received) -> Answer:
    return Answer(503, body=CONTENT.encode())


async def hanging(received: Received) -> Answer:
    await asyncio.sleep(3600)
    return Answer()


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        yield started


@pytest.fixture
def configure(services: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def say(**settings: Any) -> None:
        standing = {
            "DETECT_URL": services.url,
            "ANALYZE_URL": services.url,
            "MAPPER_URL": services.url,
            "DEADLINE_SECONDS": "30",
            "MAPPER_BUDGET_SECONDS": "20",
        }
        monkeypatch.setenv("K_SINK", services.url + BROKER)
        for name, value in {**standing, **settings}.items():
            monkeypatch.setenv(f"ORCHESTRATION_{name}", value if isinstance(value, str) else json.dumps(value))

    return say


@asynccontextmanager
async def orchestrate() -> AsyncIterator[tuple[httpx.AsyncClient, ModuleType]]:
    async with serving("orchestrate") as (client, module):
        yield client, module


def predict(server: Subscriber, name: str) -> str:
    return f"{server.url}/v1/models/{name}:predict"


def predictions(server: Subscriber) -> list[Received]:
    return [one for one in server.received if one.path.endswith(":predict")]


async def ask(client: httpx.AsyncClient, *names: str) -> httpx.Response:
    body = {"content": CONTENT, "detector_types": list(names)}
    return await client.post("/api/v1/orchestrate", json=body, headers=DEMO)


def shown(response: httpx.Response) -> list[tuple[str, str, str]]:
    return [(one["asked"], one["detector"], one["status"]) for one in response.json()["detectors"]]


@pytest.mark.parametrize(("behave", "status"), [(down, "unavailable"), (hanging, "timeout")])
async def test_where_a_model_server_fails_another_answers(
    configure: Callable[..., None], behave: Behave, status: str
) -> None:
    async with listening(behave) as bad, listening(good) as well:
        servers = {"model": predict(bad, "model"), "other": predict(well, "other")}
        configure(MODEL_SERVERS=servers, ALTERNATIVES={"model": ["other"]}, DEADLINE_SECONDS="1.5")
        async with orchestrate() as (client, _):
            response = await ask(client, "model")
    assert response.status_code == 200, response.text
    assert shown(response) == [("model", "model", status), ("model", "other", "ok")]
    assert response.json()["degraded"] == [f"detector.model.{status}"]
    assert CONTENT not in response.text


async def test_a_call_that_fails_once_is_made_again(configure: Callable[..., None]) -> None:
    answers = [Answer(503), Answer(503), predicts("toxic")]

    async def behave(received: Received) -> Answer:
        return answers.pop(0) if received.path.endswith(":predict") else Answer(200)

    async with listening(behave) as server:
        configure(MODEL_SERVERS={"model": predict(server, "model")})
        async with orchestrate() as (client, _):
            assert shown(await ask(client, "model")) == [("model", "model", "ok")]
    assert len(predictions(server)) == 3


async def test_one_that_keeps_failing_is_left_alone_and_said_so(configure: Callable[..., None]) -> None:
    async with listening(down) as server:
        configure(MODEL_SERVERS={"model": predict(server, "model")}, DETECTOR_ATTEMPTS="1")
        async with orchestrate() as (client, _):
            responses = [await ask(client, "model", "words") for _ in range(7)]
    assert {response.status_code for response in responses} == {206}
    assert len(predictions(server)) == 5


async def test_the_health_of_each_is_there_to_see(configure: Callable[..., None]) -> None:
    async with listening(down) as bad, listening(good) as well:
        configure(MODEL_SERVERS={"model": predict(bad, "model"), "other": predict(well, "other")})
        async with orchestrate() as (client, module):
            health = module.orchestrator.asking.health
            for name in ("model", "other", DETECT):
                for _ in range(3):
                    await health.look(name)
            listed = (await client.get("/api/v1/detectors", headers=DEMO)).json()["detectors"]
            bad_health = (await client.get("/api/v1/detectors/model/health", headers=DEMO)).json()
            response = await ask(client, "model", "other")
    statuses = {one["id"]: one["status"] for one in listed}
    assert (statuses["model"], statuses["other"]) == ("unhealthy", "healthy")
    assert (bad_health["status"], bad_health["consecutive_failures"]) == ("unhealthy", 3)
    assert (bad_health["last_error"], "since" in bad_health) == ("UNAVAILABLE", True)
    assert shown(response) == [("model", "model", "unavailable"), ("other", "other", "ok")]
    assert not predictions(bad)


async def test_a_crowd_is_told_that_the_detector_is_full(configure: Callable[..., None]) -> None:
    let_go = asyncio.Event()

    async def slow(received: Received) -> Answer:
        while not let_go.is_set():  # noqa: ASYNC110 - the server has a loop of its own
            await asyncio.sleep(0.01)
        return predicts("toxic")

    async with listening(slow) as server:
        configure(MODEL_SERVERS={"model": predict(server, "model")}, DETECTOR_CONCURRENCY="1")
        async with orchestrate() as (client, module):
            slots = module.orchestrator.model_servers._model_servers._slots["model"]
            asked = [asyncio.create_task(ask(client, "model")) for _ in range(4)]
            while slots._admitted < 4:  # noqa: ASYNC110 - the slots have no event
                await asyncio.sleep(0)
            fifth = await ask(client, "model", "words")
            let_go.set()
            responses = await asyncio.gather(*asked)
    assert shown(fifth) == [("model", "model", "overloaded"), ("words", "words", "ok")]
    assert fifth.json()["degraded"] == ["detector.model.overloaded"]
    assert {response.status_code for response in responses} == {200}


async def test_a_slow_call_is_made_twice_where_the_settings_say_so(configure: Callable[..., None]) -> None:
    slow_once = iter([True])

    async def behave(received: Received) -> Answer:
        hangs = received.path.endswith(":predict") and next(slow_once, False)
        return await hanging(received) if hangs else predicts("toxic")

    def won() -> float:
        labels = {"detector": "model", "outcome": "won"}
        return metrics.REGISTRY.get_sample_value("llama_mapper_detector_hedges_total", labels) or 0.0

    async with listening(behave) as server:
        hedge = {"after_seconds": 0.02, "budget": 0.5}
        configure(MODEL_SERVERS={"model": predict(server, "model")}, HEDGES={"model": hedge})
        async with orchestrate() as (client, module):
            module.orchestrator.model_servers._hedged["model"]._budget._saved = 1.0
            before = won()
            response = await ask(client, "model")
    assert (shown(response), won() - before) == ([("model", "model", "ok")], 1)


async def test_a_candidate_version_answers_for_its_share_and_is_no_detector_of_its_own(
    configure: Callable[..., None],
) -> None:
    async def next_(received: Received) -> Answer:
        return predicts("toxic", version="2")

    async with listening(good) as current, listening(next_) as candidate:
        configure(
            MODEL_SERVERS={"model": predict(current, "model"), "model-next": predict(candidate, "model-next")},
            DETECTOR_VERSIONS={"model": {"candidates": [{"detector": "model-next", "share": 1.0}]}},
        )
        async with orchestrate() as (client, _):
            answer = (await ask(client, "model")).json()
            listed = (await client.get("/api/v1/detectors", headers=DEMO)).json()["detectors"]
            refused = await ask(client, "model-next")
    assert [(one["detector"], one["version"]) for one in answer["detectors"]] == [("model", "2")]
    assert not predictions(current)
    assert ("model-next" in {one["id"] for one in listed}, refused.status_code) == (False, 400)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HEDGES", {"nobody": {"after_seconds": 0.1}}),
        ("MODEL_VOCABULARIES", {"nobody": {"vocabulary": "presidio"}}),
        ("MODEL_VOCABULARIES", {"model": {"vocabulary": "nobodys"}}),
        ("MODEL_VOCABULARIES", {"model": {"vocabulary": "llama-guard"}}),
        ("DETECTOR_VERSIONS", {"nobody": {"candidates": [{"detector": "model", "share": 0.1}]}}),
        ("DETECTOR_VERSIONS", {"model": {"candidates": [{"detector": "model", "share": 0.1}]}}),
        ("DETECTOR_VERSIONS", {"model": {"candidates": [{"detector": "nobody", "share": 0.1}]}}),
    ],
)
async def test_a_name_that_stands_for_nothing_ends_the_start(
    configure: Callable[..., None], setting: str, value: object
) -> None:
    configure(MODEL_SERVERS={"model": "http://127.0.0.1:9/v1/models/model:predict"}, **{setting: value})
    with pytest.raises(SettingsError, match=f"ORCHESTRATION_{setting}"):
        async with serving("orchestrate"):
            pass
