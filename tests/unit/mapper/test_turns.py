"""Whose turn it is: so many at once, equal calls once, and a budget that counts from when a label began to wait."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from mapper_serving.turns import HURRY_SECONDS, MAX_LATE, Turns, waiting

LONG = 60.0
HURRY = HURRY_SECONDS - 1
NOW = 0.0


class Server:
    """Answers each key when a test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._gates: dict[str, asyncio.Future[str]] = {}

    def call(self, key: str) -> Callable[[], Awaitable[str]]:
        async def answer() -> str:
            self.asked.append(key)
            return await self._gates.setdefault(key, asyncio.get_running_loop().create_future())

        return answer

    def say(self, key: str, answer: str | Exception = "yes") -> None:
        gate = self._gates.setdefault(key, asyncio.get_running_loop().create_future())
        if isinstance(answer, Exception):
            gate.set_exception(answer)
        else:
            gate.set_result(answer)


class Asking:
    """Callers of a predictor with *size* turns."""

    def __init__(self, size: int) -> None:
        self.turns: Turns[str] = Turns(size)
        self.server = Server()

    def hurried(self, key: str, seconds: float = HURRY) -> asyncio.Task[str]:
        return asyncio.create_task(self.turns.ask(key, self.server.call(key), seconds))

    def patient(self, key: str, seconds: float = LONG) -> asyncio.Task[str]:
        with waiting(seconds):
            return asyncio.create_task(self.turns.ask(key, self.server.call(key), NOW))


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_calls_are_made_at_once_than_there_are_turns() -> None:
    asking = Asking(4)
    tasks = [asking.patient(str(i)) for i in range(100)]
    for i in range(100):
        await settled()
        assert len(asking.server.asked) == min(100, i + 3)
        asking.server.say(str(i))
    assert await asyncio.gather(*tasks) == ["yes"] * 100


async def test_equal_questions_are_asked_once() -> None:
    asking = Asking(2)
    tasks = [asking.hurried("same") for _ in range(50)]
    await settled()
    asking.server.say("same")
    assert await asyncio.gather(*tasks) == ["yes"] * 50
    assert asking.server.asked == ["same"]


async def test_a_failure_reaches_everybody_who_asked_and_is_not_kept() -> None:
    asking = Asking(2)
    tasks = [asking.hurried("same") for _ in range(3)]
    await settled()
    asking.server.say("same", Unavailable("away"))
    assert [type(e) for e in await asyncio.gather(*tasks, return_exceptions=True)] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        await asking.hurried("same")
    assert asking.server.asked == ["same", "same"]


async def test_whoever_waits_longer_than_they_have_is_told_so_and_was_never_sent() -> None:
    asking = Asking(1)
    first = asking.hurried("first")
    await settled()
    with pytest.raises(RequestTimeout):
        await asking.hurried("second", NOW)
    asking.server.say("first")
    await first
    await settled()
    assert asking.server.asked == ["first"]


async def test_an_answer_that_comes_too_late_is_there_for_the_next_who_asks() -> None:
    asking = Asking(1)
    late = asking.hurried("slow", NOW)
    with pytest.raises(RequestTimeout):
        await late
    asking.server.say("slow", "after all")
    await settled()
    assert await asking.hurried("slow", NOW) == "after all"
    assert asking.server.asked == ["slow"]


async def test_a_call_that_nobody_waits_for_any_more_still_holds_its_turn() -> None:
    asking = Asking(1)
    with pytest.raises(RequestTimeout):
        await asking.hurried("slow", NOW)
    other = asking.hurried("other")
    await settled()
    assert asking.server.asked == ["slow"]
    asking.server.say("slow")
    asking.server.say("other")
    assert await other == "yes"


async def test_a_caller_that_went_away_leaves_the_answer_behind() -> None:
    asking = Asking(1)
    gone = asking.hurried("asked")
    await settled()
    gone.cancel()
    asking.server.say("asked", "kept")
    await settled()
    assert await asking.hurried("asked") == "kept"
    assert asking.server.asked == ["asked"]


async def test_late_answers_do_not_pile_up() -> None:
    asking = Asking(1)
    for key in map(str, range(MAX_LATE + 1)):
        asking.server.say(key)
        task = asking.hurried(key)
        await asyncio.sleep(0)
        task.cancel()
        await settled()
    assert len(asking.server.asked) == MAX_LATE + 1
    assert await asking.hurried("1") == "yes"
    assert len(asking.server.asked) == MAX_LATE + 1
    assert await asking.hurried("0") == "yes"  # the oldest is gone and was asked again
    assert asking.server.asked[-1] == "0"


async def test_a_batch_leaves_a_turn_to_a_single_label() -> None:
    asking = Asking(2)
    batch = [asking.patient(f"batch {i}") for i in range(10)]
    await settled()
    assert asking.server.asked == ["batch 0"]
    single = asking.hurried("single")
    await settled()
    assert asking.server.asked == ["batch 0", "single"]
    asking.server.say("single")
    for i in range(10):
        asking.server.say(f"batch {i}")
    assert await asyncio.gather(single, *batch) == ["yes"] * 11


async def test_whoever_is_in_a_hurry_goes_before_those_who_wait_longer() -> None:
    asking = Asking(1)
    batch = [asking.patient(f"batch {i}") for i in range(2)]
    await settled()
    single = asking.hurried("single")
    await settled()
    asking.server.say("batch 0")
    await settled()
    assert asking.server.asked[-1] == "single"
    asking.server.say("single")
    asking.server.say("batch 1")
    assert await asyncio.gather(single, *batch) == ["yes"] * 3


async def test_where_both_wait_batches_and_single_labels_take_turns() -> None:
    asking = Asking(1)
    batch = [asking.patient(f"batch {i}") for i in range(3)]
    await settled()
    singles = [asking.hurried(f"single {i}") for i in range(3)]
    await settled()
    for key in ("batch 0", "single 0", "batch 1", "single 1", "batch 2", "single 2"):
        assert asking.server.asked[-1] == key
        asking.server.say(key)
        await settled()
    assert await asyncio.gather(*batch, *singles) == ["yes"] * 6


async def test_whoever_gives_up_waiting_holds_up_nobody() -> None:
    asking = Asking(1)
    first = asking.patient("first")
    await settled()
    with pytest.raises(RequestTimeout):
        await asking.hurried("impatient", NOW)
    second = asking.patient("second")
    asking.server.say("first")
    asking.server.say("second")
    assert [await first, await second] == ["yes", "yes"]


async def late(asking: Asking, times: int) -> None:
    """Let as many calls come too late for whoever was in a hurry."""
    for number in range(times):
        with pytest.raises(RequestTimeout):
            await asking.hurried(f"late {number}", NOW)
        asking.server.say(f"late {number}")
        await settled()


async def at_once(asking: Asking, ask: Callable[[str], asyncio.Task[str]], word: str) -> int:
    """How many of fifty callers are let through together; afterwards all are answered."""
    before = len(asking.server.asked)
    tasks = [ask(f"{word} {number}") for number in range(50)]
    await settled()
    found = len(asking.server.asked) - before
    for number in range(50):
        asking.server.say(f"{word} {number}")
    await asyncio.gather(*tasks)
    return found


@pytest.mark.parametrize(("calls_too_late", "hurried", "patient"), [(0, 16, 15), (1, 8, 7), (2, 4, 3), (9, 1, 1)])
async def test_calls_that_come_too_late_let_fewer_through_at_once(
    calls_too_late: int, hurried: int, patient: int
) -> None:
    asking = Asking(16)
    await late(asking, calls_too_late)
    assert await at_once(asking, asking.hurried, "hurried") == hurried
    asking = Asking(16)
    await late(asking, calls_too_late)
    assert await at_once(asking, asking.patient, "patient") == patient


async def test_calls_in_time_let_more_through_again_up_to_the_size() -> None:
    asking = Asking(4)
    await late(asking, 9)
    found = [await at_once(asking, asking.hurried, str(i)) for i in range(4)]
    assert found == [1, 3, 4, 4]


async def test_patient_calls_make_room_but_slowly() -> None:
    asking = Asking(16)
    await late(asking, 9)
    found = [await at_once(asking, asking.patient, str(i)) for i in range(8)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (1, 2)


async def test_a_batch_ends_with_its_own_time() -> None:
    asking = Asking(1)
    first, second = asking.patient("first"), asking.patient("second", NOW)
    with pytest.raises(RequestTimeout):
        await second
    asking.server.say("first")
    assert await first == "yes"
    assert asking.server.asked == ["first"]
