"""How each service is started to be fuzzed: the real application, before the stores and fakes of its own tests."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from functions.promote.server import create_server as create_promote
from functions.record.adapters import ClickHouse
from functions.record.server import create_server as create_record
from llama_mapper.taxonomy import load as load_taxonomy
from mapper_serving.server import create_server as create_mapper
from mapper_serving.settings import Settings as MapperSettings
from mapper_serving.wiring import wire as wire_mapper
from tests.fakes.functions import serving
from tests.fakes.promotion import running as promotion

from .front_door import orchestrate
from .running import Opened, on_a_port
from .surroundings import Running, environment, valkey

MAX_BYTES = 1_048_576


def _function(name: str, **settings: str) -> Opened:
    """A function as functions-framework loads it, with *settings* in its environment."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        with environment(settings):
            async with serving(name) as (_, module):
                yield module.app

    return opened


@contextmanager
def analyze(_: Path) -> Iterator[Running]:
    with on_a_port(_function("analyze", ANALYSIS_LOG_LEVEL="ERROR")) as url:
        yield Running(url)


@contextmanager
def console(_: Path) -> Iterator[Running]:
    with on_a_port(_function("console", CONSOLE_LOG_LEVEL="ERROR")) as url:
        yield Running(url)


@contextmanager
def detect(folder: Path) -> Iterator[Running]:
    with on_a_port(_function("detect", DETECT_LOG_LEVEL="ERROR", DETECT_CACHE_DIR=str(folder))) as url:
        yield Running(url)


@contextmanager
def mapper(folder: Path) -> Iterator[Running]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        given = {"redis_url": redis, "platform_tenants": ["demo"], "max_bytes": MAX_BYTES, "log_level": "ERROR"}
        settings = MapperSettings.model_validate(given)
        wired, store = wire_mapper(settings, load_taxonomy())
        yield create_mapper(wired, store, settings)

    with valkey(folder) as redis, on_a_port(opened) as url:
        yield Running(url)


@contextmanager
def promote(folder: Path) -> Iterator[Running]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        async with promotion(folder) as world:
            world.start()
            yield create_promote(world.gate, max_bytes=MAX_BYTES, log_level="ERROR")

    with on_a_port(opened) as url:
        yield Running(url)


@contextmanager
def record(folder: Path) -> Iterator[Running]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        store = ClickHouse(f"chdb://{folder}/rows", retention_days=90)
        yield create_record(store, max_bytes=MAX_BYTES, log_level="ERROR")
        store.close()

    with on_a_port(opened) as url:
        yield Running(url)


SERVICES: Mapping[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "analyze": analyze,
    "console": console,
    "detect": detect,
    "mapper": mapper,
    "orchestrate": orchestrate,
    "promote": promote,
    "record": record,
}


@contextmanager
def started(name: str) -> Iterator[Running]:
    """Start the service *name*; what it keeps is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, SERVICES[name](Path(folder)) as running:
        yield running
