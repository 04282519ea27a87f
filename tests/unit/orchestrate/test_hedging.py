"""Time is an event here: the first call waits until the test lets it go on."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.orchestrate.detectors.hedging import ENOUGH, SAVED, Budget, Hedge, Hedging
from llama_mapper.contracts.problems import Problem, RequestTimeout, Unavailable

AT_ONCE = 0.001
LONG = 3600.0
Answer = str | Problem


class Detector:
    """Gives each call its answer: at once, or where it is None never."""

    def __init__(self, *answers: Answer | None) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.given_up = 0

    async def __call__(self, seconds: float) -> str:
        self.asked += 1
        answer = self._answers.pop(0)
        if answer is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.given_up += 1
                raise
        if isinstance(answer, Problem):
            raise answer
        assert answer is not None
        return answer


def hedging(outcomes: list[str], **said: Any) -> Hedging:
    made = Hedging(Hedge.model_validate({"after_seconds": AT_ONCE, "budget": 0.5} | said), outcomes.append)
    made._budget._saved = 1.0
    return made


async def test_a_quick_answer_is_asked_for_once() -> None:
    outcomes: list[str] = []
    detector = Detector("quick")
    assert await hedging(outcomes, after_seconds=60)(detector, LONG) == "quick"
    assert (detector.asked, outcomes) == (1, [])


async def test_where_the_first_is_slow_the_second_answers_and_the_first_is_given_up() -> None:
    outcomes: list[str] = []
    detector = Detector(None, "second")
    assert await hedging(outcomes)(detector, LONG) == "second"
    assert (detector.asked, detector.given_up, outcomes) == (2, 1, ["won"])


async def test_where_the_second_fails_the_first_is_still_waited_for() -> None:
    outcomes: list[str] = []
    answers: list[Answer] = ["first", Unavailable("second")]
    failed, calls = asyncio.Event(), iter(answers)
    assert await hedging(outcomes)(lambda _: until_the_second_fails(next(calls), failed), LONG) == "first"
    assert outcomes == ["lost"]


async def test_where_both_fail_the_first_failure_is_told() -> None:
    failed, calls = asyncio.Event(), iter([RequestTimeout("first"), Unavailable("second")])
    with pytest.raises(RequestTimeout):
        await hedging([])(lambda _: until_the_second_fails(next(calls), failed), LONG)


async def until_the_second_fails(answer: Answer, failed: asyncio.Event) -> str:
    if isinstance(answer, Unavailable):
        failed.set()
        raise answer
    await failed.wait()
    if isinstance(answer, Problem):
        raise answer
    return answer


async def test_a_failure_is_no_reason_to_ask_again() -> None:
    detector = Detector(Unavailable("down"))
    with pytest.raises(Unavailable):
        await hedging([], after_seconds=60)(detector, LONG)
    assert detector.asked == 1


async def test_without_budget_nothing_is_hedged_and_it_is_said() -> None:
    outcomes: list[str] = []
    told = asyncio.Event()

    def tell(outcome: str) -> None:
        outcomes.append(outcome)
        told.set()

    made = Hedging(Hedge(after_seconds=AT_ONCE), tell)

    async def slow(seconds: float) -> str:
        await told.wait()
        return "slow"

    assert await made(slow, LONG) == "slow"
    assert outcomes == ["over_budget"]


async def test_who_gives_up_gives_up_both_calls() -> None:
    detector = Detector(None, None)
    call = asyncio.create_task(hedging([])(detector, LONG))
    while detector.asked < 2:  # noqa: ASYNC110 - the event is the detector's own
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (call.cancelled(), detector.given_up) == (True, 2)


async def test_a_percentile_is_taken_once_enough_was_seen() -> None:
    made = hedging([], after_seconds=None, percentile=95)
    after: Callable[[], float | None] = lambda: made._after  # noqa: E731 - mypy would narrow the attribute for good
    for _ in range(ENOUGH - 2):
        await made(Detector("quick"), LONG)
    assert after() is None
    for _ in range(16):
        await made(Detector("quick"), LONG)
    assert 0 < (after() or 0) < 1


@given(st.floats(0.01, 0.5), st.lists(st.booleans(), max_size=400))
def test_never_more_hedges_than_the_share_of_the_calls(share: float, slow: list[bool]) -> None:
    budget, hedges = Budget(share), 0
    for calls, wanted in enumerate(slow, 1):
        budget.earn()
        hedges += wanted and budget.spend()
        assert hedges <= share * calls + 1e-6


@given(st.floats(0.01, 0.5))
def test_a_quiet_time_saves_up_no_storm(share: float) -> None:
    budget = Budget(share)
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(1_000)) == SAVED


@pytest.mark.parametrize(
    "said",
    [{}, {"after_seconds": 0.1, "percentile": 95}, {"after_seconds": 0}, {"percentile": 100}, {"percentile": 20}]
    + [{"after_seconds": 0.1, "budget": budget} for budget in (0, 0.6)],
)
def test_a_hedge_that_makes_no_sense_is_refused(said: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Hedge.model_validate(said)
