"""Two baselines of the crash run: the broker, and a bare stream, each before a subscriber that only answers 204."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from redis.asyncio import Redis

from tests.performance.crash_load import Plan, Sent, send_all
from tests.performance.crash_parts import Parts

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
HEAD_ENDS = b"\r\n\r\n"


class Sink(asyncio.Protocol):
    """Answers each request as soon as it is whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(HEAD_ENDS)) >= 0:
            head = self._read[:end].lower().partition(b"content-length:")[2]
            whole = end + len(HEAD_ENDS) + int(head.partition(b"\r\n")[0] or 0)
            if len(self._read) < whole:
                return
            self._read = self._read[whole:]
            self._transport.write(ANSWER)


@asynccontextmanager
async def sink() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def broker_alone(folder: Path, plan: Plan) -> float:
    """Return how many events a second come through the broker, from the first request to the last outcome."""
    parts = Parts(folder)
    async with sink() as url, aiohttp.ClientSession() as session:
        _send_all_to(folder / "eventing", url)
        await parts.store.start()
        await parts.broker.start()
        try:
            started = time.perf_counter()
            await send_all(session, parts.broker.url, plan, 8, Sent())
            while any((await parts.triggers(session) or {"": 1}).values()):  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.05)
            return plan.events / (time.perf_counter() - started)
        finally:
            parts.broker.stop()
            parts.store.stop()


def _send_all_to(eventing: Path, url: str) -> None:
    trigger = yaml.safe_load((eventing / "record-findings.yaml").read_text("utf-8"))
    trigger["spec"]["subscriber"] = {"uri": url}
    (eventing / "record-findings.yaml").write_text(yaml.safe_dump(trigger), "utf-8")
    (eventing / "kustomization.yaml").write_text("resources: [broker.yaml, record-findings.yaml]\n", "utf-8")


def _only(answer: Any) -> tuple[bytes, dict[bytes, bytes]]:
    """The one entry; the client gives streams as a dict or as pairs, by protocol."""
    ((_, entries),) = answer.items() if isinstance(answer, dict) else answer
    ((entry, fields),) = entries[0] if isinstance(entries[0], list) else entries
    return entry, fields


async def stream_alone(plan: Plan) -> float:
    """Return the rate of the least that keeps an event: store it, read it, post it, remove it; one at a time."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        parts = Parts(Path(name) / "stream")
        await parts.store.start()
        try:
            port = int(parts.store.url.rpartition(":")[2])
            async with sink() as url, aiohttp.ClientSession() as session, Redis(port=port) as redis:
                await redis.xgroup_create("s", "g", mkstream=True)
                started = time.perf_counter()
                for number in range(plan.events):
                    await redis.xadd("s", {"event": json.dumps(plan.event(number))})
                    answer: Any = await redis.xreadgroup("g", "c", {"s": ">"}, count=1)
                    entry, fields = _only(answer)
                    async with session.post(url, data=fields[b"event"]) as answer:
                        assert answer.status == 204
                    await redis.xack("s", "g", entry)
                    await redis.xdel("s", entry)
                return plan.events / (time.perf_counter() - started)
        finally:
            parts.store.stop()
