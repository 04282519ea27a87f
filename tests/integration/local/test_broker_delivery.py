"""Deliveries, retries and replies, with real subscribers."""

import asyncio
import base64
import json
from collections import Counter
from typing import Any

import pytest

from tests.fakes.brokers import Wire, event, on, running
from tests.fakes.free_ports import free_port
from tests.fakes.subscriber import Answer, Behaviour, Received, ids_of, listening

SOON: dict[str, Any] = {"retry": 2, "backoffPolicy": "exponential", "backoffDelay": "PT0.01S"}
REPLY = {"ce-specversion": "1.0", "ce-id": "r1", "ce-source": "/step", "ce-type": "replied"}


def always(answer: Answer) -> Behaviour:
    async def behave(_: Received) -> Answer:
        return answer

    return behave


def by_id(received: Received) -> int:
    return int(received.id)


async def test_an_answer_that_may_change_is_asked_for_again(wire: Wire) -> None:
    statuses = [500, 503, 404, 408, 409, 429]
    seen: set[str] = set()

    async def refuse_at_first(received: Received) -> Answer:
        first = received.id not in seen
        seen.add(received.id)
        return Answer(by_id(received) if first else 204)

    async with listening(refuse_at_first) as step, running(wire({"step": (step.url, {})}, SOON)) as broker:
        for status in statuses:
            await broker.publish(event(str(status)))
        await broker.settled()
        assert await broker.dead_letters() == []
    assert Counter(step.ids) == {str(status): 2 for status in statuses}


async def test_an_answer_that_will_not_change_makes_a_dead_letter_at_once(wire: Wire) -> None:
    statuses = [301, 400, 401, 403, 410, 413, 422]

    async def refuse(received: Received) -> Answer:
        return Answer(by_id(received))

    async with listening(refuse) as step, running(wire({"step": (step.url, {})}, SOON)) as broker:
        for status in statuses:
            await broker.publish(event(str(status)))
        await broker.settled()
        letters = await broker.dead_letters()
    assert {letter["error_code"]: letter["deliveries"] for letter in letters} == dict.fromkeys(statuses, 1)
    assert sorted(step.ids) == sorted(map(str, statuses))


async def test_a_redirect_is_not_followed_and_makes_a_dead_letter(wire: Wire) -> None:
    async with listening() as elsewhere:
        behave = always(Answer(307, {"location": elsewhere.url}))
        async with listening(behave) as step, running(wire({"step": (step.url, {})}, SOON)) as broker:
            await broker.publish(event())
            await broker.settled()
            letters = await broker.dead_letters()
    assert [(letter["error_code"], letter["deliveries"]) for letter in letters] == [(307, 1)]
    assert elsewhere.received == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_step_is_waited_for_as_it_asks_but_no_longer_than_allowed(wire: Wire, status: int) -> None:
    async def refuse_once(_: Received) -> Answer:
        return Answer(status if len(step.received) == 1 else 204, {"retry-after": "3600"})

    delivery = {**SOON, "retryAfterMax": "PT0.02S"}
    async with listening(refuse_once) as step, running(wire({"step": (step.url, {})}, delivery)) as broker:
        await broker.publish(event())
        assert len(await step.take(2)) == 2
        await broker.settled()


async def test_two_retries_are_three_deliveries(wire: Wire) -> None:
    behave = always(Answer(503))
    async with listening(behave) as step, running(wire({"step": (step.url, {})}, SOON)) as broker:
        await broker.publish(event())
        await broker.settled()
        letters = await broker.dead_letters()
    assert len(step.received) == letters[0]["deliveries"] == 3


async def test_a_triggers_delivery_goes_before_its_brokers(wire: Wire) -> None:
    behave = always(Answer(503))
    async with (
        listening(behave) as step,
        running(wire({"step": (step.url, {"delivery": {"retry": 0}})}, SOON)) as broker,
    ):
        await broker.publish(event())
        await broker.settled()
    assert len(step.received) == 1


async def test_a_subscriber_that_is_not_there_yet_gets_the_event_later(wire: Wire) -> None:
    port = free_port()
    delivery = {"retry": 200, "backoffPolicy": "linear", "backoffDelay": "PT0.01S"}
    async with running(wire({"step": (f"http://127.0.0.1:{port}", {})}, delivery, max_backoff_seconds=0.05)) as broker:
        await broker.publish(event("7"))
        async with listening(port=port) as step:
            assert (await step.next()).id == "7"
            await broker.settled()


async def test_no_connection_is_told_as_a_dispatch_error(wire: Wire) -> None:
    async with running(wire({"step": (f"http://127.0.0.1:{free_port()}", {})}, SOON)) as broker:
        await broker.publish(event())
        await broker.settled()
        letter = (await broker.dead_letters())[0]
    assert (letter["error_code"], letter["deliveries"]) == (500, 3)
    assert base64.b64decode(letter["error_data"]) == b"dispatch error: ClientConnectorError"


async def test_a_subscriber_that_takes_too_long_is_asked_again(wire: Wire) -> None:
    answers = iter([asyncio.Event().wait])

    async def hang_once(_: Received) -> Answer:
        for wait in answers:
            async with asyncio.timeout(0.5):
                await wait()
        return Answer()

    delivery = {**SOON, "timeout": "PT0.05S"}
    async with listening(hang_once) as step, running(wire({"step": (step.url, {})}, delivery)) as broker:
        await broker.publish(event("7"))
        assert ids_of(await step.take(2)) == ["7", "7"]
        await broker.settled()
        assert await broker.dead_letters() == []


async def test_a_reply_enters_the_broker_and_inherits_no_extension(wire: Wire) -> None:
    behave = always(Answer(200, {**REPLY, "content-type": "application/json", "ce-own": "yes"}, b'{"b": 2}'))
    async with listening(behave) as first, listening() as second:
        triggers = {"first": (first.url, on("tried")), "second": (second.url, on("replied"))}
        async with running(wire(triggers)) as broker:
            await broker.publish(event("7", tenantid="demo", correlationid="correlation-1"))
            received = await second.next()
            await broker.settled()
    assert (received.id, received.body, received.headers["ce-own"]) == ("r1", b'{"b": 2}', "yes")
    assert not {"ce-tenantid", "ce-correlationid"} & set(received.headers)
    assert len(first.received) == 1


async def test_a_structured_reply_is_a_reply(wire: Wire) -> None:
    body = b'{"specversion":"1.0","id":"r1","source":"/step","type":"replied","data":1}'
    behave = always(Answer(200, {"content-type": "application/cloudevents+json"}, body))
    async with listening(behave) as first, listening() as second:
        triggers = {"first": (first.url, on("tried")), "second": (second.url, on("replied"))}
        async with running(wire(triggers)) as broker:
            await broker.publish(event())
            assert (await second.next()).body == b"1"


async def test_a_good_answer_with_a_body_that_is_no_event_is_a_failed_delivery(wire: Wire) -> None:
    answers = [
        Answer(200, {"content-type": "text/plain"}, b"OK"),
        Answer(202, {"content-type": "application/json"}, b'{"status": "done"}'),
        Answer(200, {name: value for name, value in REPLY.items() if name != "ce-id"}),
        Answer(200, {"content-type": "application/cloudevents+json"}, b"{}"),
    ]

    async def answer(received: Received) -> Answer:
        return answers[by_id(received)]

    async with listening(answer) as step, running(wire({"step": (step.url, {})}, SOON)) as broker:
        for number in range(len(answers)):
            await broker.publish(event(str(number)))
        await broker.settled()
        letters = await broker.dead_letters()
    assert sorted((letter["event_id"], letter["error_code"], letter["deliveries"]) for letter in letters) == [
        ("0", 502, 3), ("1", 502, 3), ("2", 502, 3), ("3", 502, 3)
    ]  # fmt: skip


async def test_replies_that_go_round_in_a_circle_end(wire: Wire) -> None:
    behave = always(Answer(200, {**REPLY, "ce-type": "tried"}))
    async with listening(behave) as step, running(wire({"step": (step.url, {})}, max_hops=5)) as broker:
        await broker.publish(event())
        await step.take(6)
        await broker.settled()
    assert len(step.received) == 6


async def test_an_event_that_waits_for_its_retry_holds_no_other_up(wire: Wire) -> None:
    async def refuse_the_first(received: Received) -> Answer:
        return Answer(503 if received.id == "0" else 204)

    delivery = {"retry": 1, "backoffPolicy": "exponential", "backoffDelay": "PT30S"}
    settings = wire({"step": (step_url := f"http://127.0.0.1:{(port := free_port())}", {})}, delivery, in_flight=1)
    async with listening(refuse_the_first, port) as step, running(settings) as broker:
        assert step.url == step_url
        for number in range(5):
            await broker.publish(event(str(number)))
        assert sorted(ids_of(await step.take(5))) == ["0", "1", "2", "3", "4"]


async def test_deliveries_at_once_are_bounded_for_each_trigger(wire: Wire) -> None:
    async def breathe(_: Received) -> Answer:
        await asyncio.sleep(0.01)
        return Answer()

    async with listening(breathe) as step, running(wire({"step": (step.url, {})}, in_flight=3)) as broker:
        batch = [{"specversion": "1.0", "id": str(number), "source": "/test", "type": "tried"} for number in range(40)]
        await broker.publish({"content-type": "application/cloudevents-batch+json"}, json.dumps(batch).encode())
        await step.take(40)
        await broker.settled()
    assert step.most_at_once == 3
