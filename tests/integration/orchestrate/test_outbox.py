"""The outbox on a real Valkey, in front of a broker that comes and goes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from redis.asyncio import Redis

from functions.orchestrate.adapters import OUTBOX, SET_ASIDE, Outbox
from llama_mapper.chassis import correlation, metrics
from llama_mapper.chassis.events import Sink
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.identifiers import RequestId
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.free_ports import free_port
from tests.fakes.orchestration import DEMO, VERSIONS
from tests.fakes.subscriber import Answer, Subscriber, listening, saying

TAKEN = Answer(202)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(number: int) -> FindingsMapped:
    request_id = RequestId(f"request-{number}")
    return FindingsMapped(request_id=request_id, origin="orchestrate", findings=(), versions=VERSIONS)


@asynccontextmanager
async def outbox(broker: str | None, url: str | None) -> AsyncIterator[Outbox]:
    async with httpx.AsyncClient() as client:
        opened = Outbox(Sink(broker, client), url, retry_seconds=0.02)
        yield opened
        await opened.aclose()


async def emptied(redis: Redis) -> None:
    async with asyncio.timeout(10):
        while await redis.llen(OUTBOX):  # noqa: ASYNC110 - another process's state has no event to wait for
            await asyncio.sleep(0.01)


def counted(name: str) -> float:
    return metrics.REGISTRY.get_sample_value("llama_mapper_fallbacks_total", {"name": name}) or 0.0


async def taking(subscriber: Subscriber, count: int) -> list[str]:
    return [one.id for one in await subscriber.take(count)]


async def test_a_broker_that_is_there_gets_the_event_at_once(redis: Redis, url: str) -> None:
    async with listening(saying(TAKEN)) as broker, outbox(broker.url, url) as box:
        assert await box.mapped(event(1), DEMO) is None
        assert broker.ids == ["request-1"]
        assert await redis.llen(OUTBOX) == 0


async def test_an_event_is_kept_while_the_broker_is_away_and_sent_once_when_it_is_back(redis: Redis, url: str) -> None:
    port = free_port()
    before = counted("event.deferred")
    async with outbox(f"http://127.0.0.1:{port}", url) as box:
        assert [await box.mapped(event(number), DEMO) for number in (1, 2, 3)] == ["event.deferred"] * 3
        assert await redis.llen(OUTBOX) == 3
        async with listening(saying(*[TAKEN] * 9), port=port) as broker:
            assert await taking(broker, 3) == ["request-1", "request-2", "request-3"]
            await emptied(redis)
            assert await box.mapped(event(4), DEMO) is None
            assert broker.ids == ["request-1", "request-2", "request-3", "request-4"]
    assert counted("event.deferred") - before == 3


async def test_a_kept_event_goes_out_under_its_own_ids(redis: Redis, url: str) -> None:
    port = free_port()
    async with outbox(f"http://127.0.0.1:{port}", url) as box:
        for number, trace in ((1, TRACE), (2, None)):
            correlation.adopt(f"correlation-{number}", trace)
            await box.mapped(event(number), DEMO)
        async with listening(saying(TAKEN, TAKEN), port=port) as broker:
            received = await broker.take(2)
    assert [one.headers["ce-correlationid"] for one in received] == ["correlation-1", "correlation-2"]
    assert [one.headers["ce-tenantid"] for one in received] == ["demo", "demo"]
    assert all("ce-traceparent" not in one.headers for one in received)


async def test_a_broker_that_refuses_is_tried_again_and_the_order_stays(redis: Redis, url: str) -> None:
    refusals = [Answer(503)] * 3
    async with listening(saying(*refusals, *[TAKEN] * 9)) as broker, outbox(broker.url, url) as box:
        assert await box.mapped(event(1), DEMO) == "event.deferred"
        await emptied(redis)
        assert set(broker.ids) == {"request-1"}
        assert len(broker.ids) == 4


async def test_what_an_earlier_run_left_behind_is_sent_at_the_next_start(redis: Redis, url: str) -> None:
    async with outbox(f"http://127.0.0.1:{free_port()}", url) as earlier:
        await earlier.mapped(event(1), DEMO)
    assert await redis.llen(OUTBOX) == 1
    async with listening(saying(TAKEN)) as broker, outbox(broker.url, url) as later:
        later.start()
        later.start()
        assert await taking(broker, 1) == ["request-1"]
        await emptied(redis)


@pytest.mark.parametrize("entry", [b"not json", b"[]", b'["demo", "c", {"request_id": "?"}]', b"3", b"\xff"])
async def test_an_entry_that_cannot_be_read_holds_up_nothing_and_is_kept_apart(
    redis: Redis, url: str, entry: bytes
) -> None:
    await redis.rpush(OUTBOX, entry)
    before = counted("outbox.set_aside")
    port = free_port()
    async with outbox(f"http://127.0.0.1:{port}", url) as box:
        await box.mapped(event(1), DEMO)
        async with listening(saying(TAKEN), port=port) as broker:
            assert await taking(broker, 1) == ["request-1"]
            await emptied(redis)
    assert await redis.lrange(SET_ASIDE, 0, -1) == [entry]
    assert counted("outbox.set_aside") - before == 1


async def test_an_entry_the_broker_refuses_for_good_holds_up_nothing_and_is_kept_apart(redis: Redis, url: str) -> None:
    port = free_port()
    async with outbox(f"http://127.0.0.1:{port}", url) as box:
        await box.mapped(event(1), DEMO)
        await box.mapped(event(2), DEMO)
        async with listening(saying(Answer(400), TAKEN), port=port) as broker:
            assert await taking(broker, 2) == ["request-1", "request-2"]
            await emptied(redis)
    assert [json.loads(kept)[2]["request_id"] for kept in await redis.lrange(SET_ASIDE, 0, -1)] == ["request-1"]


async def test_what_is_kept_is_the_event_and_no_more(redis: Redis, url: str) -> None:
    async with outbox(f"http://127.0.0.1:{free_port()}", url) as box:
        correlation.adopt("correlation-1")
        await box.mapped(event(1), DEMO)
    (kept,) = await redis.lrange(OUTBOX, 0, -1)
    expected = ["demo", "correlation-1", event(1).model_dump(mode="json", exclude_none=True)]
    assert json.loads(kept) == expected


async def test_without_an_outbox_a_broker_that_is_away_is_a_problem() -> None:
    async with outbox(f"http://127.0.0.1:{free_port()}", None) as box:
        with pytest.raises(Unavailable, match="no outbox"):
            await box.mapped(event(1), DEMO)


async def test_where_the_outbox_is_away_too_it_is_a_problem() -> None:
    async with outbox(f"http://127.0.0.1:{free_port()}", f"redis://127.0.0.1:{free_port()}/0") as box:
        with pytest.raises(Unavailable, match="neither"):
            await box.mapped(event(1), DEMO)


async def test_without_a_sink_events_are_off(redis: Redis, url: str) -> None:
    async with outbox(None, url) as box:
        assert await box.mapped(event(1), DEMO) is None
    assert await redis.llen(OUTBOX) == 0
