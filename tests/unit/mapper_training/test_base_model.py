import json
from pathlib import Path

import pytest

from mapper_training.base_model import BaseModelError, digest, sha256
from mapper_training.merge import merge


def weights(folder: Path, content: bytes, recorded: bytes) -> Path:
    folder.mkdir()
    (folder / "recorded").write_bytes(recorded)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "origin.json").write_text(json.dumps({"sha256": sha256(folder / "recorded")}), "utf-8")
    return folder


def test_the_digest_is_of_the_weights(tmp_path: Path) -> None:
    folder = weights(tmp_path / "base", b"abc", b"abc")
    assert digest(folder) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="changed"):
        digest(weights(tmp_path / "base", b"abc", b"abd"))


def test_absent_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="no model"):
        digest(tmp_path)


def test_an_adapter_of_another_base_is_not_merged(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"x")
    (adapter / "training_record.json").write_text('{"base_sha256": "other"}', "utf-8")
    with pytest.raises(BaseModelError, match="another base"):
        merge(weights(tmp_path / "base", b"abc", b"abc"), adapter, tmp_path / "merged")


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="no adapter_model"):
        merge(weights(tmp_path / "base", b"abc", b"abc"), tmp_path, tmp_path / "merged")
