import json
from pathlib import Path

import pytest

from mapper_training.base_model import BaseModelError, digest, is_on_hub, locate, name_of, sha256
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


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}", "utf-8")
    return path


def test_weights_in_several_files_have_one_digest_that_names_and_contents_decide(tmp_path: Path) -> None:
    found = []
    for name, contents in {"a": (b"1", b"2"), "b": (b"1", b"2"), "c": (b"2", b"1"), "d": (b"12", b"")}.items():
        base = folder(tmp_path / name)
        for number, part in enumerate(contents, 1):
            (base / f"model-{number:05}-of-00002.safetensors").write_bytes(part)
        found.append(digest(base))
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_a_folder_is_found_by_its_path_and_by_its_name_among_the_models(tmp_path: Path) -> None:
    base = folder(tmp_path / "models" / "mine")
    assert locate(str(base)) == base
    assert locate("mine", models=tmp_path / "models") == base


@pytest.mark.parametrize("base", ["mine", "/nowhere/at/all", "one/two/three", "../llama"])
def test_a_base_that_is_nowhere_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(BaseModelError, match="no base model"):
        locate(base, models=tmp_path)


def test_a_name_on_the_hub_without_a_commit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="needs a revision"):
        locate("meta-llama/Meta-Llama-3-8B-Instruct", models=tmp_path)


@pytest.mark.parametrize(
    ("base", "on_hub"),
    [
        ("meta-llama/Meta-Llama-3-8B-Instruct", True),
        ("smollm2-135m-instruct", False),
        ("s3://bucket/llama", False),
        ("/models/llama", False),
        ("org/name/more", False),
    ],
)
def test_only_organisation_and_name_mean_the_hub(base: str, on_hub: bool) -> None:
    assert is_on_hub(base) is on_hub


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("/home/somebody/llama", "llama"),
        ("meta-llama/Llama", "meta-llama/Llama"),
        ("s3://bucket/llama", "s3://bucket/llama"),
    ],
)
def test_a_records_name_of_a_base_is_not_where_it_lay_on_a_machine(base: str, name: str) -> None:
    assert name_of(base) == name
