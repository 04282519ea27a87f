"""The whole mapper over HTTP in this process, before a predictor that a test chooses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import Taxonomy, load
from llama_mapper.taxonomy.retrieval import Index
from mapper_serving.adapters import MemoryStore
from mapper_serving.candidates import Questions, entries
from mapper_serving.chooser import Chooser
from mapper_serving.completion import CompletionServer
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.server import create_server
from mapper_serving.service import Mapper
from mapper_serving.settings import Settings
from mapper_serving.variants import Variant, Variants
from mapper_serving.vocabulary import Vocabularies, read_all
from tests.fakes.experiments import card

Serve = Callable[[str, httpx.AsyncClient], httpx.AsyncClient]


_NUMBERS = count()


async def until_by_model(asked: httpx.AsyncClient) -> None:
    """Ask about one label after another, whatever its confidence, until the model answers: answers are kept."""
    async with asyncio.timeout(60):
        for number in _NUMBERS:
            body = {"detector": "somebody", "label": f"email_address_number_{number}", "threshold": 0.0}
            if (await asked.post("/api/v1/map", json=body)).json()["method"] == "model":
                return
            await asyncio.sleep(0)  # an answer by rule alone gives nothing else a chance to run


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load()


@pytest.fixture(scope="session")
def vocabularies() -> Vocabularies:
    return Vocabularies(read_all(Settings().vocabularies))


@pytest.fixture(scope="session")
def questions(vocabularies: Vocabularies, taxonomy: Taxonomy) -> Questions:
    """Retrieval by spelling alone: no embedder is loaded."""
    return Questions(Index(entries(vocabularies.all, taxonomy)), vocabularies)


@pytest.fixture
async def serve(questions: Questions, vocabularies: Vocabularies, taxonomy: Taxonomy) -> AsyncIterator[Serve]:
    """Return a client of a mapper that asks the predictor at a URL through the client given."""
    opened: list[httpx.AsyncClient] = []

    def served(url: str, predictor: httpx.AsyncClient) -> httpx.AsyncClient:
        # Patient: a busy machine is no reason for a test to see a label fall back.
        server = CompletionServer(url, "mapper-llm", predictor, AsyncCircuitBreakerFactory(), 30.0, 0.0)
        chooser = Chooser(lambda: questions, server, card("adapter-1"), taxonomy)
        store = MemoryStore(taxonomy.version)
        mapper = Mapper(
            rules=Rules(vocabularies, taxonomy),
            cache=store,
            reviews=MemoryReviews(),
            versions=Versions(taxonomy=taxonomy.version, mapper="1"),
            model=Variants([Variant(chooser, 100)]),
        )
        app = create_server(mapper, store, Settings(max_bytes=4_000_000))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        opened.extend((httpx.AsyncClient(transport=transport, base_url="http://mapper", timeout=300), predictor))
        return opened[-2]

    yield served
    for client in opened:
        await client.aclose()
