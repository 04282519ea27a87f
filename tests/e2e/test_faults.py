"""Each dependency breaks in each way that can be told apart at once; `python -m tests.performance.faults` measures all.

A breaker rests for a second here: how long it rests is a setting, that it closes again is what is seen.
"""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.faults import FaultySystem, running
from tests.e2e.running import wait_for
from tests.fakes.faulty_link import Fault

pytestmark = pytest.mark.slow

FAULTS: tuple[Fault, ...] = ("down", "hanging", "flapping", "wrong")
GONE = "unavailable|timeout|failed|overloaded"
# What may be answered meanwhile, and the only fallbacks that may be named. Nothing is ever a 500.
EXPECTED = {
    "detect": ({200, 206}, rf"detector\.(llama-mapper-regex|tox-block)\.({GONE})"),
    "mapper": ({200}, rf"mapper\.({GONE})"),
    "analyze": ({200}, rf"analyze\.({GONE})"),
    "broker": ({200}, r"event\.deferred"),
    "valkey": ({200}, "nothing"),
    "clickhouse": ({200}, "nothing"),
    "opa": ({200, 503}, "nothing"),
    "model server": ({200, 206}, rf"detector\.deberta-toxicity\.({GONE})"),
    "vendor's API": ({200, 206}, rf"detector\.acme-moderation\.({GONE})"),
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySystem]:
    pytest.importorskip("chdb", reason="ClickHouse's engine is not installed")
    settings = {
        "ORCHESTRATION_BREAKER_REST_SECONDS": "1",
        "ORCHESTRATION_HEALTH_SECONDS": "1",
        # A busy machine is no fault of a dependency's.
        "ORCHESTRATION_DEADLINE_LOW_SECONDS": "8",
        "ORCHESTRATION_DETECTOR_TIMEOUT_SECONDS": "4",
        "ORCHESTRATION_MAPPER_BUDGET_SECONDS": "3",
    }
    with running(tmp_path_factory.mktemp("faults"), **settings) as started:
        wait_for(started.whole, "everything answers", 60)
        yield started


def test_every_dependency_has_its_expectation(system: FaultySystem) -> None:
    assert EXPECTED.keys() == system.links.keys()


@pytest.mark.parametrize("dependency", EXPECTED)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_harms_nothing_else_and_heals_by_itself(
    system: FaultySystem, dependency: str, fault: Fault
) -> None:
    statuses, fallbacks = EXPECTED[dependency]
    system.links[dependency].become(fault)
    answers = [system.ask("low") for _ in range(1 if fault == "hanging" else 2)]
    system.links[dependency].become("none")
    for answer, _ in answers:
        assert answer.status in statuses, answer
        assert all(re.fullmatch(fallbacks, name) for name in answer.degraded), answer
        assert answer.status != 206 or answer.degraded, "a partial answer says what is missing"
    if fault in ("down", "hanging", "wrong") and 503 not in statuses and fallbacks != "nothing":
        assert all(answer.degraded for answer, _ in answers), "no fallback was named"
    wait_for(system.whole, f"an answer without fallbacks after {dependency} was {fault}", 60)
    for answer, correlation_id in answers:
        if answer.status != 503:
            wait_for(lambda name=correlation_id: system.recorded(name), "it is recorded", 60)  # type: ignore[misc]


def test_without_policies_nobody_is_let_through(system: FaultySystem) -> None:
    system.links["opa"].become("down")
    answer, _ = system.ask("low")
    system.links["opa"].become("none")
    assert (answer.status, answer.error_code) == (503, "UNAVAILABLE")
    wait_for(system.whole, "the policies answer again", 60)
