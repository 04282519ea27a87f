import json
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.registry.errors import Unpublishable
from llama_mapper.registry.experiment import bundle
from tests.fakes.experiments import VERSION, WEIGHTS, experiment, system

WEIGHTS_FILE = "adapter_model.safetensors"


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_experiment_becomes_a_manifest_of_all_its_files(tried: Path) -> None:
    made = bundle(tried)
    manifest = made.manifest
    assert manifest.version == VERSION
    assert {file.name for file in manifest.files} == set(made.files)
    assert manifest.made_from.model_dump() == {
        "base": "smollm2-135m-instruct",
        "revision": None,
        "base_sha256": "ab" * 32,
        "data": "3",
        "taxonomy": "2026.11",
        "prompt": "choose.3",
        "libraries": {"peft": "0.21.0"},
    }
    assert manifest.metrics == {
        "macro-f1": 0.9,
        "coverage": 0.85,
        "precision": 0.95,
        "nonsense-abstained": 0.97,
        "expected-calibration-error": 0.04,
        "accuracy": 0.86,
    }


def test_files_go_as_they_are_and_the_weights_last(tried: Path) -> None:
    made = bundle(tried)
    assert made.files[WEIGHTS_FILE] == WEIGHTS
    assert made.files["card.json"] == (tried / "adapter" / "card.json").read_bytes()
    assert made.files["metrics.json"] == (tried / "result.json").read_bytes()
    assert list(made.files)[-1] == WEIGHTS_FILE


def test_trying_again_gives_the_same_bytes(tried: Path, tmp_path: Path) -> None:
    again = bundle(experiment(tmp_path / "elsewhere"))
    assert (again.signed_bytes(), again.files) == (bundle(tried).signed_bytes(), bundle(tried).files)


@pytest.mark.parametrize(
    "missing", [f"adapter/{WEIGHTS_FILE}", "adapter/card.json", "adapter/training_record.json", "result.json"]
)
def test_a_missing_file_is_named(tried: Path, missing: str) -> None:
    (tried / missing).unlink()
    with pytest.raises(Unpublishable, match=f"tried has no readable {missing}"):
        bundle(tried)


@pytest.mark.parametrize(
    ("file", "changes", "says"),
    [
        ("adapter/card.json", {"weights_sha256": "cd" * 32}, "is not the one of card.json"),
        ("adapter/card.json", {"weights_sha256": "short"}, "card.json is wrong: check weights_sha256"),
        ("adapter/card.json", {"version": "../up"}, "card.json is wrong: check version"),
        ("adapter/card.json", {"prompt": "choose.1"}, "name two prompts"),
        ("adapter/training_record.json", {"base": "", "steps": -1}, "training_record.json is wrong: check base, steps"),
        ("adapter/training_record.json", {"taxonomy": None}, "names no taxonomy version"),
        ("result.json", {"systems": {}}, r"no systems\.kind_unknown\.model_and_ranker"),
        ("result.json", {"systems": {"kind_unknown": {"exact": system()}}}, "score the experiment with its model"),
        ("result.json", {"systems": {"kind_unknown": {"exact": {}}}}, r"wrong at systems\.kind_unknown\.exact"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_does_not_fit_together_is_refused(tried: Path, file: str, changes: dict[str, Any], says: str) -> None:
    change(tried / file, **changes)
    with pytest.raises(Unpublishable, match=says):
        bundle(tried)


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_result_that_is_no_object_is_refused(tried: Path, content: str) -> None:
    (tried / "result.json").write_text(content, "latin-1")
    with pytest.raises(Unpublishable, match=r"metrics.json is not"):
        bundle(tried)


def test_the_taxonomys_version_can_be_stated_where_the_record_is_silent(tried: Path) -> None:
    change(tried / "adapter" / "training_record.json", taxonomy=None)
    assert bundle(tried, "2026.10").manifest.made_from.taxonomy == "2026.10"


def test_the_taxonomys_version_cannot_be_stated_against_the_record(tried: Path) -> None:
    with pytest.raises(Unpublishable, match=r"says that the taxonomy was 2026\.11"):
        bundle(tried, "2026.10")


@pytest.mark.parametrize("stated", ["", "20 26", "x\n", "a" * 129])
def test_a_version_that_is_none_is_refused(tried: Path, stated: str) -> None:
    change(tried / "adapter" / "training_record.json", taxonomy=None)
    with pytest.raises(Unpublishable):
        bundle(tried, stated)


def test_libraries_of_the_record_win(tmp_path: Path) -> None:
    tried = experiment(tmp_path / "tried", libraries={"peft": "1.0", "torch": "2.13.0"})
    assert bundle(tried).manifest.made_from.libraries == {"peft": "1.0", "torch": "2.13.0"}


def page(tried: Path) -> str:
    return bundle(tried).files["model_card.md"].decode()


def test_the_model_card_says_what_went_in_and_how_it_compares(tried: Path) -> None:
    text = page(tried)
    assert text.startswith(f"# {VERSION}\n")
    assert all(part in text for part in ("## Intended use", "## Figures", "## Limits", "(folds: 0, 1, 500 cases)"))
    assert "| taxonomy version | 2026.11 |" in text
    assert "| exact | 0.900 | 0.850 | 0.950 | 0.970 | 0.010 | 0.860 |" in text
    assert "| model_and_ranker | 0.900 | 0.850 | 0.950 | 0.970 | 0.040 | 0.860 |" in text


def test_a_base_from_a_hub_is_named_with_its_commit(tmp_path: Path) -> None:
    tried = experiment(tmp_path / "hub", base="meta-llama/Meta-Llama-3-8B-Instruct", revision="c0ffee")
    assert bundle(tried).manifest.made_from.revision == "c0ffee"
    assert "| base model | meta-llama/Meta-Llama-3-8B-Instruct at c0ffee |" in page(tried)


def test_a_result_may_name_another_system_as_served_and_its_relations(tried: Path) -> None:
    change(tried / "result.json", served="exact", relation_accuracy={"kind_unknown": 0.7, "kind_told": 0.8})
    metrics = bundle(tried).manifest.metrics
    assert (metrics["expected-calibration-error"], metrics["relation-accuracy"]) == (0.01, 0.7)
    assert "is served is `exact`" in page(tried)


def test_the_model_card_says_whose_figures_they_are(tried: Path, tmp_path: Path) -> None:
    assert "with the measured vendors left out" in page(tried)
    assert "with the measured vendors left out" not in page(experiment(tmp_path / "fold", fold="0"))
