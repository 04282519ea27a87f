from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.models import Channel, ChannelChange, MadeFrom, Manifest, ModelFile

MADE_FROM = MadeFrom(base="smollm2", data="3", taxonomy="2026.11", prompt="choose.3")


def files(*names: str) -> tuple[ModelFile, ...]:
    return tuple(ModelFile(name=name, size=1, sha256="ab" * 32) for name in names)


def change(action: str, version: str) -> ChannelChange:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return ChannelChange.model_validate({"action": action, "version": version, "at": at, "who": "ada"})


@pytest.mark.parametrize(
    "names",
    [
        ("card.json",),
        ("adapter_model.safetensors",),
        ("card.json", "adapter_model.safetensors", "card.json"),
        ("card.json", "adapter_model.safetensors", "manifest.json"),
        ("card.json", "adapter_model.safetensors", "manifest.sig"),
    ],
    ids=" ".join,
)
def test_a_manifest_that_is_not_whole_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="a manifest names each file once"):
        Manifest(version="v1", made_from=MADE_FROM, files=files(*names))


def test_an_older_reader_ignores_what_later_manifests_add() -> None:
    manifest = Manifest(version="v1", made_from=MADE_FROM, files=files("card.json", "adapter_model.safetensors"))
    assert Manifest.model_validate(manifest.model_dump() | {"later": 1}) == manifest


@pytest.mark.parametrize("name", ["../card.json", "a/b", "", ".hidden", "a\n", "a" * 65])
def test_a_file_lies_in_its_versions_folder_and_nowhere_else(name: str) -> None:
    with pytest.raises(ValidationError):
        files(name)


@pytest.mark.parametrize("version", ["a/b", "..", ".x", "", "a b", "a\n", "a" * 129])
def test_a_version_is_a_folders_name(version: str) -> None:
    with pytest.raises(ValidationError):
        change("promote", version)


def test_a_channel_uses_what_its_last_change_says() -> None:
    with pytest.raises(ValidationError, match="the version in use is that of the last change"):
        Channel(name="production", version="v2", history=(change("promote", "v1"),))


@pytest.mark.parametrize(
    ("steps", "standing"),
    [
        (("promote v1",), ["v1"]),
        (("promote v1", "promote v2"), ["v1", "v2"]),
        (("promote v1", "promote v2", "rollback v1"), ["v1"]),
        (("promote v1", "promote v2", "promote v3", "rollback v2", "rollback v1"), ["v1"]),
        (("promote v1", "promote v2", "rollback v1", "promote v3"), ["v1", "v3"]),
        (("promote v1", "promote v2", "promote v1", "rollback v2"), ["v1", "v2"]),
    ],
    ids=", ".join,
)
def test_a_rollback_takes_the_last_promotion_back(steps: tuple[str, ...], standing: list[str]) -> None:
    history = tuple(change(*step.split()) for step in steps)
    assert Channel(name="production", version=history[-1].version, history=history).promoted() == standing
