"""record on the real engine (chdb); one process may have one directory open at a time."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.record.adapters import ClickHouse
from functions.record.server import create_server

pytest.importorskip("chdb", reason="the embedded engine is not installed")

# Rows of a fixed day must outlive the tests, whenever they run.
RETENTION_DAYS = 3650
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[..., ClickHouse]]:
    """Open the test's directory; the one opened before is closed first, as by a restart."""
    opened: list[ClickHouse] = []

    def open_again(**settings: Any) -> ClickHouse:
        for store in opened:
            store.close()
        opened.append(ClickHouse(f"chdb://{tmp_path}/rows", **{"retention_days": RETENTION_DAYS, **settings}))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., ClickHouse]) -> ClickHouse:
    return open_store()


@pytest.fixture
async def client(store: ClickHouse) -> AsyncIterator[httpx.AsyncClient]:
    app = create_server(store, max_bytes=65_536, log_level="INFO", now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://record") as client:
        yield client
