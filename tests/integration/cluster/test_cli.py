"""`llama-mapper canary` against an API server, by a kubeconfig."""

import json
import threading
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from llama_mapper.cluster import services
from llama_mapper.cluster.api import Cluster
from llama_mapper.contracts.canaries import CanaryStatus, CanaryVerdict, Condition
from tests.fakes.kserve import CANDIDATE, NAMESPACE, STABLE
from tests.fakes.kubernetes_api import ApiServer
from tests.fakes.kubernetes_http import TOKEN
from tests.fakes.promotion import BEGINNING

SERVICE = (services.GROUP, services.PLURAL, "mapper")


@pytest.fixture
def kubeconfig(api: ApiServer, tmp_path: Path) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": api.url}}],
        "users": [{"name": "ada", "user": {"token": TOKEN}}, {"name": "eve", "user": {"token": "wrong"}}],
        "contexts": [
            {"name": "production", "context": {"cluster": "here", "user": "ada", "namespace": NAMESPACE}},
            {"name": "strangers", "context": {"cluster": "here", "user": "eve"}},
        ],
        "current-context": "production",
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def run(kubeconfig: Path, *arguments: str) -> Result:
    command, *rest = arguments
    environment = {"COLUMNS": "200", "TERM": "dumb"}
    return CliRunner().invoke(app, ["canary", command, *rest, "--kubeconfig", str(kubeconfig)], env=environment)


def stepped(client: Cluster, **changes: object) -> None:
    canary = client.canary("mapper")
    client.remember(canary, canary.status.model_copy(update=changes))


def test_start_makes_a_canary_that_knows_what_was_served(kubeconfig: Path, client: Cluster) -> None:
    result = run(kubeconfig, "start", CANDIDATE, "--adapter", "candidate-1", "--paused", "-o", "json")
    assert result.exit_code == 0, result.output
    (shown,) = json.loads(result.stdout)
    assert shown["spec"] == {
        "inferenceService": "mapper",
        "storageUri": CANDIDATE,
        "stableStorageUri": STABLE,
        "adapter": "candidate-1",
        "mode": "apply",
        "paused": True,
    }
    assert client.canary("mapper").spec.paused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", STABLE), "served from there already"),
        (("start", "not a uri"), "not valid: storage-uri"),
        (("start", CANDIDATE, "--service", "other"), "no such object"),
        (("promote", "other", "--yes"), "no such object"),
        (("status", "--context", "elsewhere"), "no context elsewhere"),
        (("status", "--context", "strangers"), "does not know us"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(kubeconfig: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(kubeconfig, *arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_second_canary_of_the_name_waits_for_the_first_to_be_over(kubeconfig: Path, client: Cluster) -> None:
    run(kubeconfig, "start", CANDIDATE)
    assert "runs already" in run(kubeconfig, "start", f"{CANDIDATE}-2").output
    first = client.canary("mapper").uid
    stepped(client, phase="RolledBack")
    assert run(kubeconfig, "start", f"{CANDIDATE}-2").exit_code == 0
    second = client.canary("mapper")
    assert (second.uid != first, second.status.phase) == (True, "Pending")


def test_nothing_starts_before_the_first_rollout(kubeconfig: Path, api: ApiServer) -> None:
    api.set_status(*SERVICE, {})
    assert "first rollout" in run(kubeconfig, "start", CANDIDATE).output


def test_promote_is_asked_for_and_left_to_the_gate(kubeconfig: Path, client: Cluster) -> None:
    run(kubeconfig, "start", CANDIDATE)
    assert run(kubeconfig, "promote", "mapper", "--yes").exit_code == 0
    assert client.canary("mapper").spec.override == "promote"
    assert client.service("mapper").percent is None


def test_rollback_works_without_the_gate(kubeconfig: Path, client: Cluster, api: ApiServer) -> None:
    run(kubeconfig, "start", CANDIDATE)
    client.turn(client.service("mapper"), 25, CANDIDATE, force=True)
    stepped(client, phase="Progressing", percent=25)
    api.change(*SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 40}}})
    result = run(kubeconfig, "rollback", "mapper", "--yes")
    assert result.exit_code == 0, result.output
    assert client.service("mapper").percent == 0
    assert client.canary("mapper").spec.override == "rollback"


def test_nobody_is_rolled_back_by_mistake(kubeconfig: Path, client: Cluster) -> None:
    run(kubeconfig, "start", CANDIDATE)
    assert run(kubeconfig, "rollback", "mapper").exit_code == 1  # nobody answered the question
    assert client.canary("mapper").spec.override is None


def test_a_promoted_candidate_is_told_how_to_go_back(kubeconfig: Path, client: Cluster) -> None:
    run(kubeconfig, "start", CANDIDATE)
    stepped(client, phase="Promoted")
    result = run(kubeconfig, "rollback", "mapper", "--yes")
    assert (result.exit_code, f"canary start {STABLE}" in result.output) == (2, True)


def test_pause_and_off(kubeconfig: Path, client: Cluster) -> None:
    run(kubeconfig, "start", CANDIDATE)
    run(kubeconfig, "pause", "mapper")
    assert client.canary("mapper").spec.paused
    run(kubeconfig, "pause", "mapper", "--off")
    assert not client.canary("mapper").spec.paused


def test_status_shows_where_it_stands_and_why(kubeconfig: Path, client: Cluster) -> None:
    run(kubeconfig, "start", CANDIDATE)
    verdict = CanaryVerdict(decision="hold", reason="Collecting", reasons=("errors: open",), at=BEGINNING)
    condition = Condition(type="Progressing", status="True", reason="Collecting", last_transition_time=BEGINNING)
    stepped(client, phase="Progressing", percent=25, step=2, last_verdict=verdict, conditions=(condition,))
    table = run(kubeconfig, "status", "mapper").stdout
    assert "mapper  mapper      2       25  Progressing  hold     Collecting" in table
    assert "errors: open" in table
    document = yaml.safe_load(run(kubeconfig, "status", "mapper", "-o", "yaml").stdout)
    assert CanaryStatus.model_validate(document["status"]).percent == 25
    assert json.loads(run(kubeconfig, "status", "-o", "json").stdout)[0]["name"] == "mapper"


def test_status_of_nothing_says_so(kubeconfig: Path) -> None:
    assert "no Canary here" in run(kubeconfig, "status").stdout


def test_watch_shows_what_is_there_and_each_change(kubeconfig: Path, client: Cluster, api: ApiServer) -> None:
    run(kubeconfig, "start", CANDIDATE)
    seen = threading.Event()

    def change(method: str, path: str) -> None:
        if path.endswith("/canaries") and not seen.is_set():
            seen.set()
            threading.Thread(target=lambda: stepped(client, phase="Progressing", percent=5)).start()

    api.before = change
    result = run(kubeconfig, "watch", "--seconds", "1")
    assert result.exit_code == 0, result.output
    assert "Progressing" in result.stdout
