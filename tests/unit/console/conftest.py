"""The console before four services that answer what a test tells them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from functions.console.adapters import Services
from functions.console.pages import create_console
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.taxonomy import Taxonomy, load
from tests.fakes.upstream import Away, Upstream
from tests.unit.console.answers import PARTS


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load()


@pytest.fixture
def upstreams() -> dict[str, Upstream]:
    """The services; one that a test takes out does not answer."""
    return {name: Upstream() for name in PARTS}


@pytest.fixture
async def browser(upstreams: dict[str, Upstream], taxonomy: Taxonomy) -> AsyncIterator[httpx.AsyncClient]:
    tenant = TenantId("demo")
    mounts = {f"http://{name}": httpx.ASGITransport(upstream) for name, upstream in upstreams.items()}
    # With a transport given, httpx does not read the machine's certificates for every test.
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Away()), mounts=mounts) as client:
        services = Services({name: f"http://{name}/" for name in PARTS}, tenant, client, 5.0)
        app = create_console(services, taxonomy, tenant=tenant, max_bytes=65_536, log_level="INFO")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as browser:
            yield browser
