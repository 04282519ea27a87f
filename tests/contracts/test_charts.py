"""The lock list of charts and the page that people install from say the same."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCK: dict[str, Any] = yaml.safe_load((ROOT / "kustomize" / "cluster" / "charts.yaml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "install.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (v?\d+\.\d+\.\d+) \| `", PAGE, re.MULTILINE))


def test_the_page_lists_every_chart_in_its_version() -> None:
    assert {chart["name"]: chart["version"] for chart in LOCK["charts"]} == ROWS


@pytest.mark.parametrize("chart", LOCK["charts"] + LOCK["unused"], ids=lambda chart: chart["name"])
def test_a_version_says_where_it_was_read(chart: dict[str, Any]) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", chart["version"])
    assert chart["seen"]
    assert chart["repository"].startswith(("https://", "oci://"))


@pytest.mark.parametrize("chart", LOCK["unpinned"], ids=lambda chart: chart["name"])
def test_what_has_no_version_says_why(chart: dict[str, Any]) -> None:
    assert chart["why"]
    assert "version" not in chart


@pytest.mark.parametrize("command", re.findall(r"helm upgrade (?:.|\\\n)+?(?=\n[a-z`])", PAGE))
def test_a_command_of_the_page_takes_the_locked_version(command: str) -> None:
    version = re.search(r"--version (\S+)", command)
    assert version is not None
    name = next(name for name in ROWS if re.search(rf"[ /]{name}\b", command.replace("--namespace cert-manager", "")))
    assert version[1] == ROWS[name]


def test_knative_is_the_version_that_the_manifests_were_checked_against() -> None:
    documents = yaml.safe_load_all((ROOT / "kustomize" / "cluster" / "knative.yaml").read_text("utf-8"))
    assert {document["spec"]["version"] for document in documents} == {ROWS["knative-operator"].removeprefix("v")}
