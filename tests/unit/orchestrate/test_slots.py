import asyncio

import pytest

from functions.orchestrate.detectors.slots import QUEUE, Slots
from llama_mapper.contracts.problems import DetectorOverloaded


async def test_no_more_run_at_once_than_the_limit_and_the_others_wait() -> None:
    slots, running, most = Slots("model", 2), 0, 0

    async def call() -> None:
        nonlocal running, most
        async with slots.admitted(), slots.taken(60.0):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(call() for _ in range(2 * (1 + QUEUE))))
    assert most == 2


async def test_a_crowd_is_sent_away_at_once() -> None:
    slots, leave = Slots("model", 1), asyncio.Event()

    async def call() -> None:
        async with slots.admitted(), slots.taken(60.0):
            await leave.wait()

    calls = [asyncio.create_task(call()) for _ in range(2 + QUEUE)]
    await asyncio.sleep(0)
    assert [task.done() for task in calls] == [False] * (1 + QUEUE) + [True]
    leave.set()
    *others, last = await asyncio.gather(*calls, return_exceptions=True)
    assert others == [None] * (1 + QUEUE)
    assert isinstance(last, DetectorOverloaded)


async def test_who_gets_no_slot_in_time_is_told_so_and_leaves_no_trace() -> None:
    slots = Slots("model", 1)
    async with slots.taken(60.0):
        with pytest.raises(DetectorOverloaded):
            async with slots.admitted(), slots.taken(0.001):
                pass
    async with slots.admitted(), slots.taken(60.0):
        pass
    assert slots._admitted == 0
