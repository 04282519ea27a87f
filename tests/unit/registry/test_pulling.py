from pathlib import Path

import pytest

from llama_mapper.local import layout
from llama_mapper.registry import (
    Keyring,
    Registry,
    RegistryError,
    SigningKey,
    UnknownVersion,
    Untrusted,
    promote,
    publish,
    pull,
    verify_folder,
)
from tests.fakes.experiments import VERSION, experiment

EXPERIMENT = Path(__file__).parents[3] / "inference-services" / "mapper" / "experiments" / layout.EXPERIMENT
NAMES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "card.json",
    "manifest.json",
    "manifest.sig",
    "metrics.json",
    "model_card.md",
    "ranker.txt",
    "training_record.json",
)


@pytest.fixture
def stored(registry: Registry, tried: Path, key: SigningKey, tmp_path: Path) -> Path:
    """The folder of a published version."""
    publish(registry, tried, key)
    return tmp_path / "registry" / "models" / "mapper" / VERSION


def test_the_committed_adapter_comes_back_bit_for_bit(
    registry: Registry, key: SigningKey, trusted: Keyring, tmp_path: Path
) -> None:
    named = '"taxonomy"' in (EXPERIMENT / "adapter" / "training_record.json").read_text("utf-8")
    manifest = publish(registry, EXPERIMENT, key, taxonomy=None if named else "2026.11")
    promote(registry, manifest.version, trusted, who="ada")
    assert pull(registry, "production", tmp_path / "pulled", trusted) == manifest
    for path in (EXPERIMENT / "adapter").iterdir():
        assert (tmp_path / "pulled" / path.name).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in (tmp_path / "pulled").iterdir()) == sorted(NAMES)
    assert verify_folder(tmp_path / "pulled", trusted) == manifest


def test_the_stored_files_are_the_ones_that_are_tampered_with_below(stored: Path) -> None:
    assert sorted(path.name for path in stored.iterdir()) == sorted(NAMES)


def tamper(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_bit_in_any_file_keeps_everything_out(
    registry: Registry, stored: Path, trusted: Keyring, tmp_path: Path, name: str
) -> None:
    tamper(stored / name)
    with pytest.raises(Untrusted):
        pull(registry, VERSION, tmp_path / "pulled", trusted)
    assert not (tmp_path / "pulled").exists()
    assert not list(tmp_path.glob(".pulled*"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "manifest.json"])
def test_a_missing_file_keeps_everything_out(
    registry: Registry, stored: Path, trusted: Keyring, tmp_path: Path, name: str
) -> None:
    (stored / name).unlink()
    with pytest.raises(Untrusted, match="missing" if name != "manifest.sig" else "there is no manifest.sig"):
        pull(registry, VERSION, tmp_path / "pulled", trusted)
    assert not (tmp_path / "pulled").exists()


def test_a_file_that_nobody_signed_stays_where_it_is(
    registry: Registry, stored: Path, trusted: Keyring, tmp_path: Path
) -> None:
    (stored / "extra.py").write_text("")
    pull(registry, VERSION, tmp_path / "pulled", trusted)
    assert not (tmp_path / "pulled" / "extra.py").exists()


def test_an_untrusted_keys_version_keeps_out(registry: Registry, stored: Path, tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match="not trusted here"):
        pull(registry, VERSION, tmp_path / "pulled", Keyring(SigningKey.generate().public))
    assert not (tmp_path / "pulled").exists()


def test_a_version_that_is_not_there_is_named(registry: Registry, trusted: Keyring, tmp_path: Path) -> None:
    with pytest.raises(UnknownVersion, match=r"v9 is not published here"):
        pull(registry, "v9", tmp_path / "pulled", trusted)


def test_an_empty_folder_is_taken_and_a_full_one_refused(
    registry: Registry, stored: Path, trusted: Keyring, tmp_path: Path
) -> None:
    dest = tmp_path / "deep" / "pulled"
    dest.mkdir(parents=True)
    pull(registry, VERSION, dest, trusted)
    with pytest.raises(RegistryError, match="is there already"):
        pull(registry, VERSION, dest, trusted)
    with pytest.raises(RegistryError, match="is there already"):
        pull(registry, VERSION, stored / "card.json", trusted)


def test_a_place_that_cannot_be_written_is_named(
    registry: Registry, stored: Path, trusted: Keyring, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RegistryError, match="cannot be written: Not a directory"):
        pull(registry, VERSION, tmp_path / "file" / "below", trusted)


def test_a_folder_is_verified_where_it_lies(registry: Registry, stored: Path, trusted: Keyring, tmp_path: Path) -> None:
    pull(registry, VERSION, tmp_path / "pulled", trusted)
    tamper(tmp_path / "pulled" / "adapter_config.json")
    with pytest.raises(Untrusted, match=r"adapter_config\.json is not what was signed"):
        verify_folder(tmp_path / "pulled", trusted)
    with pytest.raises(Untrusted, match=r"there is no manifest\.json"):
        verify_folder(experiment(tmp_path / "unsigned") / "adapter", trusted)
    (tmp_path / "pulled" / "adapter_config.json").unlink()
    (tmp_path / "pulled" / "adapter_config.json").mkdir()
    with pytest.raises(Untrusted, match=r"adapter_config\.json cannot be read"):
        verify_folder(tmp_path / "pulled", trusted)
