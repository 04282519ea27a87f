from pathlib import Path

import pytest

from llama_mapper.registry import (
    AlreadyPublished,
    Keyring,
    LostRace,
    Registry,
    SigningKey,
    Unfinished,
    UnknownVersion,
    Unpublishable,
    Unreachable,
    publish,
    verify,
    versions,
)
from tests.fakes.experiments import VERSION, experiment
from tests.fakes.storages import AnswerLost, Breaking, Interrupted, Passing

FILES = 9  # seven of the adapter, signature, manifest


def test_what_is_published_can_be_verified(registry: Registry, tried: Path, key: SigningKey, trusted: Keyring) -> None:
    manifest = publish(registry, tried, key)
    found = verify(registry, VERSION, trusted)
    assert (found.manifest, found.key_id) == (manifest, key.key_id)
    assert [one.version for one in versions(registry)] == [VERSION]


def test_the_manifest_is_written_last_and_the_signature_before_it(
    registry: Registry, tried: Path, key: SigningKey
) -> None:
    storage, told = Passing(registry.storage), list[str]()
    publish(Registry(storage), tried, key, progress=told.append)
    names = [created.rpartition("/")[2] for created in storage.created]
    assert names[-2:] == ["manifest.sig", "manifest.json"]
    assert len(names) == FILES
    assert told == [name for name in names if name != "manifest.sig"]


@pytest.mark.parametrize("changed", [False, True], ids=["same", "other"])
def test_a_version_is_published_once(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring, changed: bool
) -> None:
    publish(registry, tried, key)
    experiment(tried, data="4" if changed else "3")
    with pytest.raises(AlreadyPublished, match=f"{VERSION} is already published") as caught:
        publish(registry, tried, key)
    assert caught.value.identical is not changed
    assert verify(registry, VERSION, trusted).manifest.made_from.data == "3"


def test_discarding_what_is_unfinished_never_touches_what_is_published(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    publish(registry, tried, key)
    with pytest.raises(AlreadyPublished):
        publish(registry, tried, key, discard_unfinished=True)
    assert verify(registry, VERSION, trusted)


@pytest.mark.parametrize("after", range(FILES))
def test_an_interrupted_publication_is_invisible_and_goes_on_where_it_was(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring, after: int
) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=after)), tried, key)
    assert versions(registry) == []
    with pytest.raises(UnknownVersion):
        verify(registry, VERSION, trusted)
    again = Passing(registry.storage)
    publish(Registry(again), tried, key)
    assert len(again.created) == FILES - after
    assert verify(registry, VERSION, trusted)


def test_an_interrupted_publication_of_other_contents_is_not_mixed_in(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=4)), tried, key)
    experiment(tried, data="4")
    with pytest.raises(Unfinished, match=f"an unfinished upload of {VERSION} holds another training_record.json"):
        publish(registry, tried, key)
    assert versions(registry) == []
    publish(registry, tried, key, discard_unfinished=True)
    assert verify(registry, VERSION, trusted).manifest.made_from.data == "4"


def test_a_publication_goes_on_with_another_key(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=FILES - 1)), tried, SigningKey.generate())
    publish(registry, tried, key)
    assert verify(registry, VERSION, trusted).key_id == key.key_id


@pytest.mark.parametrize("suffix", ["card.json", "adapter_model.safetensors", "manifest.json"])
def test_two_publishers_of_the_same_contents_both_have_it(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring, suffix: str
) -> None:
    storage = Interrupted(registry.storage, suffix=suffix, meanwhile=lambda: publish(registry, tried, key))
    publish(Registry(storage), tried, key)
    assert verify(registry, VERSION, trusted)


def test_of_two_publishers_of_other_contents_one_is_refused(
    registry: Registry, tried: Path, tmp_path: Path, key: SigningKey, trusted: Keyring
) -> None:
    other = experiment(tmp_path / "other", data="4")
    storage = Interrupted(registry.storage, suffix="card.json", meanwhile=lambda: publish(registry, other, key))
    with pytest.raises(Unfinished):
        publish(Registry(storage), tried, key)
    assert verify(registry, VERSION, trusted).manifest.made_from.data == "4"


def test_two_publishers_with_two_keys_leave_one_good_signature(
    registry: Registry, tried: Path, key: SigningKey
) -> None:
    other = SigningKey.generate()
    storage = Interrupted(registry.storage, suffix="manifest.sig", meanwhile=lambda: publish(registry, tried, other))
    with pytest.raises(LostRace, match="somebody else is publishing"):
        publish(Registry(storage), tried, key)
    assert verify(registry, VERSION, Keyring(key.public, other.public)).key_id == other.key_id


@pytest.mark.parametrize("suffix", ["card.json", "manifest.sig", "manifest.json"])
def test_a_write_whose_answer_got_lost_is_a_success(
    registry: Registry, tried: Path, key: SigningKey, suffix: str
) -> None:
    manifest = publish(Registry(AnswerLost(registry.storage, suffix=suffix)), tried, key)
    assert [one.manifest for one in versions(registry)] == [manifest]


def test_a_version_cannot_have_a_channels_name(registry: Registry, tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(Unpublishable, match="production is the name of a channel"):
        publish(registry, experiment(tmp_path / "x", version="production"), key)
