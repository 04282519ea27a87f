"""The gate against an API server, a KServe, a Prometheus and a broker, tick by tick."""

import json
from pathlib import Path

import pytest
import yaml

from llama_mapper.cluster import services
from llama_mapper.cluster.api import MANAGER
from llama_mapper.contracts import canaries
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.kserve import CANDIDATE, FIRST, SECOND, role
from tests.fakes.promotion import Promotion

SERVICE = (services.GROUP, services.PLURAL, "mapper")
CANARY = (canaries.GROUP, canaries.PLURAL, "mapper")


async def begun(world: Promotion, **spec: object) -> None:
    """A candidate with 5 %, whose calls count from now."""
    world.start(**spec)
    assert await world.ticks(2) == ["Started", "StepBegan"]


def steps(world: Promotion) -> list[tuple[int, int, str]]:
    told = [json.loads(event["data"]) for event in world.events]
    return [(one["from_percent"], one["to_percent"], one["decision"]) for one in told]


async def test_a_healthy_candidate_goes_all_the_way(world: Promotion) -> None:
    await begun(world)
    await world.evaluated()
    for percent, following in ((5, 25), (25, 50), (50, None)):
        assert world.percent == percent
        world.calls(FIRST, 400)
        world.calls(SECOND, 400)
        assert await world.tick() == "NotWorse"
        assert world.percent == following
        if following:
            assert await world.tick() == "StepBegan"
    status = world.canary.status
    assert (status.phase, status.percent, status.step, status.intent) == ("Promoted", 100, 4, None)
    assert world.person.service("mapper").rolled_out == SECOND
    assert steps(world) == [(0, 5, "start"), (5, 25, "promote"), (25, 50, "promote"), (50, 100, "promote")]
    assert await world.tick() == ""  # over


async def test_a_regression_is_rolled_back_at_the_next_look(world: Promotion) -> None:
    await begun(world)
    world.calls(FIRST, 400)
    world.calls(SECOND, 60, "invalid")
    assert await world.tick() == "WorseInvalid"
    assert world.percent == 0
    status = world.canary.status
    assert (status.phase, status.percent) == ("RolledBack", 0)
    assert {one.type: one.status for one in status.conditions} == {
        "Progressing": "False",
        "Promoted": "False",
        "RolledBack": "True",
    }
    assert world.person.service("mapper").candidate_share == 0


async def test_failures_without_a_name_are_the_candidates_where_its_answers_are_missing(world: Promotion) -> None:
    await begun(world)
    world.api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 50}}})
    assert await world.tick() == "StepBegan"
    world.calls(FIRST, 500)
    world.calls(SECOND, 250)
    world.calls("Nobody", 250, "failed")
    assert await world.tick() == "WorseErrors"
    assert world.percent == 0


async def test_failures_without_a_name_that_both_share_prove_nothing(world: Promotion) -> None:
    await begun(world)
    world.api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 50}}})
    await world.tick()
    world.calls(FIRST, 300)
    world.calls(SECOND, 300)
    world.calls("Nobody", 250, "failed")
    assert await world.tick() != "WorseErrors"
    assert world.percent != 0


async def test_too_few_calls_hold_and_say_how_many_there_were(world: Promotion) -> None:
    await begun(world)
    world.calls(FIRST, 20)
    world.calls(SECOND, 2)
    assert await world.tick() == "Collecting"
    verdict = world.canary.status.last_verdict
    assert verdict is not None
    assert verdict.calls is not None
    assert (verdict.decision, verdict.calls.stable, verdict.calls.candidate, world.percent) == ("hold", 20, 2, 5)


async def test_calls_from_before_the_step_do_not_count(world: Promotion) -> None:
    world.calls(SECOND, 300, "invalid")
    await begun(world)
    assert await world.tick() == "Collecting"
    assert world.percent == 5


async def test_nothing_is_promoted_without_the_golden_set_and_a_failed_gate_rolls_back(world: Promotion) -> None:
    await begun(world)
    world.api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 50}}})
    await world.tick()
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    assert await world.tick() == "MissingGolden"
    await world.evaluated(adapter="another-1", gates_passed=(), gates_failed=("macro-f1",))
    assert world.canary.status.golden is None
    world.calls(SECOND, 1)
    world.now = world.now.replace(second=1)
    await world.evaluated(gates_passed=(), gates_failed=("macro-f1",))
    assert (world.percent, world.canary.status.phase) == (0, "RolledBack")


async def test_a_candidate_that_is_not_ready_waits(world: Promotion) -> None:
    world.kserve.ready = False
    world.start()
    assert await world.ticks(3) == ["Started", "NotReady", "NotReady"]
    world.kserve.ready = True
    world.kserve.again()
    assert await world.tick() == "StepBegan"


async def test_a_step_begins_when_the_gateway_splits_so(world: Promotion) -> None:
    await begun(world)
    world.kserve.settles = False
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    assert await world.tick() == "NotWorse"
    assert await world.tick() == "Settling"
    world.kserve.settles = True
    world.kserve.again()
    assert await world.tick() == "StepBegan"


async def test_nothing_starts_before_the_first_rollout(world: Promotion) -> None:
    world.api.set_status(*SERVICE, {})
    world.start()
    assert await world.tick() == "FirstRollout"
    assert world.percent is None


async def test_without_metrics_nothing_moves(world: Promotion) -> None:
    await begun(world)
    world.prometheus.away = True
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    assert await world.tick() == "NoMetrics"
    assert world.percent == 5


async def test_a_broker_that_is_away_gets_the_step_later_and_once(world: Promotion) -> None:
    world.start()
    world.broker[0] = 503
    with pytest.raises(Unavailable):
        await world.tick()
    assert world.canary.status.intent is not None
    assert world.percent == 5
    world.broker[0] = 202
    assert await world.tick() == "Started"
    assert len(world.events) == 1
    assert world.canary.status.intent is None


async def test_a_gate_that_died_between_two_writes_takes_the_same_step_with_the_same_event(world: Promotion) -> None:
    world.start()
    world.broker[0] = 503
    with pytest.raises(Unavailable):
        await world.tick()
    intent = world.canary.status.intent
    assert intent is not None
    world.broker[0] = 202
    await world.tick()
    assert world.events[0]["id"] == intent.event_id
    assert world.canary.status.step == 1


async def test_a_change_between_reading_and_writing_is_judged_again(world: Promotion) -> None:
    await begun(world)
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    pending = [{"spec": {"predictor": {"maxReplicas": 9}}}]

    def meddle(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("inferenceservices/mapper") and pending:
            world.api.change(*SERVICE, pending.pop())

    world.api.before = meddle
    assert await world.tick() == "Changed"
    assert world.percent == 5
    assert world.api.get(*SERVICE)["spec"]["predictor"]["maxReplicas"] == 9


async def test_a_new_status_between_reading_and_writing_does_not_matter(world: Promotion) -> None:
    await begun(world)
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    pending = [1]

    def meddle(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("inferenceservices/mapper") and pending:
            pending.pop()
            status = world.api.get(*SERVICE)["status"]
            world.api.set_status(*SERVICE, status | {"address": {"url": "http://moved"}})

    world.api.before = meddle
    assert await world.tick() == "NotWorse"
    assert world.percent == 25


async def test_a_canary_that_a_person_changes_meanwhile_is_read_again(world: Promotion) -> None:
    await begun(world)
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    pending = [{"spec": {"paused": True}}]

    def meddle(method: str, path: str) -> None:
        if method == "PUT" and pending:
            world.api.change(*CANARY, pending.pop())

    world.api.before = meddle
    assert await world.tick() == "Paused"
    assert world.percent == 5


async def test_the_share_of_kubectl_apply_is_taken_over_and_can_still_be_removed(world: Promotion) -> None:
    changes = {"model": {"storageUri": CANDIDATE}, "canaryTrafficPercent": 5}
    world.api.change(*SERVICE, {"spec": {"predictor": changes}}, manager="kubectl-client-side-apply")
    world.start()
    assert await world.ticks(2) == ["Adopted", "StepBegan"]
    world.person.amend("mapper", {"override": "promote"})
    assert await world.tick() == "Asked"
    assert world.percent is None


async def test_a_forward_step_takes_a_field_that_others_own_but_have_not_changed(world: Promotion) -> None:
    changes = {"model": {"storageUri": CANDIDATE}, "canaryTrafficPercent": 5}
    world.api.change(*SERVICE, {"spec": {"predictor": changes}}, manager="kubectl-client-side-apply")
    world.start()
    await world.ticks(2)
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    assert await world.tick() == "NotWorse"
    service = world.person.service("mapper")
    assert (service.percent, service.owners) == (25, (MANAGER,))


async def test_a_candidate_that_others_ended_is_left_to_people(world: Promotion) -> None:
    await begun(world)
    world.api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": None}}})
    assert await world.tick() == "TakenOver"
    progressing = next(one for one in world.canary.status.conditions if one.type == "Progressing")
    assert (progressing.status, progressing.reason) == ("False", "TakenOver")


async def test_a_person_rolls_back_whatever_was_changed(world: Promotion) -> None:
    await begun(world)
    world.api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 70}}})
    world.person.amend("mapper", {"override": "rollback"})
    assert await world.tick() == "Asked"
    assert (world.percent, world.canary.status.phase) == (0, "RolledBack")


async def test_what_never_began_is_rolled_back_without_a_touch(world: Promotion) -> None:
    world.start(override="rollback")
    assert await world.tick() == "Asked"
    assert world.canary.status.phase == "RolledBack"
    assert world.person.service("mapper").revisions is None


async def test_a_paused_canary_goes_no_step_forward_but_back(world: Promotion) -> None:
    await begun(world, paused=True)
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    assert await world.tick() == "Paused"
    world.calls(SECOND, 400, "invalid")
    assert await world.tick() == "WorseInvalid"
    assert world.percent == 0


async def test_a_dry_run_asks_the_api_server_and_changes_nothing(world: Promotion) -> None:
    world.start(mode="dry-run")
    before = world.api.get(*SERVICE)
    assert await world.tick() == "DryRun"
    assert world.api.get(*SERVICE) == before
    assert world.events == []
    verdict = world.canary.status.last_verdict
    assert verdict is not None
    assert verdict.reasons == (
        "would give the candidate 5 %: Started; the field is owned by kubectl-client-side-apply",
    )


async def test_in_gitops_a_patch_is_written_and_counts_once_it_is_applied(world: Promotion, tmp_path: Path) -> None:
    world.start(mode="gitops")
    assert await world.ticks(2) == ["PatchWritten", "PatchWritten"]
    written = yaml.safe_load((tmp_path / "mapper.yaml").read_text())
    assert written["spec"]["predictor"] == {"canaryTrafficPercent": 5, "model": {"storageUri": CANDIDATE}}
    assert world.percent is None
    assert world.events == []
    world.api.change(*SERVICE, {"spec": written["spec"]}, manager="argocd")
    assert await world.ticks(2) == ["Started", "StepBegan"]
    world.calls(FIRST, 400)
    world.calls(SECOND, 400)
    assert await world.tick() == "PatchWritten"
    world.calls(SECOND, 400, "invalid")
    assert await world.tick() == "PatchWritten"  # the news got worse before anybody applied it
    written = yaml.safe_load((tmp_path / "mapper.yaml").read_text())
    assert written["spec"]["predictor"]["canaryTrafficPercent"] == 0
    world.api.change(*SERVICE, {"spec": written["spec"]}, manager="argocd")
    assert await world.tick() == "WorseInvalid"
    assert world.canary.status.phase == "RolledBack"
    assert steps(world) == [(0, 5, "start"), (5, 0, "rollback")]


async def test_the_gates_own_role_is_all_it_needs(world: Promotion) -> None:
    world.start()
    world.api.rules = role()
    await world.ticks(2)
    await world.evaluated()
    world.calls(FIRST, 400)
    world.calls(SECOND, 60, "invalid")
    assert await world.tick() == "WorseInvalid"
    world.api.rules = None
    assert world.percent == 0


async def test_steps_are_the_platforms_own_events(world: Promotion) -> None:
    await begun(world)
    event = world.events[0]
    assert (event["tenantid"], event["source"], event["type"], event["subject"]) == (
        "platform",
        "/functions/promote",
        "io.llama-mapper.canary.stepped.v1",
        "mapper",
    )
    assert event["id"] == f"canary:{world.canary.uid}:1"
