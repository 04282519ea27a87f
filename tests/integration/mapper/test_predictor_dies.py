"""The predictor is killed in the middle of a batch: everything is answered, and the model comes back by itself."""

import asyncio
from collections import Counter
from itertools import chain
from typing import Any

import httpx

from mapper_serving.completion import CONCURRENCY
from tests.fakes.free_ports import free_port
from tests.fakes.predictor_process import ANSWER, running

from .conftest import Serve, until_by_model

ANSWERS = 100
BATCH = 500


async def mapped(asked: httpx.AsyncClient, *labels: str) -> list[dict[str, Any]]:
    items = [{"detector": "vendor-nobody-curated", "detector_version": "1", "label": label} for label in labels]
    answer = await asked.post("/api/v1/map/batch", json={"items": items})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert [(row["index"], row["status"]) for row in results] == [(i, 200) for i in range(len(labels))]
    return [row["mapping"] for row in results]


async def test_a_batch_survives_the_predictor_and_the_model_returns_without_a_restart(serve: Serve) -> None:
    port = free_port()
    asked = serve(f"http://127.0.0.1:{port}", httpx.AsyncClient(trust_env=False))
    with running(port, ANSWERS):
        await until_by_model(asked)
        answers = await mapped(asked, *(f"email_address_{i}" for i in range(BATCH)))
        methods = Counter(answer["method"] for answer in answers)
    assert set(methods) == {"model", "fallback"}
    assert methods.total() == BATCH
    assert 0 < methods["model"] < ANSWERS
    assert all(answer["labels"] for answer in answers)
    again = Counter(answer["method"] for answer in await mapped(asked, *(f"email_address_{i}" for i in range(BATCH))))
    assert again == {"cache": methods["model"], "fallback": methods["fallback"]}
    with running(port):
        await until_by_model(asked)
        restored = Counter(
            answer["method"] for answer in await mapped(asked, *(f"email_address_{i}" for i in range(BATCH)))
        )
    assert restored == {"cache": methods["model"], "model": methods["fallback"]}


async def test_many_batches_together_make_no_more_calls_at_once_than_one(serve: Serve) -> None:
    under_way, most = 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(5):  # let the others in, if they may
            await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(200, content=ANSWER)

    asked = serve("http://predictor", httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    await until_by_model(asked)
    batches = ((f"email_{batch}_address_{i}" for i in range(BATCH // 5)) for batch in range(5))
    answers = await asyncio.gather(*(mapped(asked, *labels) for labels in batches))
    assert {one["method"] for one in chain.from_iterable(answers)} == {"model"}
    assert 1 < most <= CONCURRENCY


async def test_equal_findings_of_a_batch_are_asked_once(serve: Serve) -> None:
    prompts: Counter[bytes] = Counter()

    async def answer(request: httpx.Request) -> httpx.Response:
        prompts[request.content] += 1
        await asyncio.sleep(0)
        return httpx.Response(200, content=ANSWER)

    asked = serve("http://predictor", httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    await until_by_model(asked)
    prompts.clear()
    answers = await mapped(asked, *["email_address_of_everybody"] * BATCH)
    assert {one["labels"][0]["label"] for one in answers} == {answers[0]["labels"][0]["label"]}
    assert prompts.total() == 1
