"""What joins while the system runs, as each tenant sees it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.orchestrate.registration.joined import LOOK_SECONDS, Joined
from functions.orchestrate.registration.registered_detector import RegisteredDetector, Workshop
from functions.orchestrate.registration.registrations import Kept, MemoryRegistrations, Of
from llama_mapper.contracts.events import PLATFORM
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.contracts.problems import Conflict, InvalidRequest, Unavailable
from tests.fakes.orchestration import CORRELATION, DEMO, Fakes
from tests.fakes.registered import registration

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 20, tzinfo=UTC)
A, B = TenantId("a"), TenantId("b")


@dataclass
class Detectors(httpx.AsyncBaseTransport):
    """Every detector there is: answers in detect's contract, and keeps who was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        (name,) = body["detectors"]
        self.asked.append((request.url.host, body["content"]))
        found = [{"label": "EMAIL", "score": 0.9}]
        report = {"detector": name, "version": "1.0", "family": "pii", "status": "ok", "detections": found}
        return httpx.Response(200, json={"reports": [report]})


@dataclass
class Falling(MemoryRegistrations):
    """Away where a test says so."""

    away: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    async def generations(self, tenants: Sequence[TenantId]) -> tuple[int, ...]:
        if self.away:
            raise Unavailable("the store of detectors does not answer")
        return await super().generations(tenants)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def kept(name: str, host: str = "judge", **more: Any) -> Kept:
    said = registration(f"https://{host}.example.org/detect", id=name, **more)
    return Kept.model_validate({"definition": said, "registered_at": NOW, "changed_at": NOW})


def workshop(transport: httpx.AsyncBaseTransport | None = None) -> Workshop:
    return Workshop(
        transport or Detectors(),
        (ROOT / "functions/orchestrate/http_adapters",),
        ROOT / "inference-services/mapper/vocabularies",
    )


async def names(joined: Joined, tenant: TenantId) -> list[str]:
    return sorted((await joined.of(tenant)).detectors)


async def test_a_change_is_seen_after_two_seconds_and_at_once_where_it_was_made() -> None:
    store, clock = MemoryRegistrations(), Clock()
    here, there = Joined(store, workshop(), clock=clock), Joined(store, workshop(), clock=clock)
    assert await names(here, A) == await names(there, A) == []
    await store.put(A, kept("mine"), new=True)
    here.forget(A)
    assert (await names(here, A), await names(there, A)) == (["mine"], [])
    clock.now += LOOK_SECONDS
    assert await names(there, A) == ["mine"]


async def test_what_did_not_change_keeps_its_breaker() -> None:
    store = MemoryRegistrations()
    joined = Joined(store, workshop())
    await store.put(A, kept("mine"), new=True)
    first = (await joined.of(A)).detectors[DetectorId("mine")]
    await store.put(A, kept("other"), new=True)
    joined.forget(A)
    assert (await joined.of(A)).detectors[DetectorId("mine")] is first


async def test_while_the_store_is_away_the_last_known_are_used() -> None:
    store, clock = Falling(), Clock()
    joined = Joined(store, workshop(), clock=clock)
    await store.put(A, kept("mine"), new=True)
    assert await names(joined, A) == ["mine"]
    store.away = True
    clock.now += LOOK_SECONDS
    assert await names(joined, A) == ["mine"]
    assert await names(joined, B) == []


async def test_the_tenants_own_stands_before_the_platforms_and_that_before_the_clusters() -> None:
    store = MemoryRegistrations()
    made = workshop()
    cluster = {
        DetectorId(name): made.make(kept(name, "cluster"), "discovered", "*") for name in ("one", "two", "three")
    }
    joined = Joined(store, made, lambda: cluster)
    await store.put(PLATFORM, kept("one", "platform"), new=True)
    await store.put(PLATFORM, kept("two", "platform"), new=True)
    await store.put(A, kept("one", "own"), new=True)

    def whose(detectors: dict[DetectorId, RegisteredDetector]) -> dict[str, str]:
        return {name: one.kept.definition.url.split("/")[2].split(".")[0] for name, one in detectors.items()}

    assert whose(dict((await joined.of(A)).detectors)) == {"one": "own", "two": "platform", "three": "cluster"}
    assert whose(dict((await joined.of(B)).detectors)) == {"one": "platform", "two": "platform", "three": "cluster"}


async def test_one_that_no_longer_fits_is_left_out() -> None:
    class Old(MemoryRegistrations):
        async def of(self, tenant_id: TenantId) -> Of:
            return {DetectorId("old"): kept("old", vocabulary="gone"), DetectorId("new"): kept("new")}

    store = Old()
    await store.put(A, kept("new"), new=True)
    assert await names(Joined(store, workshop()), A) == ["new"]


async def test_a_version_keeps_its_meaning_also_after_it_was_removed() -> None:
    store = MemoryRegistrations()
    await store.put(A, kept("mine"), new=True)
    assert await store.remove(A, DetectorId("mine"))
    with pytest.raises(Conflict):
        await store.put(A, kept("mine", vocabulary="presidio"), new=True)
    await store.put(B, kept("mine", vocabulary="presidio"), new=True)  # another tenant's version is another one
    await store.put(A, kept("mine", weight=3), new=True)


async def judged(fakes: Fakes, joined: Joined, tenant: TenantId, *detectors: str) -> list[str]:
    asked = OrchestrateRequest.model_validate({"content": f"of {tenant}", "detector_types": detectors})
    orchestrator = replace(fakes.orchestrator, joining=joined)
    answer = await orchestrator.judge(asked, tenant, CORRELATION)
    return sorted(one.detector for one in answer.detectors if one.status == "ok")


async def test_a_tenants_detector_runs_beside_the_others_and_speaks_its_vocabulary() -> None:
    store, fakes = MemoryRegistrations(), Fakes()
    await store.put(DEMO, kept("mine"), new=True)
    assert await judged(fakes, Joined(store, workshop()), DEMO, "mine", "words") == ["mine", "words"]
    assert [(one.detector, one.detector_version) for one in fakes.mapper.asked[0]] == [("hatesonar", "unknown")]


async def test_an_edition_of_a_vocabulary_is_asked_for_by_its_name() -> None:
    store, fakes = MemoryRegistrations(), Fakes()
    await store.put(DEMO, kept("mine", vocabulary="presidio", vocabulary_version="2.2"), new=True)
    await judged(fakes, Joined(store, workshop()), DEMO, "mine")
    assert [(one.detector, one.detector_version) for one in fakes.mapper.asked[0]] == [("presidio", "2.2")]


async def test_one_of_a_family_is_asked_with_the_family() -> None:
    store, fakes = MemoryRegistrations(), Fakes()
    await store.put(DEMO, kept("mine", family="secrets"), new=True)
    assert await judged(fakes, Joined(store, workshop()), DEMO, "secrets") == ["keys", "mine"]


async def test_the_policy_may_name_it() -> None:
    store, fakes = MemoryRegistrations(), Fakes()
    await store.put(DEMO, kept("mine"), new=True)
    orchestrator = replace(fakes.orchestrator, joining=Joined(store, workshop()))
    request = OrchestrateRequest.model_validate({"content": "text"})
    await orchestrator.judge(request, DEMO, CORRELATION)
    assert "mine" in fakes.policy.available


async def test_what_the_installation_calls_its_own_is_never_shadowed() -> None:
    store, fakes, detectors = MemoryRegistrations(), Fakes(), Detectors()
    for name in ("words", "deberta", "pii"):
        await store.put(DEMO, kept(name), new=True)
    await judged(fakes, Joined(store, workshop(detectors)), DEMO, "words", "deberta", "pii")
    assert detectors.asked == []


_TENANTS = st.sampled_from([TenantId(name) for name in ("a", "b", "c", PLATFORM)])
_NAMES = st.sampled_from(["one", "two", "three"])
_ACTS = st.lists(st.tuples(st.sampled_from(["put", "remove"]), _TENANTS, _NAMES), max_size=12)


@settings(max_examples=60, deadline=None)
@given(_ACTS)
def test_no_tenant_ever_sees_or_uses_anothers_detector(acts: list[tuple[str, TenantId, str]]) -> None:
    """Each detector's host is its owner's name, so what was asked tells whose detector got the content."""

    async def run() -> None:
        store, detectors = MemoryRegistrations(), Detectors()
        joined, there = Joined(store, workshop(detectors)), defaultdict[str, set[str]](set)
        for act, tenant, name in acts:
            if act == "put" and name not in there[tenant]:
                await store.put(tenant, kept(name, tenant), new=True)
                there[tenant].add(name)
            elif act == "remove":
                await store.remove(tenant, DetectorId(name))
                there[tenant].discard(name)
            joined.forget(tenant)
            joined.forget(PLATFORM)
        for tenant in (A, B, TenantId("c")):
            joined.forget(tenant)
            mine = there[tenant] | there[PLATFORM]
            assert set(await names(joined, tenant)) == mine
            for name in ("one", "two", "three"):
                try:
                    await judged(Fakes(), joined, tenant, name)
                except InvalidRequest:
                    assert name not in mine
        for host, content in detectors.asked:
            assert host.split(".")[0] in (content.removeprefix("of "), PLATFORM)

    asyncio.run(run())
