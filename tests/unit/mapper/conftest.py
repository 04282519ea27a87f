from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import Taxonomy, load
from mapper_serving.adapters import MemoryStore
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.server import create_server
from mapper_serving.service import Mapper
from mapper_serving.settings import Settings
from mapper_serving.vocabulary import Vocabularies, read_all

Write = Callable[..., Path]
Client = Callable[..., httpx.AsyncClient]

FOLDER = Path(Settings.model_fields["vocabularies"].default)
EMAIL = {"detector": "presidio", "detector_version": "2.2.366", "label": "EMAIL_ADDRESS"}
JSON = {"content-type": "application/json"}

MINIMAL: dict[str, Any] = {
    "detector": "tool",
    "versions": ["*"],
    "name": "A tool",
    "kind": "pii",
    "source": {"reference": "its documentation", "read": "parsed"},
    "published": 1,
    "labels": {"EMAIL": "PII.Contact.Email"},
}


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a vocabulary file: the minimal one with *changes*; a change to None leaves the field out."""

    def written(name: str = "tool.yaml", text: str | None = None, **changes: Any) -> Path:
        document = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
        path = tmp_path / name
        path.write_text(text if text is not None else yaml.safe_dump(document, sort_keys=False), "utf-8")
        return path

    return written


@pytest.fixture(scope="session")
def rules(taxonomy: Taxonomy) -> Rules:
    return Rules(Vocabularies(read_all(FOLDER)), taxonomy)


@pytest.fixture
async def client(rules: Rules, taxonomy: Taxonomy) -> AsyncIterator[Client]:
    opened: list[httpx.AsyncClient] = []

    def serve(**settings: Any) -> httpx.AsyncClient:
        store = MemoryStore(taxonomy.version)
        versions = Versions(taxonomy=taxonomy.version, mapper="1")
        mapper = Mapper(rules=rules, cache=store, reviews=MemoryReviews(), versions=versions)
        app = create_server(mapper, store, Settings(**settings))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://mapper"))
        return opened[-1]

    yield serve
    for one in opened:
        await one.aclose()


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document *response* must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    return document
