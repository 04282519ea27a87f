import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llama_mapper.local import readiness
from tests.fakes.free_ports import free_port


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[int]:
    """Serve *answer* to whoever asks; None never answers."""

    served: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done = asyncio.Event()
        served.append(done)
        await reader.readline()
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()
        await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for done in served:
            await done.wait()
        server.close()


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_a_service_is_ready_with_2xx(answer: bytes, ready: bool) -> None:
    async with answering(answer) as port:
        assert await readiness.http(port).answers() is ready


@pytest.mark.parametrize(
    ("answer", "ready"), [(b"+PONG\r\n", True), (b"-LOADING reading the append-only file\r\n", False)]
)
async def test_a_store_is_ready_with_pong(answer: bytes, ready: bool) -> None:
    async with answering(answer) as port:
        assert await readiness.redis(port).answers() is ready


async def test_nobody_there_is_not_ready() -> None:
    assert not await readiness.http(free_port()).answers()


async def test_silence_is_not_ready() -> None:
    async with answering(None) as port:
        assert not await readiness.http(port).answers(seconds=0.05)
