"""Builds what a cluster would be given: every overlay and combination, by kustomize."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from .objects import Bundle, Object, read, written

ROOT = Path(__file__).parents[2]
ROOMS = ("functions", "inference-services", "eventing", "policies", "kustomize")
# What is applied by itself: the base and what the cluster needs before it count as such, components do not.
_TARGETS = (
    "kustomize/base",
    "kustomize/cluster",
    "kustomize/tenant",
    "kustomize/overlays/*",
    "kustomize/combinations/*",
)


# Names the Broker of a set that is there before it, so it is looked at together with the base.
TENANT = ROOT / "kustomize" / "tenant"


class BuildError(SystemExit):
    """kustomize refused a folder; the message is the end of its own."""


def targets() -> list[Path]:
    found = (path for pattern in _TARGETS for path in sorted(ROOT.glob(pattern)))
    return [path for path in found if (path / "kustomization.yaml").is_file()]


def kustomize(folder: Path) -> str:
    """Return what ``kubectl kustomize`` renders.

    Raises:
        BuildError: the folder cannot be built.
    """
    beside = Path(sys.executable).parent / "kubectl"
    kubectl = str(beside) if beside.is_file() else shutil.which("kubectl")
    if kubectl is None:
        raise BuildError("there is no kubectl; tests/requirements.txt brings one")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{folder}: {' '.join(done.stderr.split())[-400:]}")
    return done.stdout


def build(folder: Path) -> Bundle:
    """Render *folder*; each object knows the file that it is written in.

    Raises:
        BuildError: the folder cannot be built, or what it renders is not YAML.
    """
    try:
        objects = read(kustomize(folder), _files())
    except yaml.YAMLError as error:
        raise BuildError(f"{folder}: {str(error)[:300]}") from None
    name = str(folder.relative_to(ROOT)) if folder.is_relative_to(ROOT) else folder.name
    if folder == TENANT:
        objects = [*build(ROOT / "kustomize" / "base").objects, *objects]
    return Bundle(objects, name, production="production" in name, features=_features(objects))


def examples() -> Bundle:
    """eventing/examples as they would be applied over the base, on a cluster that has what their README asks for."""
    base = build(ROOT / "kustomize" / "base")
    own = [
        Object(one.body, str(path.relative_to(ROOT)))
        for path in sorted(ROOT.glob("eventing/examples/*.yaml"))
        for one in read(path.read_text("utf-8"))
    ]
    features = dict(base.features)
    features["eventing"] = features.get("eventing", frozenset()) | {"authentication-oidc"}
    return Bundle([*base.objects, *own], "eventing/examples", features=features)


@cache
def _files() -> Mapping[tuple[str, str], str]:
    return written(ROOT, ROOMS)


def _features(objects: list[Object]) -> dict[str, frozenset[str]]:
    """Feature flags that the set itself, or ``kustomize/cluster`` before it, turns on."""
    cluster = ROOT / "kustomize" / "cluster"
    before = [one for path in sorted(cluster.glob("*.yaml")) for one in read(path.read_text("utf-8"))]
    found: dict[str, frozenset[str]] = {}
    for one in (*before, *objects):
        if one.kind == "ConfigMap" and one.name == "config-features":
            on = frozenset(str(key) for key, value in one.map("data").items() if value in ("enabled", "allowed"))
            room = one.namespace.removeprefix("knative-")
            found[room] = found.get(room, frozenset()) | on
    return found
