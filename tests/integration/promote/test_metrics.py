"""Figures of two revisions from scraped counters: through restarts, pods that go, calls without an answer."""

import math
from datetime import timedelta

import httpx
import pytest

from functions.promote.metrics import Prometheus
from llama_mapper.contracts.canaries import Revisions
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.kserve import FIRST, SECOND
from tests.fakes.promotion import Promotion

BOTH = Revisions(stable=FIRST, candidate=SECOND)


def advance(world: Promotion, seconds: int = 60) -> None:
    world.now += timedelta(seconds=seconds)
    world.prometheus.now = world.now.timestamp()
    world.scrape()


@pytest.fixture
async def reader(world: Promotion) -> Prometheus:
    return world.gate.measured  # type: ignore[return-value]


async def test_each_revision_has_its_own_figures(world: Promotion, reader: Prometheus) -> None:
    advance(world)
    world.calls(FIRST, 90)
    world.calls(FIRST, 10, "invalid")
    world.calls(SECOND, 8, confidence=0.5)
    world.calls(SECOND, 2, "late")
    advance(world)
    found = await reader.sides("mapper", BOTH, 10, 60)
    stable, candidate = found.stable, found.candidate
    assert (stable.calls, stable.invalid, stable.errors, stable.fallbacks) == (100, 10, 0, 10)
    assert (candidate.calls, candidate.unsure, candidate.fallbacks) == (10, 8, 2)
    assert (stable.pillars["PII"], candidate.pillars["PII"]) == (90, 8)
    assert (candidate.confidence[8], candidate.confidence[9], candidate.confidence[-1]) == (0, 8, 8)
    assert stable.slow == 0


async def test_a_pod_that_restarts_or_goes_takes_nothing_away(world: Promotion, reader: Prometheus) -> None:
    line = 'llama_mapper_predictor_calls_total{{predictor_revision="{}",outcome="answered"}} {}\n'
    target = {"knative_service": "mapper-transformer"}
    for at, first_pod, second_pod in ((0, 100, 40), (15, 130, 70), (30, 20, None)):  # one restarts, one goes
        world.prometheus.now = float(at)
        world.prometheus.scrape(line.format(FIRST, first_pod), pod="a", **target)
        if second_pod is not None:
            world.prometheus.scrape(line.format(FIRST, second_pod), pod="b", **target)
    assert (await reader.sides("mapper", BOTH, 5, 30)).stable.calls == 30 + 20 + 30


async def test_another_services_calls_are_not_counted(world: Promotion, reader: Prometheus) -> None:
    line = f'llama_mapper_predictor_calls_total{{predictor_revision="{FIRST}",outcome="answered"}} '
    for at in (0, 15):
        world.prometheus.now = float(at)
        world.prometheus.scrape(f"{line}{at}\n", knative_service="analyst-transformer")
    assert (await reader.sides("mapper", BOTH, 5, 30)).stable.calls == 0


async def test_failures_without_a_name_are_shared_out(world: Promotion, reader: Prometheus) -> None:
    advance(world)
    world.calls(FIRST, 80)
    world.calls(SECOND, 20)
    world.calls("Nobody", 10, "failed")
    advance(world)
    found = await reader.sides("mapper", BOTH, 20, 60)
    assert (found.stable.errors, found.candidate.errors) == (8, 2)
    assert (found.stable.calls, found.candidate.calls) == (88, 22)


async def test_what_was_before_the_step_is_read_by_itself(world: Promotion, reader: Prometheus) -> None:
    advance(world)
    world.calls(FIRST, 50)
    advance(world)
    world.calls(FIRST, 7)
    advance(world)
    before = await reader.before("mapper", FIRST, 60, 60)
    assert before is not None
    assert before.calls == 50
    assert await reader.before("mapper", "mapper-predictor-00009", 60, 60) is None


async def test_askers_who_share_a_call_do_not_count_more_than_the_call(world: Promotion, reader: Prometheus) -> None:
    advance(world)
    world.calls(FIRST, 10)
    for _ in range(30):
        world.revisions.judged(FIRST, "PII.Contact.Email", 0.2)
    advance(world)
    stable = (await reader.sides("mapper", BOTH, 20, 60)).stable
    assert stable.confidence[-1] == stable.pillars["PII"] == 10
    assert stable.unsure == math.ceil(10 * 30 / 40)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"status": "error"}),
        httpx.Response(200, json={"data": {"result": [{"metric": {}, "value": [0]}]}}),
        httpx.ConnectError("gone"),
    ],
)
async def test_an_answer_that_is_none_is_unavailable(answer: httpx.Response | Exception) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        with pytest.raises(Unavailable):
            await Prometheus("http://prometheus", client, 0.45, 1.0).sides("mapper", BOTH, 5, 60)
