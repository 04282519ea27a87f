"""Calls made together: each gets its own result, one that fails harms no other."""

import asyncio
from collections.abc import Sequence

import pytest

from functions.record import together
from functions.record.together import Together
from llama_mapper.contracts.problems import Unavailable


class Doubling:
    """Doubles numbers, refuses any round with a negative one, and begins only when the gate is open."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.rounds.append(list(numbers))
        await self.gate.wait()
        if min(numbers) < 0:
            raise Unavailable("negative", retry_after_seconds=1)
        return [2 * number for number in numbers]


async def asked(call: Together[int, int], numbers: Sequence[int]) -> "list[asyncio.Task[int]]":
    tasks = [asyncio.create_task(call(number)) for number in numbers]
    for _ in range(3):  # until the first round waits at the gate and the rest behind it
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_during_a_round_is_the_next_round() -> None:
    work = Doubling()
    call = Together(work)
    first = await asked(call, [1])
    rest = await asked(call, [2, 3, 4])
    work.gate.set()
    assert await asyncio.gather(*first, *rest) == [2, 4, 6, 8]
    assert work.rounds == [[1], [2, 3, 4]]


async def test_a_later_call_begins_a_round_of_its_own() -> None:
    work = Doubling()
    work.gate.set()
    call = Together(work)
    assert [await call(1), await call(2)] == [2, 4]
    assert work.rounds == [[1], [2]]


async def test_a_round_has_a_greatest_size() -> None:
    work = Doubling()
    call = Together(work)
    tasks = await asked(call, range(together.MOST + 2))
    work.gate.set()
    assert await asyncio.gather(*tasks) == [2 * number for number in range(together.MOST + 2)]
    assert max(map(len, work.rounds)) == together.MOST


async def test_what_one_is_refused_for_fails_no_other() -> None:
    work = Doubling()
    call = Together(work)
    tasks = await asked(call, [1])
    tasks += await asked(call, [2, -1, 3])
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [int, int, Unavailable, int]
    assert work.rounds == [[1], [2, -1, 3], [2], [-1], [3]]


async def test_one_alone_that_is_refused_is_tried_once() -> None:
    work = Doubling()
    work.gate.set()
    with pytest.raises(Unavailable):
        await Together(work)(-1)
    assert work.rounds == [[-1]]


async def test_a_caller_that_went_away_holds_nobody_up() -> None:
    work = Doubling()
    call = Together(work)
    tasks = await asked(call, [1])
    tasks += await asked(call, [2, 3])
    tasks[1].cancel()
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [results[0], results[2]] == [2, 6]


async def test_a_fault_of_ours_reaches_everybody_who_waits() -> None:
    async def broken(items: Sequence[int]) -> Sequence[int]:
        raise ZeroDivisionError

    call = Together(broken)
    results = await asyncio.gather(*(call(number) for number in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [ZeroDivisionError] * 3
