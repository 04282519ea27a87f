"""The images there are, and how a pod runs each: read from the manifests that the cluster reads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
MAPPER = ROOT / "inference-services" / "mapper"
PREFIX = "llama-mapper-"
TRAINING = f"{PREFIX}mapper-training"


@dataclass(frozen=True)
class Recipe:
    """One image: what it is built from and what a pod gives it."""

    name: str
    containerfile: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    lock: Path = ROOT / "constraints.txt"
    pins: tuple[str, ...] = ()
    """What the recipe itself pins, beside its lock."""
    torch: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """The manifest's variables with a plain value."""
    scratch: tuple[str, ...] = ()
    """Where the pod mounts an emptyDir; nothing else can be written to."""

    @property
    def tag(self) -> str:
        """The name that the overlay local-cluster takes."""
        return f"dev.local/{self.name}:local"

    @property
    def short(self) -> str:
        return self.name.removeprefix(PREFIX)


def recipes() -> tuple[Recipe, ...]:
    """Return every image that is built here: each folder with requirements below functions, the mapper, training."""
    folders = sorted(path.parent for path in FUNCTIONS.glob("*/requirements.txt"))
    return (*map(_function, folders), _mapper(), _training())


def _function(folder: Path) -> Recipe:
    pod: dict[str, Any] = {"containers": [{}]}
    manifest = folder / "service.yaml"
    if manifest.is_file():
        pod = yaml.safe_load(manifest.read_text("utf-8"))["spec"]["template"]["spec"]
    environment, scratch = _given(pod)
    name, arguments = f"{PREFIX}{folder.name}", {"FUNCTION": folder.name}
    return Recipe(name, FUNCTIONS / "Containerfile", arguments, environment=environment, scratch=scratch)


def _mapper() -> Recipe:
    manifest = yaml.safe_load((MAPPER / "inference-service.yaml").read_text("utf-8"))
    environment, scratch = _given(manifest["spec"]["transformer"])
    return Recipe(f"{PREFIX}mapper", MAPPER / "Containerfile", environment=environment, scratch=scratch)


def _training() -> Recipe:
    job = yaml.safe_load((MAPPER / "training-job.yaml").read_text("utf-8"))
    _, scratch = _given(job["spec"]["template"]["spec"])
    containerfile, lock = MAPPER / "Containerfile.training", ROOT / "constraints-model.txt"
    versions = re.findall(r"^ARG TORCH=(\S+)$", containerfile.read_text("utf-8"), re.MULTILINE)
    pins = tuple(f"torch=={version}" for version in versions)
    return Recipe(TRAINING, containerfile, lock=lock, pins=pins, torch=True, scratch=scratch)


def _given(pod: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The first container's plain variables, and the places where an emptyDir is mounted."""
    container = pod["containers"][0]
    environment = {one["name"]: one["value"] for one in container.get("env", ()) if "value" in one}
    empty = {volume["name"] for volume in pod.get("volumes", ()) if "emptyDir" in volume}
    mounts = container.get("volumeMounts", ())
    return environment, tuple(mount["mountPath"] for mount in mounts if mount["name"] in empty)
