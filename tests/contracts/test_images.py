"""The recipes of the images: one for each image the manifests name, and nothing in one that a cluster must not have.

Nothing is built here; ``make images`` builds, runs and measures them.
"""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.images.recipes import FUNCTIONS, PREFIX, ROOT, Recipe, recipes

RECIPES = recipes()
FILES = sorted({recipe.containerfile for recipe in RECIPES})
ALLOWED = [
    line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and not line.startswith("#")
]
# Other people's images, mirrored: docs/install.md says which.
MIRRORED = {f"{PREFIX}vllm", f"{PREFIX}llama-cpp"}
ROOMS = ("functions", "inference-services", "kustomize")


def instructions(containerfile: Path) -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, comments left out."""
    lines = [line for line in containerfile.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def last_stage(containerfile: Path) -> list[tuple[str, str]]:
    found = instructions(containerfile)
    return found[max(number for number, (name, _) in enumerate(found) if name == "FROM") :]


def sources(containerfile: Path, function: str = "analyze") -> list[str]:
    """What is copied from this folder; each path as the recipe of *function* reads it."""
    copied = [rest.split() for name, rest in instructions(containerfile) if name == "COPY"]
    own = [words[:-1] for words in copied if not words[0].startswith("--from")]
    return [word.replace("${FUNCTION}", function) for words in own for word in words]


def named_in_manifests() -> set[str]:
    found: set[str] = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.yaml"):
            found |= set(re.findall(rf"image: ({PREFIX}[a-z-]+)\s*$", path.read_text("utf-8"), re.MULTILINE))
    return found


def test_every_image_that_a_manifest_names_has_a_recipe_or_is_a_mirrored_one() -> None:
    named = named_in_manifests()
    assert named >= {f"{PREFIX}orchestrate", f"{PREFIX}mapper", f"{PREFIX}vllm"}
    assert named - {recipe.name for recipe in RECIPES} == MIRRORED


def test_a_release_names_every_image_that_is_applied() -> None:
    component = yaml.safe_load((ROOT / "kustomize/components/release-images/kustomization.yaml").read_text("utf-8"))
    released = {image["name"] for image in component["images"]}
    assert named_in_manifests() - {f"{PREFIX}mapper-training"} <= released


@pytest.mark.parametrize("folder", sorted(p.parent for p in FUNCTIONS.glob("*/main.py")), ids=lambda p: p.name)
def test_any_function_can_be_built_by_its_name(folder: Path) -> None:
    assert f"{PREFIX}{folder.name}" in {recipe.name for recipe in RECIPES}, "it has no requirements.txt"
    for source in sources(FUNCTIONS / "Containerfile", folder.name):
        assert list(ROOT.glob(source)), source


@pytest.mark.parametrize("containerfile", FILES, ids=lambda path: str(path.relative_to(ROOT)))
class TestRecipe:
    def test_what_it_copies_is_there_and_reaches_the_build(self, containerfile: Path) -> None:
        allowed = [line.removeprefix("!") for line in ALLOWED if line.startswith("!")]
        for source in sources(containerfile):
            assert list(ROOT.glob(source)), source
            assert any(source == one or source.startswith(f"{one}/") for one in allowed), source

    def test_it_runs_as_a_number_that_is_not_root(self, containerfile: Path) -> None:
        users = [rest for name, rest in last_stage(containerfile) if name == "USER"]
        assert users == ["65532:65532"]

    def test_the_last_stage_installs_nothing(self, containerfile: Path) -> None:
        ran = " ".join(rest for name, rest in last_stage(containerfile) if name == "RUN")
        assert not re.search(r"\b(pip install|apt-get|curl|wget)\b", ran)
        assert "compileall" in ran

    def test_bytecode_is_made_once_and_depends_on_no_time(self, containerfile: Path) -> None:
        ran = " ".join(rest for name, rest in instructions(containerfile) if name == "RUN")
        # What pip compiled would carry the time of the build, and be stale once --timestamp sets another.
        assert ran.count("install --no-compile") == len(re.findall(r"--python /opt/venv/bin/python install", ran))
        assert re.search(r"PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash -f ", ran)

    def test_its_base_is_an_argument_and_never_the_latest(self, containerfile: Path) -> None:
        found = instructions(containerfile)
        assert {rest.split()[0] for name, rest in found if name == "FROM"} == {"${BASE}", "${BUILDER}"}
        base = dict(rest.split("=", 1) for name, rest in found if name == "ARG" and "=" in rest)["BASE"]
        assert re.fullmatch(r"\S+/python:3\.11-slim", base)
        assert "latest" not in containerfile.read_text("utf-8")

    def test_packages_come_from_the_lock(self, containerfile: Path) -> None:
        environment = " ".join(rest for name, rest in instructions(containerfile) if name == "ENV")
        assert re.search(r"PIP_CONSTRAINT=/build/constraints(-model)?\.txt", environment)
        assert "PIP_ONLY_BINARY=:all:" in environment

    def test_it_says_what_it_is(self, containerfile: Path) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        stage = last_stage(containerfile)
        labels = " ".join(rest for name, rest in stage if name == "LABEL")
        for key in ("title", "description", "licenses", "version", "revision"):
            assert f"org.opencontainers.image.{key}=" in labels
        assert ("ARG", f"VERSION={project['version']}") in stage


@pytest.mark.parametrize("name", [".git", ".venv", ".venv-model", ".cache", ".run", "tests", "kustomize", "eventing"])
def test_a_build_sees_nothing_of_this_folder_but_what_is_allowed(name: str) -> None:
    assert ALLOWED[0] == "*"
    assert not any(line.removeprefix("!").split("/")[0] == name for line in ALLOWED if line.startswith("!"))


def test_bytecode_of_this_machine_does_not_reach_an_image() -> None:
    assert "**/__pycache__" in ALLOWED


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.short)
def test_what_a_pod_writes_to_is_never_inside_the_image(recipe: Recipe) -> None:
    assert not [path for path in recipe.scratch if path.startswith(("/app", "/opt", "/usr", "/etc"))]
