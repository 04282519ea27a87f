"""What is counted of each revision of the predictor, and the middleware that names it."""

import asyncio
import contextlib
import importlib.util
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.chassis.metrics import REGISTRY
from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from mapper_serving.completion import CompletionServer
from mapper_serving.revisions import HEADER, MAX_REVISIONS, UNKNOWN, Revisions
from tests.fakes.predictor import URL, answered, serving

ROOT = Path(__file__).parents[3]
GOOD = answered({"A": 0.9, "Z": 0.1}, {"<": 1.0})


def value(name: str, revision: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(f"llama_mapper_predictor_{name}", {"predictor_revision": revision, **labels})
    return -1.0 if found is None else found


def outcomes(revision: str) -> dict[str, float]:
    return {name: value("calls_total", revision, outcome=name) for name in ("answered", "late", "invalid", "failed")}


async def ask(answer: httpx.Response | Exception, budget: float = 30.0) -> None:
    """Warm up on an answer of nobody's, then ask once."""
    client, _ = serving(httpx.Response(200, json=GOOD), answer)
    server = CompletionServer(
        URL, "m", client, AsyncCircuitBreakerFactory(), budget, 0.0, revisions=Revisions(("PII",), 0.6)
    )
    server.start()
    for _ in range(5):
        await asyncio.sleep(0)
    with contextlib.suppress(Unavailable, RequestTimeout):
        await server.ask("ssn ->", 2)


@pytest.mark.parametrize(
    ("answer", "revision", "outcome"),
    [
        (httpx.Response(200, json=GOOD, headers={HEADER: "a-00001"}), "a-00001", "answered"),
        (httpx.Response(200, json={"choices": []}, headers={HEADER: "a-00002"}), "a-00002", "invalid"),
        (httpx.Response(200, text="?", headers={HEADER: "a-00003"}), "a-00003", "invalid"),
        (httpx.Response(500, headers={HEADER: "a-00004"}), "a-00004", "failed"),
        (httpx.Response(404, headers={HEADER: "a-00005"}), "a-00005", "failed"),
    ],
)
async def test_a_call_is_counted_for_the_revision_that_answered(
    answer: httpx.Response, revision: str, outcome: str
) -> None:
    await ask(answer)
    expected = dict.fromkeys(("answered", "late", "invalid", "failed"), 0.0) | {outcome: 1.0}
    assert outcomes(revision) == expected
    assert value("seconds_count", revision) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("gone"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503),
        httpx.Response(503, headers={HEADER: "Not A Name"}),
        httpx.Response(503, headers={HEADER: "a" * 64}),
    ],
)
async def test_a_call_without_a_name_is_nobodys(answer: httpx.Response | Exception) -> None:
    before = value("calls_total", UNKNOWN, outcome="failed")
    await ask(answer)
    assert value("calls_total", UNKNOWN, outcome="failed") == max(0.0, before) + 1


async def test_the_first_answer_of_a_cold_server_is_not_counted() -> None:
    Revisions((), 0.0)
    before = value("calls_total", UNKNOWN, outcome="answered")
    await ask(httpx.Response(200, json=GOOD, headers={HEADER: "warm-00001"}))
    assert value("calls_total", UNKNOWN, outcome="answered") == before


async def test_an_answer_after_the_budget_is_late() -> None:
    revisions = Revisions((), 0.0)
    with revisions.call(0.0) as call:
        call.came_from({HEADER: "late-00001"})
        call.outcome = "answered"
    assert outcomes("late-00001")["late"] == 1


def test_an_answer_is_counted_by_confidence_threshold_and_pillar_alone() -> None:
    revisions = Revisions(("PII", "SAFETY"), 0.6)
    revisions.judged("j-00001", "PII.Contact.Email", 0.6)
    revisions.judged("j-00001", "PII.Identity", 0.59)
    revisions.judged("j-00001", "invented", 0.1)
    assert value("unsure_total", "j-00001") == 2
    assert value("answers_total", "j-00001", pillar="PII") == 2
    assert value("answers_total", "j-00001", pillar="SAFETY") == 0
    assert value("answers_total", "j-00001", pillar="invented") == -1
    assert value("confidence_count", "j-00001") == 3
    assert value("confidence_bucket", "j-00001", le="0.6") == 3
    assert value("confidence_bucket", "j-00001", le="0.55") == 1


def test_all_series_of_a_revision_begin_at_zero() -> None:
    revisions = Revisions(("PII",), 0.6)
    with revisions.call(1.0) as call:
        call.came_from({HEADER: "z-00001"})
        call.outcome = "answered"
    assert outcomes("z-00001") == {"answered": 1.0, "late": 0.0, "invalid": 0.0, "failed": 0.0}
    assert value("answers_total", "z-00001", pillar="PII") == 0
    assert value("unsure_total", "z-00001") == 0


def test_of_many_revisions_the_oldest_are_forgotten() -> None:
    revisions = Revisions(("PII",), 0.6)
    for number in range(MAX_REVISIONS + 1):
        revisions.judged(f"many-{number:05d}", "PII", 0.9)
    assert value("confidence_count", "many-00000") == -1
    assert value("answers_total", "many-00000", pillar="PII") == -1
    assert value("confidence_count", f"many-{MAX_REVISIONS:05d}") == 1
    assert value("calls_total", UNKNOWN, outcome="failed") >= 0


async def test_the_middleware_names_the_revision_in_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_REVISION", "mapper-predictor-00002")
    app = FastAPI()
    app.add_middleware(_middleware())

    @app.get("/there")
    async def there() -> dict[str, str]:
        return {}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vllm") as client:
        answers = [await client.get("/there"), await client.get("/away")]
    assert [(one.status_code, one.headers[HEADER]) for one in answers] == [
        (200, "mapper-predictor-00002"),
        (404, "mapper-predictor-00002"),
    ]


def _middleware() -> Any:
    path = ROOT / "inference-services" / "mapper" / "predictor_revision.py"
    spec = importlib.util.spec_from_file_location("predictor_revision", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Revision
