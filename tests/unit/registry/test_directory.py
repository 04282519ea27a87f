from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llama_mapper.registry.directory import DirectoryStorage
from llama_mapper.registry.errors import Unreachable
from llama_mapper.registry.storage import Changed, Exists

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def storage(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage(tmp_path / "made" / "later")


def test_what_was_created_is_read(storage: DirectoryStorage) -> None:
    storage.create("a/b", b"abc")
    blob = storage.read("a/b")
    assert blob is not None
    assert (blob.data, storage.digest("a/b")) == (b"abc", SHA256_OF_ABC)
    assert blob.modified.tzinfo is not None


def test_what_is_not_there_is_nothing(storage: DirectoryStorage) -> None:
    assert (storage.read("a"), storage.digest("a"), storage.names(""), storage.names("a/")) == (None, None, [], [])


def test_nothing_is_created_twice(storage: DirectoryStorage) -> None:
    storage.create("a", b"one")
    with pytest.raises(Exists):
        storage.create("a", b"two")
    assert storage.digest("a") != SHA256_OF_ABC
    blob = storage.read("a")
    assert blob is not None
    assert blob.data == b"one"


def test_what_was_read_can_be_replaced_once(storage: DirectoryStorage) -> None:
    storage.create("a", b"one")
    blob = storage.read("a")
    assert blob is not None
    storage.replace("a", b"two", blob.etag)
    with pytest.raises(Changed):
        storage.replace("a", b"three", blob.etag)
    assert storage.read("a") != blob


def test_what_is_gone_cannot_be_replaced(storage: DirectoryStorage) -> None:
    storage.create("a", b"one")
    blob = storage.read("a")
    assert blob is not None
    storage.delete("a")
    storage.delete("a")
    with pytest.raises(Changed):
        storage.replace("a", b"two", blob.etag)


def test_of_many_at_once_one_writes(storage: DirectoryStorage) -> None:
    def won(write: Callable[[], None]) -> bool:
        try:
            write()
        except (Exists, Changed):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        creating = [lambda n=n: storage.create("a", b"%d" % n) for n in range(8)]
        assert sum(pool.map(won, creating)) == 1
        blob = storage.read("a")
        assert blob is not None
        replacing = [lambda n=n: storage.replace("a", b"new %d" % n, blob.etag) for n in range(8)]
        assert sum(pool.map(won, replacing)) == 1


def test_names_are_those_one_level_below_without_its_own_files(storage: DirectoryStorage, tmp_path: Path) -> None:
    for key in ("v/b/x", "v/a/y", "v/c", "w/d"):
        storage.create(key, b"")
    blob = storage.read("v/c")
    assert blob is not None
    storage.replace("v/c", b"new", blob.etag)  # leaves its lock there
    assert storage.names("v/") == ["a", "b", "c"]
    assert storage.names("") == ["v", "w"]
    drafts = [path for path in tmp_path.rglob(".*") if path.name != ".lock"]
    assert drafts == []


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = DirectoryStorage(tmp_path / "file")
    for use in (lambda: storage.read("a/b"), lambda: storage.create("a", b""), lambda: storage.names("")):
        with pytest.raises(Unreachable, match=f"the registry {tmp_path / 'file'} cannot be used: "):
            use()
