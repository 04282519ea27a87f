"""promote over HTTP: ticks and evaluations in, 503 where the cluster is away."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from functions.promote.server import create_server
from tests.fakes.promotion import EVALUATED, Promotion

TICK = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/ping", "ce-type": "dev.knative.sources.ping"}
EVALUATION = {
    "ce-specversion": "1.0",
    "ce-id": "2",
    "ce-source": "/evaluate",
    "ce-type": "io.llama-mapper.evaluation.completed.v1",
    "ce-tenantid": "platform",
    "ce-time": "2026-11-20T10:00:00Z",
    "content-type": "application/json",
}


def client(world: Promotion) -> httpx.AsyncClient:
    app = create_server(world.gate, max_bytes=65_536, log_level="INFO", now=lambda: datetime(2026, 11, 20, tzinfo=UTC))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://promote")


async def test_a_tick_looks_at_every_canary(world: Promotion) -> None:
    world.start()
    async with client(world) as promote:
        assert (await promote.post("/ticks", headers=TICK)).status_code == 204
    assert world.canary.status.percent == 5


async def test_a_tick_delivered_again_takes_no_second_step(world: Promotion) -> None:
    world.start()
    async with client(world) as promote:
        for _ in range(3):
            await promote.post("/ticks", headers=TICK)
    assert world.canary.status.step == 1
    assert len(world.events) == 1


async def test_what_is_no_tick_is_refused(world: Promotion) -> None:
    async with client(world) as promote:
        assert (await promote.post("/ticks", headers=TICK | {"ce-type": "other"})).status_code == 422


async def test_an_evaluation_is_remembered_once(world: Promotion) -> None:
    world.start()
    async with client(world) as promote:
        await promote.post("/ticks", headers=TICK)
        for _ in range(2):
            body = EVALUATED.model_dump_json()
            assert (await promote.post("/events", headers=EVALUATION, content=body)).status_code == 204
    golden = world.canary.status.golden
    assert golden is not None
    assert (golden.evaluation_id, golden.gates_failed) == ("evaluation-1", ())


@pytest.mark.parametrize("away", ["api", "role", "broker"])
async def test_what_is_away_makes_the_tick_come_again(world: Promotion, away: str) -> None:
    world.start()
    if away == "broker":
        world.broker[0] = 503
    elif away == "role":
        world.api.rules = ()
    else:
        world.api.before = _drop
    async with client(world) as promote:
        answer = await promote.post("/ticks", headers=TICK)
    assert (answer.status_code, json.loads(answer.content)["error_code"]) == (503, "UNAVAILABLE")


def _drop(method: str, path: str) -> None:
    raise ConnectionResetError


async def test_the_image_needs_no_cluster_to_answer_its_probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    from functions.promote.main import app

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://promote") as promote:
        assert [(await promote.get(path)).status_code for path in ("/health", "/ready")] == [200, 200]
