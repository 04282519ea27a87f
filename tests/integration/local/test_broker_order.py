"""Triggers that Kafka's class would deliver in order: one delivery at a time for a ``partitionkey``."""

import asyncio
import json
from collections import defaultdict
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.fakes.brokers import Wire, event, on, running
from tests.fakes.subscriber import Answer, Behaviour, Received, listening

ORDERED = {"annotations": {"kafka.eventing.knative.dev/delivery.order": "ordered"}}
SOON: dict[str, Any] = {"retry": 3, "backoffPolicy": "exponential", "backoffDelay": "PT0.01S"}
LATE: dict[str, Any] = {"retry": 3, "backoffPolicy": "exponential", "backoffDelay": "PT60S"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def keyed(*ids: str) -> bytes:
    """A batch of events, each of the key its id begins with; an id that begins with "-" has no key."""
    return json.dumps(
        [
            {"specversion": "1.0", "id": one, "source": "/test", "type": "tried"}
            | ({} if one[0] == "-" else {"partitionkey": one[0]})
            for one in ids
        ]
    ).encode()


def by_key(received: list[Received]) -> dict[str, list[str]]:
    keys = defaultdict(list)
    for one in received:
        keys[one.id[0]].append(one.id)
    return dict(keys)


def failing(*ids: str, code: int = 503, times: int = 1) -> Behaviour:
    """Refuse each of *ids* so many times, take everything else."""
    left = dict.fromkeys(ids, times)

    async def behave(received: Received) -> Answer:
        if left.get(received.id, 0) > 0:
            left[received.id] -= 1
            return Answer(code)
        return Answer()

    return behave


async def test_events_of_one_key_are_delivered_one_after_the_other(wire: Wire) -> None:
    busy: defaultdict[str, int] = defaultdict(int)
    most: defaultdict[str, int] = defaultdict(int)

    async def breathe(received: Received) -> Answer:
        key = received.headers["ce-partitionkey"]
        busy[key] += 1
        most[key] = max(most[key], busy[key])
        await asyncio.sleep(0.002)
        busy[key] -= 1
        return Answer()

    ids = [f"{key}{number:02}" for number in range(30) for key in "abc"]
    async with listening(breathe) as step, running(wire({"step": (step.url, ORDERED)})) as broker:
        await broker.publish(BATCH, keyed(*ids))
        await broker.settled()
    assert by_key(step.received) == {key: [one for one in ids if one[0] == key] for key in "abc"}
    assert (dict(most), step.most_at_once) == ({"a": 1, "b": 1, "c": 1}, 3)


async def test_a_retry_comes_before_the_next_event_of_its_key(wire: Wire) -> None:
    behave = failing("a1", "b2", times=2)
    async with listening(behave) as step, running(wire({"step": (step.url, ORDERED)}, SOON)) as broker:
        await broker.publish(BATCH, keyed("a1", "b1", "a2", "b2", "a3", "b3"))
        await broker.settled()
    assert by_key(step.received) == {"a": ["a1", "a1", "a1", "a2", "a3"], "b": ["b1", "b2", "b2", "b2", "b3"]}


async def test_a_retry_holds_up_its_key_and_no_other_and_no_event_without_a_key(wire: Wire) -> None:
    settings: dict[str, Any] = {"in_flight": 1, "backlog": 3}  # far fewer than wait behind a1
    behave = failing("a1")
    async with listening(behave) as step, running(wire({"step": (step.url, ORDERED)}, LATE, **settings)) as broker:
        await broker.publish(BATCH, keyed("a1", "-1", *(f"a{number}" for number in range(2, 100)), "b1", "-2", "b2"))
        received = await step.take(5)
        assert by_key(received) == {"a": ["a1"], "b": ["b1", "b2"], "-": ["-1", "-2"]}


async def test_events_beyond_the_backlog_keep_their_order_and_their_data(wire: Wire) -> None:
    settings: dict[str, Any] = {"in_flight": 2, "backlog": 2}
    async with listening() as step, running(wire({"step": (step.url, ORDERED)}, **settings)) as broker:
        for number in range(40):
            await broker.publish(event(f"a{number:02}", partitionkey="a"), b'{"n": %d}' % number)
        await broker.settled()
    assert [(one.id, json.loads(one.body)["n"]) for one in step.received] == [(f"a{n:02}", n) for n in range(40)]


async def test_after_a_dead_letter_the_next_of_its_key_goes_on(wire: Wire) -> None:
    behave = failing("a1", code=422)
    async with listening(behave) as step, running(wire({"step": (step.url, ORDERED)}, LATE)) as broker:
        await broker.publish(BATCH, keyed("a1", "a2", "a3"))
        await broker.settled()
        assert [letter["event_id"] for letter in await broker.dead_letters()] == ["a1"]
    assert step.ids == ["a1", "a2", "a3"]


async def test_a_replayed_dead_letter_comes_after_what_waits_already(wire: Wire) -> None:
    behave = failing("a1", code=422)
    async with listening(behave) as step, running(wire({"step": (step.url, ORDERED)})) as broker:
        await broker.publish(BATCH, keyed("a1", "a2"))
        await broker.settled()
        letter = (await broker.dead_letters())[0]["id"]
        await broker.post(f"/dead-letters/{letter}/replay")
        await broker.settled()
    assert step.ids == ["a1", "a2", "a1"]


async def test_order_outlives_a_restart(wire: Wire) -> None:
    async with listening(failing("a3", "b1", times=1)) as step:
        settings = wire({"step": (step.url, ORDERED)}, LATE)
        async with running(settings) as broker:
            await broker.publish(BATCH, keyed("a1", "a2", "b1", "a3", "a4", "b2", "a5"))
            before = by_key(await step.take(4))
        async with running(settings) as broker:
            await broker.publish(BATCH, keyed("a6", "b3"))
            await broker.settled()
    assert before == {"a": ["a1", "a2", "a3"], "b": ["b1"]}
    assert by_key(step.received) == {
        "a": ["a1", "a2", "a3", "a3", "a4", "a5", "a6"],
        "b": ["b1", "b1", "b2", "b3"],
    }


async def test_a_trigger_without_the_annotation_waits_for_no_key(wire: Wire) -> None:
    async with listening(failing("a1")) as step, running(wire({"step": (step.url, {})}, LATE)) as broker:
        await broker.publish(BATCH, keyed("a1", "a2", "a3"))
        assert sorted(one.id for one in await step.take(3)) == ["a1", "a2", "a3"]


async def test_each_ordered_trigger_keeps_an_order_of_its_own(wire: Wire) -> None:
    async with listening(failing("a1")) as slow, listening() as quick:
        settings = wire({"slow": (slow.url, ORDERED), "quick": (quick.url, {**ORDERED, **on("tried")})}, LATE)
        async with running(settings) as broker:
            await broker.publish(BATCH, keyed("a1", "a2"))
            assert [one.id for one in await quick.take(2)] == ["a1", "a2"]
    assert slow.ids == ["a1"]


async def test_events_that_wait_for_their_turn_may_vanish_with_the_store(wire: Wire) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hold_the_first(received: Received) -> Answer:
        if received.id == "a1":
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(gate.wait(), loop))
        return Answer()

    settings: dict[str, Any] = {"backlog": 1, "in_flight": 2}
    async with listening(hold_the_first) as step, running(wire({"step": (step.url, ORDERED)}, **settings)) as broker:
        await broker.publish(BATCH, keyed("a1", "a2", "a3"))
        await step.next()
        async with Redis.from_url(wire.redis_url) as redis:
            await redis.delete(f"{wire.key_prefix}:queue:llama-mapper/default/step")
        gate.set()
        await broker.publish(event("a4", partitionkey="a"))
        await broker.settled()
    assert step.ids[0] == "a1"
    assert step.ids[-1] == "a4"


@pytest.mark.parametrize("value", ["sorted", "", "Ordered"])
async def test_another_order_is_refused_with_file_and_field(wire: Wire, value: str) -> None:
    wiring = {"step": ("http://x/", {"annotations": {"kafka.eventing.knative.dev/delivery.order": value}})}
    with pytest.raises(SystemExit, match=r"step\.yaml: metadata\.annotations\..*delivery\.order: "):
        async with running(wire(wiring)):
            pass
