import json
from pathlib import Path

import pytest

from mapper_training.card import write_card
from tests.fakes.experiments import STACK


def test_the_card_names_weights_prompt_and_confidence(tmp_path: Path) -> None:
    adapter = tmp_path / "tried" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"abc")
    (adapter / "ranker.txt").write_bytes(b"abc")
    (adapter / "training_record.json").write_text('{"prompt": "choose.3"}', "utf-8")
    stack = STACK.model_dump(mode="json")
    fitted = {"stack": stack, "without_model": stack, "words": 9}
    (adapter.parent / "calibration.json").write_text(json.dumps(fitted), "utf-8")
    assert json.loads(write_card(adapter.parent).read_text("utf-8")) == {
        "version": "tried.ba7816bf",
        "prompt": "choose.3",
        "weights_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "ranker_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "stack": stack,
        "without_model": stack,
    }


def test_an_experiment_that_was_not_trained_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_card(tmp_path)
