import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from llama_mapper.chassis import correlation, logs

Lines = Callable[[], list[dict[str, Any]]]
Client = Callable[[ASGIApp], httpx.AsyncClient]


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    """Leave the process's loggers and this context's ids as they were."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    correlation.adopt("none-none")


@pytest.fixture
def client() -> Client:
    def of(app: ASGIApp) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    return of


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Configure logging as a service does; calling the fixture gives the lines written since."""
    written = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", written)
        logs.configure("a-service", "DEBUG")
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]
