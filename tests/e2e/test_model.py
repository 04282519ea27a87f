"""The real model behind the mapper: vLLM on a CPU, the adapter of the checkout, and what happens when it dies."""

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

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
BATCH, BATCH_SECONDS = 500, 180.0


def mapped(system: System, label: str) -> dict[str, object]:
    body = {"detector": "vendor-nobody-curated", "detector_version": "1", "label": label}
    answer = httpx.post(system.urls["mapper"] + "/api/v1/map", json=body, timeout=10)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def predictor(system: System) -> tuple[str, int]:
    part = next(part for part in system.now().parts if part.name == "predictor")
    return part.state, part.pid or 0


def methods(system: System, labels: list[str]) -> list[str]:
    """How each of *labels* was answered, all asked in one request; every one must be answered."""
    items = [{"detector": "vendor-nobody-curated", "detector_version": "1", "label": label} for label in labels]
    answer = httpx.post(system.urls["mapper"] + "/api/v1/map/batch", json={"items": items}, timeout=BATCH_SECONDS)
    answer.raise_for_status()
    results = answer.json()["results"]
    assert [(row["index"], row["status"]) for row in results] == [(i, 200) for i in range(len(labels))]
    return [row["mapping"]["method"] for row in results]


def served(system: System) -> float:
    """How many completions vLLM has finished since it started."""
    lines = httpx.get(system.urls["predictor"] + "/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("vllm:request_success_total"))


def test_a_word_no_rule_knows_is_mapped_by_the_model_and_rules_answer_while_it_is_away(own_system: System) -> None:
    numbers = iter(range(10_000))

    def by_model() -> bool:  # another word each time: the first answer of the model goes into the cache
        return mapped(own_system, f"x{next(numbers)}_email_address")["method"] == "model"

    wait_for(lambda: predictor(own_system)[0] == "ready", "the model is loaded", LOADING_SECONDS)
    wait_for(by_model, "the model answers", 60)
    known = httpx.post(
        own_system.urls["mapper"] + "/api/v1/map",
        json={"detector": "gitleaks", "detector_version": "8.18", "label": "github-pat"},
        timeout=10,
    ).json()
    assert known["method"] == "rule"

    labels = [f"y{number}_email_address" for number in range(BATCH)]
    before = served(own_system)
    with ThreadPoolExecutor(1) as aside:
        batch = aside.submit(methods, own_system, labels)
        wait_for(lambda: served(own_system) >= before + 20, "the batch is under way", 120)
        os.kill(predictor(own_system)[1], signal.SIGKILL)
        answered = Counter(batch.result())
    assert set(answered) == {"model", "fallback"}
    assert answered.total() == BATCH
    assert answered["model"] >= 10

    wait_for(lambda: predictor(own_system)[0] == "ready", "the model is back", LOADING_SECONDS)
    wait_for(by_model, "the model answers again", 60)
    again = Counter(methods(own_system, labels[-20:]))
    assert again["model"] > 0, again
