"""A TCP link to a dependency that a test can break: the dependency itself goes on as if nothing were."""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from .free_ports import free_port

Fault = Literal["none", "down", "hanging", "slow", "flapping", "wrong"]
FAULTS: tuple[Fault, ...] = ("down", "hanging", "slow", "flapping", "wrong")
TIMES_SLOWER = 10
HOST = "127.0.0.1"

WRONG_HTTP = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\nconnection: close\r\n\r\n"
    b'{"surprise": 1.5}'
)
WRONG_REDIS = b"+SURPRISE\r\n"


class FaultyLink:
    """Made by ``linked``. *down* refuses connections, *hanging* takes requests and never answers, *slow* answers after
    ten times the usual time, *flapping* resets every other connection, *wrong* answers in a shape nobody knows."""

    def __init__(self, target: int, wrong: bytes) -> None:
        self.port = free_port()
        self._target = target
        self._wrong = wrong
        self._fault: Fault = "none"
        self._connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._usual: list[float] = []
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()

    @property
    def usual_seconds(self) -> float:
        """Median time to the first byte of an answer while nothing was wrong."""
        return statistics.median(self._usual) if self._usual else 0.0

    def become(self, fault: Fault) -> None:
        """Have *fault* from now on; connections that are open end, as they do when a pod dies."""
        asyncio.run_coroutine_threadsafe(self._become(fault), self._loop).result(10)

    async def _become(self, fault: Fault) -> None:
        self._fault = fault
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        if fault != "down":
            self._server = await asyncio.start_server(self._connected, HOST, self.port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._connections += 1
        try:
            await self._served(reader, writer)
        except OSError:
            pass  # one of the two went away, as they may
        finally:
            self._open.discard(writer)
            writer.transport.abort() if self._fault == "flapping" else writer.close()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault == "flapping" and self._connections % 2:
            return
        if self._fault == "hanging":
            while await reader.read(65536):
                pass
            return
        if self._fault == "wrong":
            while await reader.read(65536):
                writer.write(self._wrong)
                await writer.drain()
            return
        await self._relayed(reader, writer)

    async def _relayed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._target)
        asked = 0.0

        async def forth() -> None:
            nonlocal asked
            while block := await reader.read(65536):
                asked = asked or time.monotonic()
                back.write(block)
                await back.drain()

        async def and_back() -> None:
            nonlocal asked
            while block := await there.read(65536):
                if asked:
                    await self._took(time.monotonic() - asked)
                    asked = 0.0
                writer.write(block)
                await writer.drain()

        ways = [asyncio.ensure_future(forth()), asyncio.ensure_future(and_back())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back.close()

    async def _took(self, seconds: float) -> None:
        if self._fault == "none":
            self._usual.append(seconds)
        elif self._fault == "slow":
            await asyncio.sleep((TIMES_SLOWER - 1) * self.usual_seconds)


@contextmanager
def linked(target: int, wrong: bytes = WRONG_HTTP) -> Iterator[FaultyLink]:
    """Listen on a free port and relay to *target*; *wrong* is what it says when it answers wrongly."""
    link = FaultyLink(target, wrong)
    thread = threading.Thread(target=link._loop.run_forever, daemon=True)
    thread.start()
    try:
        link.become("none")
        yield link
    finally:
        with suppress(TimeoutError):
            link.become("down")
        _ended(link, thread, link._loop.stop)


def _ended(link: FaultyLink, thread: threading.Thread, stop: Callable[[], None]) -> None:
    asyncio.run_coroutine_threadsafe(_idle(), link._loop).result(10)
    link._loop.call_soon_threadsafe(stop)
    thread.join(10)
    link._loop.close()


async def _idle() -> None:
    """Let every connection of this loop come to its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
