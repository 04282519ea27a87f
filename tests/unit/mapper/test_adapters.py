import pytest

from llama_mapper.chassis import metrics
from llama_mapper.contracts.mapping import VendorFinding
from mapper_serving.adapters import MemoryStore, RedisStore, identity
from tests.fakes.free_ports import free_port
from tests.fakes.mapping import finding, resolved


def fallbacks(name: str) -> float:
    return metrics.REGISTRY.get_sample_value("llama_mapper_fallbacks_total", {"name": name}) or 0.0


@pytest.mark.parametrize(
    "changed",
    [
        finding("EMAIL", "tools", "1"),
        finding("EMAIL", "tool", "2"),
        finding("EMAILS", "tool", "1"),
        finding("EMAIL", "tool", "1", description="an address"),
    ],
)
def test_identity_is_detector_version_label_and_description(changed: VendorFinding) -> None:
    assert identity(finding("EMAIL", "tool", "1")) != identity(changed)


def test_identity_leaves_out_what_belongs_to_one_occurrence() -> None:
    one = finding("EMAIL", "tool", "1", score=0.1, raw_ref="a1", span={"start": 1, "end": 2})
    assert identity(one) == identity(finding("EMAIL", "tool", "1"))


def test_identity_changes_with_the_versions_given_and_shows_no_word_of_the_vendor() -> None:
    said = finding("EMAIL", "tool", "1")
    assert identity(said, "2026.11") != identity(said, "2026.12")
    assert "EMAIL" not in identity(said)


async def test_memory_keeps_an_answer_for_its_label_alone() -> None:
    store = MemoryStore("2026.11")
    await store.put(finding("A"), "lora.1", resolved())
    assert await store.get(finding("A", score=0.3), "lora.1") == resolved()
    assert await store.get(finding("B"), "lora.1") is None
    assert await store.ready()


async def test_memory_forgets_the_oldest_answer_and_keeps_its_bound() -> None:
    store = MemoryStore("2026.11", max_answers=2)
    for label in ("A", "B", "C"):
        await store.put(finding(label), "lora.1", resolved())
    assert [await store.get(finding(label), "lora.1") is not None for label in ("A", "B", "C")] == [False, True, True]


async def test_a_store_that_is_down_costs_the_cache_and_is_counted() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0", "2026.11", 60)
    cache = fallbacks("mapper.cache.down")
    assert await store.get(finding("A"), "lora.1") is None
    await store.put(finding("A"), "lora.1", resolved())
    assert fallbacks("mapper.cache.down") - cache == 2
    assert not await store.ready()
    await store.aclose()
