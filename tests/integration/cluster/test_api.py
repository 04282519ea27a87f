"""Server-side apply, optimistic concurrency and watches, by the official client over real HTTP."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llama_mapper.cluster import services
from llama_mapper.cluster.api import MANAGER, Cluster
from llama_mapper.cluster.errors import (
    AlreadyThere,
    Denied,
    NotAccepted,
    NotThere,
    OwnedByOthers,
    Stale,
    Unreachable,
)
from llama_mapper.contracts.canaries import CanarySpec, CanaryStatus, Condition
from tests.fakes.kserve import CANDIDATE, FIRST, SECOND, STABLE, KServe
from tests.fakes.kubernetes_api import ApiServer
from tests.fakes.promotion import client_of

SPEC = CanarySpec(inference_service="mapper", storage_uri=CANDIDATE)
SERVICE = (services.GROUP, services.PLURAL, "mapper")
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def test_an_inference_service_is_read_with_its_revisions(client: Cluster) -> None:
    service = client.service("mapper")
    assert (service.storage_uri, service.percent, service.rolled_out, service.revisions) == (STABLE, None, FIRST, None)


def test_a_turn_gives_the_candidate_its_share_and_leaves_all_else(client: Cluster, api: ApiServer) -> None:
    client.turn(client.service("mapper"), 5, CANDIDATE, force=True)
    service = client.service("mapper")
    assert (service.percent, service.candidate_share, service.owners) == (5, 5, (MANAGER,))
    assert service.revisions is not None
    assert (service.revisions.stable, service.revisions.candidate) == (FIRST, SECOND)
    predictor = api.get(*SERVICE)["spec"]["predictor"]
    assert predictor["minReplicas"] == 1
    assert predictor["model"]["runtime"] == "vllm-mapper"


def test_a_field_of_another_manager_is_not_taken_unasked(client: Cluster) -> None:
    with pytest.raises(OwnedByOthers) as caught:
        client.turn(client.service("mapper"), 5, CANDIDATE)
    assert caught.value.managers == ("kubectl-client-side-apply",)
    assert client.service("mapper").storage_uri == STABLE


def test_a_turn_on_what_was_read_too_long_ago_changes_nothing(client: Cluster, api: ApiServer) -> None:
    service = client.service("mapper")
    api.change(*SERVICE, {"spec": {"predictor": {"minReplicas": 2}}})
    with pytest.raises(Stale):
        client.turn(service, 5, CANDIDATE, force=True)
    assert client.service("mapper").percent is None


def test_promotion_takes_the_field_away(client: Cluster, api: ApiServer) -> None:
    client.turn(client.service("mapper"), 50, CANDIDATE, force=True)
    done = client.turn(client.service("mapper"), None, CANDIDATE)
    assert done.percent is None
    assert "canaryTrafficPercent" not in api.get(*SERVICE)["spec"]["predictor"]
    after = client.service("mapper")
    assert (after.rolled_out, after.candidate_share, after.storage_uri) == (SECOND, 100, CANDIDATE)


def test_promotion_takes_the_field_away_also_where_another_manager_set_the_same_value(
    client: Cluster, api: ApiServer
) -> None:
    api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 50}}}, manager="argocd")
    client.turn(client.service("mapper"), 50, CANDIDATE, force=True)
    assert set(client.service("mapper").owners) == {"argocd", MANAGER}
    assert client.turn(client.service("mapper"), None, CANDIDATE).percent is None


def test_a_person_who_sets_another_share_owns_the_field_until_it_is_taken_back(client: Cluster, api: ApiServer) -> None:
    client.turn(client.service("mapper"), 5, CANDIDATE, force=True)
    api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 40}}})
    with pytest.raises(OwnedByOthers):
        client.turn(client.service("mapper"), 25, CANDIDATE)
    assert client.turn(client.service("mapper"), 0, CANDIDATE, force=True).owners == (MANAGER,)


def test_a_dry_run_changes_nothing_and_still_finds_the_owner(client: Cluster) -> None:
    with pytest.raises(OwnedByOthers):
        client.turn(client.service("mapper"), 5, CANDIDATE, dry_run=True)
    assert client.turn(client.service("mapper"), 5, CANDIDATE, force=True, dry_run=True).percent == 5
    assert client.service("mapper").percent is None


def test_a_canary_is_made_once_and_remembers_its_status(client: Cluster) -> None:
    made = client.create("mapper", SPEC)
    with pytest.raises(AlreadyThere):
        client.create("mapper", SPEC)
    condition = Condition(type="Progressing", status="True", reason="Started", last_transition_time=NOW)
    status = CanaryStatus(phase="Progressing", step=1, percent=5, conditions=(condition,))
    after = client.remember(made, status)
    assert after.status == status
    assert after.generation == made.generation
    with pytest.raises(Stale):
        client.remember(made, status)


def test_amending_a_canary_makes_a_new_generation_and_removes_with_none(client: Cluster) -> None:
    made = client.create("mapper", SPEC)
    amended = client.amend("mapper", {"override": "rollback", "paused": True})
    assert (amended.spec.override, amended.spec.paused, amended.generation) == ("rollback", True, made.generation + 1)
    assert client.amend("mapper", {"override": None}).spec.override is None


def test_a_status_that_the_crd_does_not_know_is_refused(client: Cluster, api: ApiServer) -> None:
    made = client.create("mapper", SPEC)
    broken = made.model_copy(update={"spec": SPEC.model_copy(update={"mode": "apply"})})
    with pytest.raises(NotAccepted):
        client.amend("mapper", {"mode": "often"})
    assert client.remember(broken, CanaryStatus()).status.phase == "Pending"


def test_a_watch_tells_what_changes_and_begins_after_the_list(client: Cluster) -> None:
    _, since = client.listed()
    client.create("mapper", SPEC)
    client.amend("mapper", {"paused": True})
    seen = []
    for kind, canary in client.watch(since, seconds=30):
        seen.append((kind, canary.spec.paused))
        if len(seen) == 2:
            break
    assert seen == [("ADDED", False), ("MODIFIED", True)]


def test_a_watch_from_a_forgotten_version_says_so(client: Cluster, api: ApiServer) -> None:
    _, since = client.listed()
    client.create("mapper", SPEC)
    api.compact()
    with pytest.raises(Stale):
        list(client.watch(since, seconds=30))


def test_what_is_not_there_wrong_credentials_and_no_server_are_told_apart(
    client: Cluster, api: ApiServer, kserve: KServe
) -> None:
    with pytest.raises(NotThere):
        client.service("other")
    with pytest.raises(NotThere):
        client.canary("other")
    with pytest.raises(Denied):
        client_of(api, token="wrong").canaries()
    api.rules = ()
    with pytest.raises(Denied):
        client.canaries()
    api.url = "http://127.0.0.1:9"
    with pytest.raises(Unreachable):
        client_of(api).canaries()


def test_outside_of_a_pod_there_is_no_token_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Denied):
        Cluster.of_pod("llama-mapper")


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Denied):
        Cluster.of_person(tmp_path / "none", None, None)
