"""kustomize/blue-green.sh against a kubectl that keeps one Service in a file."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.manifests import build

SCRIPT = build.ROOT / "kustomize" / "blue-green.sh"
FAKE = build.ROOT / "tests" / "fakes" / "kubectl.py"
REAL = Path(sys.executable).parent / "kubectl"
SERVICE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "orchestrate"}}
ALL_LATEST = [{"latestRevision": True, "percent": 100}]


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder, self._state = folder, folder / "state.json"
        (folder / "bin").mkdir()
        command = shlex.join([sys.executable, str(FAKE)])
        (folder / "bin" / "kubectl").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / "bin" / "kubectl").chmod(0o755)
        self.overlay = folder / "overlays" / "production"
        self.overlay.mkdir(parents=True)
        (self.overlay / "service.yaml").write_text(json.dumps({**SERVICE, "spec": {"traffic": ALL_LATEST}}))
        (self.overlay / "kustomization.yaml").write_text("resources: [service.yaml]\n")
        self.put("orchestrate-00041", "orchestrate-00041")

    def put(self, created: str, ready: str, after: str = "orchestrate-00042") -> None:
        status = {"latestCreatedRevisionName": created, "latestReadyRevisionName": ready}
        applied = {"latestCreatedRevisionName": after, "latestReadyRevisionName": after}
        service = {**SERVICE, "spec": {"traffic": ALL_LATEST}, "status": status}
        self._state.write_text(json.dumps({"asked": [], "service": service, "after_apply": applied}))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "FAKE_KUBECTL": str(self._state),
            "REAL_KUBECTL": str(REAL if REAL.is_file() else shutil.which("kubectl")),
        }
        command = ["sh", str(SCRIPT), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def state(self) -> Any:
        return json.loads(self._state.read_text("utf-8"))

    @property
    def shares(self) -> dict[str, int]:
        return {row["tag"]: row["percent"] for row in self.state["service"]["spec"]["traffic"]}


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_a_start_applies_the_overlay_with_all_requests_left_to_blue(cluster: Cluster) -> None:
    done = cluster.run("start", "orchestrate", str(cluster.overlay))
    assert done.returncode == 0, done.stderr
    traffic = cluster.state["service"]["spec"]["traffic"]
    assert traffic == [
        {"revisionName": "orchestrate-00041", "percent": 100, "tag": "blue"},
        {"latestRevision": True, "percent": 0, "tag": "green"},
    ]
    asked = [
        next(word for word in words if word in ("get", "patch", "apply", "wait")) for words in cluster.state["asked"]
    ]
    assert asked.index("patch") < asked.index("apply") < asked.index("wait")
    assert [path.name for path in cluster.overlay.parent.iterdir()] == ["production"]  # nothing is left behind


def test_a_share_and_then_all_go_to_green_and_back(cluster: Cluster) -> None:
    cluster.run("start", "orchestrate", str(cluster.overlay))
    for words, shares in (
        (("try", "orchestrate", "10"), {"blue": 90, "green": 10}),
        (("switch", "orchestrate"), {"blue": 0, "green": 100}),
        (("back", "orchestrate"), {"blue": 100, "green": 0}),
    ):
        assert cluster.run(*words).returncode == 0
        assert cluster.shares == shares


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("try", "orchestrate", "10"), "no revision tagged blue"),
        (("switch", "orchestrate"), "no revision tagged blue"),
        (("back", "orchestrate"), "no revision tagged blue"),
        (("start", "orchestrate", "/nowhere"), "has no kustomization.yaml"),
    ],
)
def test_nothing_moves_before_a_start(cluster: Cluster, words: tuple[str, ...], why: str) -> None:
    done = cluster.run(*words)
    assert (done.returncode, why in done.stderr) == (1, True)
    assert cluster.state["service"]["spec"]["traffic"] == ALL_LATEST


@pytest.mark.parametrize("percent", ["101", "-1", "ten", "1000", "5.5", ""])
def test_a_share_is_a_percentage(cluster: Cluster, percent: str) -> None:
    cluster.run("start", "orchestrate", str(cluster.overlay))
    done = cluster.run("try", "orchestrate", percent)
    assert (done.returncode, "is no percentage" in done.stderr) == (1, True)
    assert cluster.shares == {"blue": 100, "green": 0}


def test_a_revision_that_is_not_ready_gets_nothing(cluster: Cluster) -> None:
    cluster.run("start", "orchestrate", str(cluster.overlay))
    state = cluster.state
    state["service"]["status"]["latestCreatedRevisionName"] = "orchestrate-00043"
    (cluster.folder / "state.json").write_text(json.dumps(state))
    done = cluster.run("switch", "orchestrate")
    assert (done.returncode, "orchestrate-00043 is not ready" in done.stderr) == (1, True)
    assert cluster.shares == {"blue": 100, "green": 0}


def test_without_a_new_revision_there_is_nothing_to_switch_to(cluster: Cluster) -> None:
    cluster.put("orchestrate-00041", "orchestrate-00041", after="orchestrate-00041")
    cluster.run("start", "orchestrate", str(cluster.overlay))
    assert "there is no revision after" in cluster.run("switch", "orchestrate").stderr


@pytest.mark.parametrize("words", [(), ("start",), ("start", "orchestrate"), ("turn", "orchestrate")])
def test_what_is_not_understood_is_explained(cluster: Cluster, words: tuple[str, ...]) -> None:
    done = cluster.run(*words)
    assert (done.returncode, "blue-green.sh switch FUNCTION" in done.stderr) == (64, True)
