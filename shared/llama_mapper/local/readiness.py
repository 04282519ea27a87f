"""Ask a part whether it is ready, with the standard library alone: this runs many times before anything else does."""

import asyncio
from dataclasses import dataclass

from .ports import HOST

MAX_ANSWER_BYTES = 64


@dataclass(frozen=True, slots=True)
class Probe:
    """What to send to a port of the loopback, and how a good answer begins."""

    port: int
    question: bytes
    good: tuple[bytes, ...]

    async def answers(self, seconds: float = 2.0) -> bool:
        """Say whether the good answer came within *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                return (await self._ask()).startswith(self.good)
        except (OSError, TimeoutError):
            return False

    async def _ask(self) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(self.question)
            await writer.drain()
            return await reader.read(MAX_ANSWER_BYTES)
        finally:
            writer.close()


def http(port: int, path: str = "/ready") -> Probe:
    """A probe that wants a 2xx for *path*."""
    question = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()
    return Probe(port, question, (b"HTTP/1.1 2", b"HTTP/1.0 2"))


def redis(port: int) -> Probe:
    """A probe that wants PONG; a server still reading its append-only file answers -LOADING."""
    return Probe(port, b"PING\r\n", (b"+PONG",))
