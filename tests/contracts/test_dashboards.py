"""Dashboards are what their script writes, and ask for metrics that the code exports."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from llama_mapper.chassis import metrics

FOLDER = Path(__file__).parents[2] / "kustomize" / "components" / "monitoring"
NAMES = ("service", "business", "infrastructure", "cost")
_METRIC = re.compile(r"\bllama_mapper_[a-z_]+")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", FOLDER / "dashboards.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018 - one thing: it can be loaded
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _exported() -> set[str]:
    names = {family.name for family in metrics.REGISTRY.collect()}
    return {name + suffix for name in names for suffix in ("", "_total", "_bucket", "_count", "_sum")}


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_what_its_script_writes(script: ModuleType, name: str) -> None:
    assert (FOLDER / "dashboards" / f"{name}.json").read_text("utf-8") == script.rendered(name)


@pytest.mark.parametrize("path", [*(f"dashboards/{name}.json" for name in NAMES), "slo-rules.yaml", "alert-rules.yaml"])
def test_what_is_asked_for_is_exported(path: str) -> None:
    text = re.sub(r"llama_mapper:[a-z_0-9:]+", "", (FOLDER / path).read_text("utf-8"))
    assert set(_METRIC.findall(text)) <= _exported()


def test_every_alert_has_a_runbook() -> None:
    headings = re.findall(
        r"^### (\w+)$", (FOLDER.parents[2] / "docs" / "operations.md").read_text("utf-8"), re.MULTILINE
    )
    named = {
        anchor
        for rules in ("slo-rules.yaml", "alert-rules.yaml")
        for anchor in re.findall(r"operations\.md#(\w+)", (FOLDER / rules).read_text("utf-8"))
    }
    assert named == {heading.lower() for heading in headings}
