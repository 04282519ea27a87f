"""Judgements kept in a real Valkey: given again, sealed, and lost as soon as anything they depend on changes."""

import dataclasses
from typing import Any

import pytest
from redis.asyncio import Redis

from functions.orchestrate.response_cache import ResponseCache, declined
from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.free_ports import free_port
from tests.fakes.orchestration import CORRELATION, DEMO, Fakes, SayingAnalyze, SayingDetect, SayingPolicy, report

SECRET = b"a secret of thirty-two characters"
CONTENT = "mail anna.cache.canary@example.org"


@pytest.fixture
def cache(redis: "Redis") -> ResponseCache:
    return ResponseCache(redis, Sealer(new_keyset()), SECRET)


def fakes(**others: Any) -> Fakes:
    return Fakes(detect=SayingDetect(says={"words": report("words", "EMAIL")}), **others)


async def judge(
    fakes: Fakes, cache: ResponseCache | None, tenant: TenantId = DEMO, **changed: Any
) -> OrchestrateResponse:
    orchestrator = dataclasses.replace(fakes.orchestrator, cache=cache)
    request = OrchestrateRequest.model_validate({"content": CONTENT} | changed)
    return await orchestrator.judge(request, tenant, CORRELATION)


async def test_the_same_content_is_judged_once_and_recorded_every_time(cache: ResponseCache) -> None:
    system = fakes()
    first, second = await judge(system, cache), await judge(system, cache)
    assert (first.cached, second.cached) == (False, True)
    assert len(system.detect.asked) == len(system.policy.decided) == 1
    same = {"findings", "decision", "coverage", "detectors", "analysis", "versions"}
    assert second.model_dump(include=same) == first.model_dump(include=same)
    assert [event.request_id for event in system.emit.events] == [first.request_id, second.request_id]
    assert system.emit.events[0].model_dump(exclude={"request_id"}) == system.emit.events[1].model_dump(
        exclude={"request_id"}
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"content": CONTENT + "."},
        {"content_type": "code"},
        {"processing_mode": "thorough"},
        {"required_detectors": ["numbers"]},
        {"excluded_detectors": ["numbers"]},
        {"detector_types": ["words"]},
        {"metadata": {"route": "chat"}},
    ],
)
async def test_what_is_asked_otherwise_is_judged_anew(cache: ResponseCache, changed: dict[str, Any]) -> None:
    system = fakes()
    await judge(system, cache)
    assert not (await judge(system, cache, **changed)).cached


async def test_priority_changes_no_judgement(cache: ResponseCache) -> None:
    system = fakes()
    await judge(system, cache)
    assert (await judge(system, cache, priority="critical")).cached


async def test_another_tenant_never_gets_it(cache: ResponseCache) -> None:
    system = fakes()
    await judge(system, cache)
    assert not (await judge(system, cache, TenantId("other"))).cached


async def test_new_policies_detectors_and_taxonomies_find_nothing(cache: ResponseCache) -> None:
    system = fakes()
    await judge(system, cache)
    assert not (await judge(fakes(policy=SayingPolicy(version="2")), cache)).cached
    orchestrator = dataclasses.replace(system.orchestrator, cache=cache)
    migrated = dataclasses.replace(
        orchestrator, versions=orchestrator.versions.model_copy(update={"taxonomy": "2027.1"})
    )
    request = OrchestrateRequest(content=CONTENT)
    assert not (await migrated.judge(request, DEMO, CORRELATION)).cached

    class Newer(SayingDetect):
        async def known(self) -> Any:
            return tuple(info.model_copy(update={"version": "1.1"}) for info in await super().known())

    newer = Fakes(detect=Newer(says={"words": report("words", "EMAIL")}))
    assert not (await judge(newer, cache)).cached


async def test_what_a_fallback_made_is_not_kept(cache: ResponseCache) -> None:
    hurt = fakes(analyze=SayingAnalyze(Unavailable("away")))
    assert (await judge(hurt, cache)).degraded == ("analyze.unavailable",)
    assert not (await judge(fakes(), cache)).cached


async def test_who_may_not_enter_gets_no_kept_answer(cache: ResponseCache) -> None:
    await judge(fakes(), cache)
    with pytest.raises(Unavailable):
        await judge(fakes(policy=SayingPolicy(admission=Unavailable("no policy"))), cache)


async def test_nothing_kept_can_be_read_in_the_store(cache: ResponseCache, redis: "Redis") -> None:
    await judge(fakes(), cache)
    names = [name async for name in redis.scan_iter("orchestrate:judgement:*")]
    assert len(names) == 1
    value = await redis.get(names[0])
    assert 0 < await redis.ttl(names[0]) <= 300
    for word in (b"canary", b"EMAIL", b"PII", b"allow"):
        assert word not in names[0] + value


async def test_one_tenants_entry_moved_to_another_does_not_open(cache: ResponseCache, redis: "Redis") -> None:
    await judge(fakes(), cache)
    (name,) = [name async for name in redis.scan_iter("orchestrate:judgement:*")]
    other = TenantId("other")
    moved = name.decode().replace(DEMO, other)
    kept = await redis.get(name)
    assert kept is not None
    await redis.set(moved, kept)
    assert await cache.get(DEMO, name.decode()) is not None
    assert await cache.get(other, moved) is None


async def test_a_keyset_that_is_gone_is_a_cache_that_is_empty(redis: "Redis") -> None:
    await judge(fakes(), ResponseCache(redis, Sealer(new_keyset()), SECRET))
    assert not (await judge(fakes(), ResponseCache(redis, Sealer(new_keyset()), SECRET))).cached


async def test_without_its_store_everything_is_judged_anew() -> None:
    away = Redis(port=free_port())
    cache = ResponseCache(away, Sealer(new_keyset()), SECRET)
    for _ in range(2):
        assert not (await judge(fakes(), cache)).cached
    await away.aclose()


@pytest.mark.parametrize(
    ("said", "fresh"),
    [(None, False), ("", False), ("max-age=0", False), ("no-cache", True), ("No-Store", True), ("a, no-cache ", True)],
)
def test_a_caller_may_ask_for_a_fresh_answer(said: str | None, fresh: bool) -> None:
    assert declined(said) is fresh
