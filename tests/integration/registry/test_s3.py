"""The registry's promises on a real S3: immutable versions, no tampering, no lost update."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llama_mapper.local import layout
from llama_mapper.registry import (
    AlreadyPublished,
    ChannelEmpty,
    Keyring,
    LostRace,
    Registry,
    RegistryError,
    SigningKey,
    Unfinished,
    Unreachable,
    Untrusted,
    open_registry,
    promote,
    publish,
    pull,
    read_channel,
    rollback,
    verify,
    versions,
)
from llama_mapper.registry.storage import Changed, Exists
from tests.fakes.experiments import VERSION, experiment
from tests.fakes.storages import Breaking, Interrupted, Passing

from .conftest import Place

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
def tried(tmp_path: Path) -> Path:
    return experiment(tmp_path / "tried")


def at(name: str, version: str = VERSION) -> str:
    return f"models/mapper/{version}/{name}"


def test_an_object_is_created_once_and_replaced_only_as_it_was_read(registry: Registry) -> None:
    storage = registry.storage
    assert (storage.read("a/b"), storage.digest("a/b"), storage.names("a/")) == (None, None, [])
    storage.create("a/b", b"one")
    with pytest.raises(Exists):
        storage.create("a/b", b"two")
    blob = storage.read("a/b")
    assert blob is not None
    assert blob.data == b"one"
    storage.replace("a/b", b"two", blob.etag)
    with pytest.raises(Changed):
        storage.replace("a/b", b"three", blob.etag)
    storage.delete("a/b")
    storage.delete("a/b")
    with pytest.raises(Changed):
        storage.replace("a/b", b"four", blob.etag)


def test_names_are_those_one_level_below_however_many(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: registry.storage.create(f"v/{n:04}/x", b""), range(1_005)))  # a page has 1,000
    assert registry.storage.names("v/") == [f"{n:04}" for n in range(1_005)]
    assert registry.storage.names("") == ["v"]


def test_a_digest_is_known_without_our_note_of_it(registry: Registry, place: Place) -> None:
    place.write("a", b"abc")
    assert registry.storage.digest("a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_committed_adapter_comes_back_bit_for_bit(
    registry: Registry, key: SigningKey, trusted: Keyring, tmp_path: Path
) -> None:
    named = '"taxonomy"' in (EXPERIMENT / "adapter" / "training_record.json").read_text("utf-8")
    manifest = publish(registry, EXPERIMENT, key, taxonomy=None if named else "2026.11")
    promote(registry, manifest.version, trusted, who="ada", channel="canary")
    assert pull(registry, "canary", tmp_path / "pulled", trusted) == manifest
    for path in (EXPERIMENT / "adapter").iterdir():
        assert (tmp_path / "pulled" / path.name).read_bytes() == path.read_bytes()
    assert [(one.version, one.channels) for one in versions(registry)] == [(manifest.version, ("canary",))]


def test_a_published_version_is_immutable(
    registry: Registry, place: Place, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    publish(registry, tried, key)
    before = {name: place.read(at(name)) for name in NAMES}
    assert sorted(place.keys()) == sorted(at(name) for name in NAMES)
    for folder in (tried, experiment(tried, data="4"), experiment(tried, weights=b"other")):
        with pytest.raises(AlreadyPublished):
            publish(registry, folder, key, discard_unfinished=True)
    assert {name: place.read(at(name)) for name in NAMES} == before
    assert verify(registry, VERSION, trusted)


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_bit_in_any_object_is_detected(
    registry: Registry, place: Place, tried: Path, key: SigningKey, trusted: Keyring, tmp_path: Path, name: str
) -> None:
    publish(registry, tried, key)
    data = place.read(at(name))
    place.write(at(name), data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(Untrusted):
        verify(registry, VERSION, trusted)
    with pytest.raises(Untrusted):
        promote(registry, VERSION, trusted, who="ada")
    with pytest.raises(Untrusted):
        pull(registry, VERSION, tmp_path / "pulled", trusted)
    assert not (tmp_path / "pulled").exists()
    assert read_channel(registry, "production") is None


def test_a_manifest_that_an_attacker_signed_anew_is_refused(
    registry: Registry, place: Place, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    publish(registry, tried, key)
    forged = place.read(at("manifest.json")).replace(b'"2026.11"', b'"2026.12"')
    attacker = SigningKey.generate()
    signature = attacker.sign(forged)
    place.write(at("manifest.json"), forged)
    place.write(at("manifest.sig"), signature.model_dump_json().encode())
    with pytest.raises(Untrusted, match=f"the key {attacker.key_id}, which is not trusted here"):
        verify(registry, VERSION, trusted)
    place.write(at("manifest.sig"), signature.model_copy(update={"key_id": key.key_id}).model_dump_json().encode())
    with pytest.raises(Untrusted, match="the signature is not one of this manifest"):
        verify(registry, VERSION, trusted)


def test_a_new_key_can_be_trusted_before_the_old_one_goes(
    registry: Registry, key: SigningKey, trusted: Keyring, tmp_path: Path
) -> None:
    new = SigningKey.generate()
    publish(registry, experiment(tmp_path / "v1", version="v1"), key)
    publish(registry, experiment(tmp_path / "v2", version="v2"), new)
    both = Keyring(key.public, new.public)
    assert [verify(registry, version, both).key_id for version in ("v1", "v2")] == [key.key_id, new.key_id]
    with pytest.raises(Untrusted):
        verify(registry, "v2", trusted)
    with pytest.raises(Untrusted):
        verify(registry, "v1", Keyring(new.public))


@pytest.mark.parametrize("after", [0, 1, 5, 6, 7])
def test_an_interrupted_upload_is_invisible_and_goes_on_where_it_was(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring, after: int
) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=after)), tried, key)
    assert versions(registry) == []
    again = Passing(registry.storage)
    publish(Registry(again), tried, key)
    assert len(again.created) == len(NAMES) - after
    assert verify(registry, VERSION, trusted)


def test_an_interrupted_upload_of_other_contents_is_discarded_on_request_only(
    registry: Registry, tried: Path, key: SigningKey, trusted: Keyring
) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=5)), tried, key)
    experiment(tried, data="4")
    with pytest.raises(Unfinished):
        publish(registry, tried, key)
    publish(registry, tried, key, discard_unfinished=True)
    assert verify(registry, VERSION, trusted).manifest.made_from.data == "4"


def test_publishers_at_once_leave_one_whole_version(
    place: Place, key: SigningKey, trusted: Keyring, tmp_path: Path
) -> None:
    folders = [experiment(tmp_path / f"{n}", data=str(n)) for n in range(6)]

    def attempt(folder: Path) -> str:
        try:
            return publish(open_registry(place.url), folder, key).made_from.data
        except (AlreadyPublished, Unfinished, LostRace):
            return ""

    with ThreadPoolExecutor(len(folders)) as pool:
        won = [data for data in pool.map(attempt, folders) if data]
    assert won == [verify(open_registry(place.url), VERSION, trusted).manifest.made_from.data]


@pytest.fixture
def three(registry: Registry, key: SigningKey, tmp_path: Path) -> Registry:
    """A registry with v1, v2 and v3."""
    for name in ("v1", "v2", "v3"):
        publish(registry, experiment(tmp_path / name, version=name, weights=name.encode()), key)
    return registry


def test_rollbacks_go_back_one_promotion_each(three: Registry, trusted: Keyring) -> None:
    for version in ("v1", "v2", "v3"):
        promote(three, version, trusted, who="ada")
    assert [rollback(three, trusted, who="ada").version for _ in range(2)] == ["v2", "v1"]
    with pytest.raises(ChannelEmpty):
        rollback(three, trusted, who="ada")


@pytest.mark.parametrize("before", [(), ("v3",)], ids=["first", "later"])
def test_of_two_promotions_at_once_one_is_refused(three: Registry, trusted: Keyring, before: tuple[str, ...]) -> None:
    for version in before:
        promote(three, version, trusted, who="ada")
    storage = Interrupted(
        three.storage, suffix="production.json", meanwhile=lambda: promote(three, "v1", trusted, who="bob")
    )
    with pytest.raises(LostRace, match="it uses v1 now"):
        promote(Registry(storage), "v2", trusted, who="ada")
    channel = read_channel(three, "production")
    assert channel is not None
    assert [change.version for change in channel.history] == [*before, "v1"]


def test_no_promotion_of_many_at_once_is_lost(three: Registry, place: Place, trusted: Keyring) -> None:
    def attempt(number: int) -> str | None:
        try:
            promote(open_registry(place.url), f"v{number % 3 + 1}", trusted, who=f"job-{number}")
        except LostRace:
            return None
        except RegistryError:  # in use already
            return None
        return f"job-{number}"

    with ThreadPoolExecutor(9) as pool:
        won = {name for name in pool.map(attempt, range(9)) if name}
    channel = read_channel(three, "production")
    assert channel is not None
    assert {change.who for change in channel.history} == won
    assert len(channel.history) == len(won) >= 1
    previous = [None, *(change.version for change in channel.history[:-1])]
    assert [change.previous for change in channel.history] == previous


def test_a_bucket_that_is_not_there_is_said_without_secrets(store: object, tried: Path, key: SigningKey) -> None:
    nowhere = open_registry("s3://nowhere")
    with pytest.raises(Unreachable, match="the bucket nowhere cannot be used: NoSuchBucket"):
        versions(nowhere)


def test_wrong_credentials_are_said_without_secrets(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(Unreachable, match="the bucket models cannot be used: SignatureDoesNotMatch") as caught:
        versions(open_registry(place.url))
    assert "wrong-secret" not in str(caught.value)


def test_an_endpoint_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(Unreachable, match="the bucket models cannot be used: EndpointConnectionError"):
        versions(open_registry("s3://models"))
