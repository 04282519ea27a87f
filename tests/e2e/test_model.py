"""The real model behind the mapper: vLLM on a CPU, the adapter of the checkout, and what happens when it dies."""

import os
import signal

import httpx
import pytest

from llama_mapper.local.layout import EXPERIMENT
from tests.e2e.running import ROOT, System, wait_for

WEIGHTS = ROOT / ".cache" / "models" / EXPERIMENT / "model.safetensors"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_file(), reason="no model is here: `make model` makes one"),
]
LOADING_SECONDS = 300.0


def mapped(system: System, label: str) -> dict[str, object]:
    body = {"detector": "vendor-nobody-curated", "detector_version": "1", "label": label}
    answer = httpx.post(system.urls["mapper"] + "/api/v1/map", json=body, timeout=10)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def predictor(system: System) -> tuple[str, int]:
    part = next(part for part in system.now().parts if part.name == "predictor")
    return part.state, part.pid or 0


def test_a_word_no_rule_knows_is_mapped_by_the_model_and_rules_answer_while_it_is_away(own_system: System) -> None:
    labels = iter(f"{prefix}_email_address" for prefix in "abcdefghijklmnopqrstuvwxyz" * 40)

    def by_model() -> bool:  # another word each time: the first answer of the model goes into the cache
        return mapped(own_system, "x" + next(labels))["method"] == "model"

    wait_for(lambda: predictor(own_system)[0] == "ready", "the model is loaded", LOADING_SECONDS)
    wait_for(by_model, "the model answers", 60)
    known = httpx.post(
        own_system.urls["mapper"] + "/api/v1/map",
        json={"detector": "gitleaks", "detector_version": "8.18", "label": "github-pat"},
        timeout=10,
    ).json()
    assert known["method"] == "rule"
    os.kill(predictor(own_system)[1], signal.SIGKILL)
    wait_for(lambda: mapped(own_system, "y" + next(labels))["method"] == "fallback", "the model is away", 60)
    wait_for(lambda: predictor(own_system)[0] == "ready", "the model is back", LOADING_SECONDS)
    wait_for(by_model, "the model answers again", 60)
