import os
from pathlib import Path

import pytest

from llama_mapper.registry import (
    Keyring,
    Registry,
    RegistryError,
    SigningKey,
    UnknownVersion,
    Unreachable,
    Untrusted,
    describe,
    open_registry,
    promote,
    publish,
    read_text,
    verify,
    versions,
)
from tests.fakes.experiments import VERSION, experiment
from tests.fakes.storages import Breaking


def test_a_plain_folder_and_its_file_address_are_one_registry(tmp_path: Path, tried: Path, key: SigningKey) -> None:
    publish(open_registry(str(tmp_path / "with space")), tried, key)
    for address in (tmp_path / "with space").as_uri(), f"file://localhost{tmp_path}/with%20space":
        assert [one.version for one in versions(open_registry(address))] == [VERSION]


@pytest.mark.parametrize("url", ["", "http://example.org/models", "s3://", "file://host/share", "file://", "gs://x"])
def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(RegistryError, match="a registry is a folder"):
        open_registry(url)


def test_versions_are_listed_newest_first_with_their_channels(
    registry: Registry, tmp_path: Path, key: SigningKey, trusted: Keyring
) -> None:
    for day, name in enumerate(("v2", "v1", "v3")):
        publish(registry, experiment(tmp_path / name, version=name), key)
        manifest = tmp_path / "registry" / "models" / "mapper" / name / "manifest.json"
        os.utime(manifest, (day * 86_400, day * 86_400))
    promote(registry, "v1", trusted, who="ada")
    promote(registry, "v1", trusted, who="ada", channel="canary")
    found = versions(registry)
    assert [one.version for one in found] == ["v3", "v1", "v2"]
    assert [one.channels for one in found] == [(), ("production", "canary"), ()]
    assert {one.key_id for one in found} == {key.key_id}


def test_an_empty_registry_lists_nothing(registry: Registry) -> None:
    assert versions(registry) == []


def test_one_broken_version_does_not_hide_the_others(registry: Registry, tmp_path: Path, key: SigningKey) -> None:
    for name in ("v1", "v2"):
        publish(registry, experiment(tmp_path / name, version=name), key)
    broken = tmp_path / "registry" / "models" / "mapper" / "v1"
    (broken / "manifest.json").write_text("{")
    (broken / "manifest.sig").write_text("{")
    found = {one.version: one for one in versions(registry)}
    assert (found["v1"].manifest, found["v1"].key_id) == (None, None)
    assert found["v2"].manifest is not None


def test_a_version_is_described_by_its_name_or_a_channels(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    publish(registry, tried, key)
    promote(registry, VERSION, trusted, who="ada")
    assert describe(registry, "production") == describe(registry, VERSION)
    assert (read_text(registry, VERSION, "model_card.md") or "").startswith(f"# {VERSION}")
    assert read_text(registry, VERSION, "nothing.md") is None


def test_what_is_not_published_is_not_described(registry: Registry, tried: Path, key: SigningKey) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=7)), tried, key)
    with pytest.raises(UnknownVersion, match=f"{VERSION} is not published here"):
        describe(registry, VERSION)


def test_a_version_under_anothers_name_is_refused(
    registry: Registry, tried: Path, tmp_path: Path, key: SigningKey, trusted: Keyring
) -> None:
    publish(registry, tried, key)
    folder = tmp_path / "registry" / "models" / "mapper"
    (folder / VERSION).rename(folder / "newer.1")
    with pytest.raises(Untrusted, match=rf"newer\.1: the manifest is that of {VERSION}"):
        verify(registry, "newer.1", trusted)


def test_a_signed_manifest_of_a_later_form_is_refused(
    registry: Registry, tried: Path, tmp_path: Path, key: SigningKey, trusted: Keyring
) -> None:
    publish(registry, tried, key)
    folder = tmp_path / "registry" / "models" / "mapper" / VERSION
    later = (folder / "manifest.json").read_bytes().replace(b'"format": 1', b'"format": 2')
    (folder / "manifest.json").write_bytes(later)
    (folder / "manifest.sig").write_text(key.sign(later).model_dump_json())
    with pytest.raises(Untrusted, match="signed, but of a form that is not known here"):
        verify(registry, VERSION, trusted)
