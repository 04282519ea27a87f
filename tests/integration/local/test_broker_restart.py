"""The broker as a process: killed in the middle of its work it loses nothing, stopped it finishes what it began."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_mapper.local.broker_settings import BrokerSettings
from tests.fakes.brokers import INGRESS, Wire, event, running
from tests.fakes.free_ports import free_port
from tests.fakes.subscriber import Answer, Received, listening

ROOT = Path(__file__).parents[3]
BATCH = {"content-type": "application/cloudevents-batch+json"}


def command(settings: BrokerSettings, port: int) -> dict[str, Any]:
    own = {
        "PYTHONPATH": str(ROOT / "shared"),
        "BROKER_PORT": str(port),
        "BROKER_REDIS_URL": settings.redis_url,
        "BROKER_KEY_PREFIX": settings.key_prefix,
        "BROKER_EVENTING": str(settings.eventing),
        "BROKER_IN_FLIGHT": str(settings.in_flight),
    }
    return {
        "args": [sys.executable, "-m", "llama_mapper.local.broker"],
        "env": {**os.environ, **own},
        "stderr": subprocess.PIPE,
    }


def start(settings: BrokerSettings, port: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(**command(settings, port))


def run_to_the_end(settings: BrokerSettings, port: int, **environment: str) -> tuple[int, str]:
    """Return the exit status and what was said on stderr."""
    given = command(settings, port)
    given["env"] |= environment
    ended: subprocess.CompletedProcess[bytes] = subprocess.run(**given, timeout=20, check=False)
    return ended.returncode, ended.stderr.decode()


@asynccontextmanager
async def process(settings: BrokerSettings, port: int) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """Run the broker as its own process, from ready until it ends; SIGKILL if nobody ended it."""
    with await asyncio.to_thread(start, settings, port) as child:
        try:
            async with asyncio.timeout(20), httpx.AsyncClient() as client:
                while not await _is_ready(client, port):
                    assert child.poll() is None, "the broker ended before it was ready"
                    await asyncio.sleep(0.02)
            yield child
        finally:
            child.kill()
            child.wait()


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def publish_many(port: int, numbers: range) -> None:
    events = [{"specversion": "1.0", "id": str(n), "source": "/test", "type": "tried", "data": n} for n in numbers]
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}{INGRESS}", headers=BATCH, content=json.dumps(events))
    assert answer.status_code == 202


async def test_of_300_events_none_is_lost_when_the_broker_is_killed_in_the_middle(wire: Wire) -> None:
    async def breathe(_: Received) -> Answer:
        await asyncio.sleep(0.01)
        return Answer()

    port = free_port()
    async with listening(breathe) as step:
        settings = wire({"step": (step.url, {})}, {"retry": 3}, in_flight=4)
        async with process(settings, port) as child:
            await publish_many(port, range(300))
            await step.take(60)
            child.send_signal(signal.SIGKILL)
            child.wait()
            before = set(step.ids)
        async with process(settings, port):
            async with asyncio.timeout(20):
                while len(set(step.ids)) < 300:
                    await step.next()
    assert len(before) < 300
    assert set(step.ids) == {str(number) for number in range(300)}


async def test_a_stopped_broker_finishes_what_it_delivers_and_ends_well(wire: Wire) -> None:
    async def breathe(_: Received) -> Answer:
        await asyncio.sleep(0.1)
        return Answer()

    port = free_port()
    async with listening(breathe) as step:
        settings = wire({"step": (step.url, {})})
        async with process(settings, port) as child:
            await publish_many(port, range(1))
            await step.next()
            child.send_signal(signal.SIGTERM)
            log = await asyncio.to_thread(child.communicate)
        async with running(settings) as broker:
            await broker.settled()
    assert step.ids == ["0"]
    # uvicorn shuts down and then ends by the signal it was sent
    assert (child.returncode, b'"event": "broker.drained"' in log[1]) == (-signal.SIGTERM, True)


async def test_an_event_that_waits_for_its_retry_is_delivered_by_the_next_broker(wire: Wire) -> None:
    async def refuse_once(_: Received) -> Answer:
        return Answer(503 if len(step.received) == 1 else 204)

    async with listening(refuse_once) as step:
        delivery = {"retry": 1, "backoffPolicy": "exponential", "backoffDelay": "PT60S"}
        settings = wire({"step": (step.url, {})}, delivery)
        async with running(settings) as broker:
            await broker.publish(event("7"))
            await step.next()
        async with running(settings) as broker:
            assert (await step.next()).id == "7"
            await broker.settled()


async def test_a_second_broker_on_the_same_port_ends_and_takes_nothing_over(wire: Wire) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wait(_: Received) -> Answer:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(gate.wait(), loop))
        return Answer()

    port = free_port()
    async with listening(wait) as step:
        settings = wire({"step": (step.url, {})})
        async with process(settings, port):
            await publish_many(port, range(1))
            await step.next()
            status, _ = await asyncio.to_thread(run_to_the_end, settings, port)
            gate.set()
    assert status != 0
    assert step.ids == ["0"]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("BROKER_EVENTING", "/nowhere", "/nowhere/kustomization.yaml: (file): is not there"),
        ("BROKER_MAX_PENDING", "many", "BROKER_MAX_PENDING"),
    ],
)
async def test_a_broker_that_cannot_run_says_why_and_ends(wire: Wire, variable: str, value: str, expected: str) -> None:
    status, said = await asyncio.to_thread(run_to_the_end, wire({}), free_port(), **{variable: value})
    assert (status, expected in said, "Traceback" in said) == (1, True, False)
