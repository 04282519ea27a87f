"""What each feature flag switches off, and that one tenant's flag is no other's."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from functions.orchestrate.detectors.asking import Asking
from functions.orchestrate.detectors.versions import Candidate, Rollout, Versions
from functions.orchestrate.service import Orchestrator
from functions.orchestrate.shedding import Shedding
from llama_mapper.contracts.flags import FLAG_NAMES, FlagName
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.orchestration import CORRELATION, DEMO, Fakes, SayingModelServers, report


@dataclass
class Off:
    """*name* is off for the tenant ``demo``."""

    name: FlagName

    def on(self, name: FlagName, tenant: str, route: str = "", priority: str = "") -> bool:
        return (name, tenant) != (self.name, DEMO)


def made(fakes: Fakes, name: FlagName, **more: Any) -> Orchestrator:
    return replace(fakes.orchestrator, switches=Off(name), **more)


def test_with_all_on_nothing_changes() -> None:
    orchestrator = Fakes().orchestrator
    assert orchestrator.switched(DEMO, "normal") is orchestrator


@pytest.mark.parametrize("name", FLAG_NAMES)
def test_one_tenants_flag_is_no_others(name: FlagName) -> None:
    orchestrator = made(Fakes(), name)
    assert orchestrator.switched(TenantId("other"), "normal") is orchestrator
    assert orchestrator.switched(DEMO, "normal") is not orchestrator


async def judged(orchestrator: Orchestrator, **request: Any) -> Any:
    asked = OrchestrateRequest.model_validate({"content": "some words"} | request)
    return await orchestrator.judge(asked, DEMO, CORRELATION)


async def test_without_the_model_the_mapper_is_asked_for_rules_alone() -> None:
    fakes = Fakes()
    orchestrator = made(fakes, "model-mapper")
    switched = orchestrator.switched(DEMO, "normal").mapper
    assert getattr(switched, "rules_only", None) is True
    assert fakes.mapper.rules_only is False


async def test_without_load_shedding_nobody_is_refused_for_want_of_room() -> None:
    full = Shedding(4)
    slots = [full.slot(TenantId(f"t{n}"), "critical", 1.0) for n in range(4)]
    for slot in slots:
        slot.__enter__()
    with pytest.raises(Unavailable):
        await judged(replace(Fakes().orchestrator, load=full))
    await judged(made(Fakes(), "load-shedding", load=full))


async def test_without_hedging_a_detector_is_asked_once() -> None:
    hedged, plain = SayingModelServers({"server": report("server")}), SayingModelServers({"server": report("server")})
    fakes = Fakes(model_servers=hedged)
    await judged(made(fakes, "hedging", unhedged=plain), detector_types=["server"])
    assert (len(hedged.asked), len(plain.asked)) == (0, 1)


async def test_without_candidates_the_detector_itself_answers() -> None:
    rollout = Rollout(candidates=(Candidate(detector=DetectorId("candidate"), share=1.0),))
    versions = Versions({DetectorId("server"): rollout}, b"key")
    servers = SayingModelServers({"server": report("server"), "candidate": report("candidate")})
    fakes = Fakes(model_servers=servers)
    await judged(replace(fakes.orchestrator, asking=Asking(versions=versions)), detector_types=["server"])
    assert [name for name, _ in servers.asked] == ["candidate"]
    await judged(made(fakes, "detector-candidates", asking=Asking(versions=versions)), detector_types=["server"])
    assert [name for name, _ in servers.asked] == ["candidate", "server"]


def test_without_the_response_cache_nothing_is_kept() -> None:
    assert made(Fakes(), "response-cache").switched(DEMO, "normal").cache is None
