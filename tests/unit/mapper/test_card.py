"""An adapter is served if it is the one its card describes and, where keys are trusted, one of them has signed it."""

import json
from pathlib import Path

import pytest

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.registry import Keyring, SigningKey, open_registry, publish, pull
from mapper_serving.card import read_card
from tests.fakes.experiments import STACK, VERSION, experiment


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return experiment(tmp_path / "tried") / "adapter"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder that trusts the key in ``signing.pem`` beside it."""
    SigningKey.generate().write(tmp_path / "signing.pem", tmp_path / "trusted")
    return tmp_path / "trusted"


@pytest.fixture
def pulled(adapter: Path, keys: Path, tmp_path: Path) -> Path:
    registry = open_registry(str(tmp_path / "registry"))
    publish(registry, adapter.parent, SigningKey.read(str(tmp_path / "signing.pem")))
    pull(registry, VERSION, tmp_path / "pulled", Keyring.read(keys))
    return tmp_path / "pulled"


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_card_is_read(adapter: Path) -> None:
    assert read_card(adapter).version == VERSION


def test_an_adapter_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MAPPER_ADAPTER: no readable adapter there \(FileNotFoundError\)"):
        read_card(tmp_path)


@pytest.mark.parametrize("broken", ["{", "{}", '{"version": 3}'])
def test_a_card_that_cannot_be_read_is_refused(adapter: Path, broken: str) -> None:
    (adapter / "card.json").write_text(broken)
    with pytest.raises(SettingsError, match="MAPPER_ADAPTER"):
        read_card(adapter)


def test_an_adapter_for_another_prompt_is_refused(adapter: Path) -> None:
    change(adapter / "card.json", prompt="choose.1")
    with pytest.raises(SettingsError, match="another prompt"):
        read_card(adapter)


def test_weights_that_are_not_the_cards_are_refused(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(SettingsError, match="not the ones of card"):
        read_card(adapter)


def test_a_signed_adapter_is_read(pulled: Path, keys: Path) -> None:
    assert read_card(pulled, keys).version == VERSION


def test_without_trusted_keys_no_signature_is_asked_for(adapter: Path, pulled: Path) -> None:
    (pulled / "manifest.sig").unlink()
    assert read_card(pulled) == read_card(adapter)


def test_an_adapter_without_a_manifest_is_refused_where_keys_are_trusted(adapter: Path, keys: Path) -> None:
    with pytest.raises(SettingsError, match=r"MAPPER_TRUSTED_KEYS: there is no manifest\.json"):
        read_card(adapter, keys)


def test_a_file_that_only_the_signature_covers_is_checked_too(pulled: Path, keys: Path) -> None:
    change(pulled / "card.json", stack=STACK.model_dump(mode="json") | {"weights": [9.0] * len(STACK.weights)})
    with pytest.raises(SettingsError, match=r"MAPPER_TRUSTED_KEYS: card\.json is not what was signed"):
        read_card(pulled, keys)


def test_an_unknown_keys_adapter_is_refused(pulled: Path, tmp_path: Path) -> None:
    SigningKey.generate().write(tmp_path / "other.pem", tmp_path / "others")
    with pytest.raises(SettingsError, match=r"MAPPER_TRUSTED_KEYS: signed with the key \w+, which is not trusted"):
        read_card(pulled, tmp_path / "others")


def test_a_folder_without_keys_is_refused(pulled: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MAPPER_TRUSTED_KEYS: no trusted key"):
        read_card(pulled, tmp_path / "nowhere")
