"""The mapper is put together: rules alone without a predictor, and no model whose adapter is not the one named."""

import hashlib
import json
from pathlib import Path

import pytest

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.prompt import PROMPT_VERSION
from llama_mapper.taxonomy import load
from mapper_serving.settings import Settings
from mapper_serving.wiring import read_card, wire

WEIGHTS = b"weights"
TAXONOMY = load()


def adapter(folder: Path, **changes: object) -> Settings:
    """Settings with a predictor and an adapter in *folder*."""
    card = {
        "version": "smollm2-choose.1",
        "prompt": PROMPT_VERSION,
        "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "stack": {"weights": [0, 1, 1, 1, 1, 1], "slope": 1, "offset": 0},
    }
    (folder / "card.json").write_text(json.dumps(card | changes))
    (folder / "adapter_model.safetensors").write_bytes(WEIGHTS)
    return Settings(predictor_url="http://127.0.0.1:9", adapter=folder, vectors=folder / "vectors.npz")


def test_without_a_predictor_rules_answer_alone() -> None:
    mapper, _ = wire(Settings(), TAXONOMY)
    assert mapper.model is None


def test_with_a_predictor_there_is_a_model(tmp_path: Path) -> None:
    mapper, _ = wire(adapter(tmp_path), TAXONOMY)
    assert mapper.model is not None


def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    settings = adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(SettingsError, match="not the ones of card"):
        wire(settings, TAXONOMY)


@pytest.mark.parametrize("broken", ["{", "{}", '{"version": 3}'])
def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path, broken: str) -> None:
    settings = adapter(tmp_path)
    (tmp_path / "card.json").write_text(broken)
    with pytest.raises(SettingsError, match="MAPPER_ADAPTER"):
        read_card(settings)


def test_an_adapter_for_another_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="another prompt"):
        read_card(adapter(tmp_path, prompt="choose.1"))
