import os
import stat
from pathlib import Path

import pytest

from llama_mapper.local import directory
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.refusal import CannotRun


@pytest.fixture
def place(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.create()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_is_its_owners_alone(place: RunDirectory) -> None:
    assert [mode(path) for path in (place.path, place.logs, place.analytics, place.valkey)] == [0o700] * 4


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotRun, match="cannot write the run directory"):
        RunDirectory(tmp_path / "file" / "run").create()


def test_the_key_is_made_once_and_readable_by_its_owner_alone(place: RunDirectory) -> None:
    key = place.key()
    assert len(bytes.fromhex(key)) == 32
    assert place.key() == key
    assert mode(place.path / "hmac.key") == 0o600


def test_two_directories_have_two_keys(place: RunDirectory, tmp_path: Path) -> None:
    other = RunDirectory(tmp_path / "other")
    other.create()
    assert other.key() != place.key()


def test_forgetting_removes_what_runs_kept_and_nothing_else(place: RunDirectory) -> None:
    (place.analytics / "part").touch()
    (place.logs / "detect.jsonl").touch()
    (place.path / "notes.txt").touch()
    key = place.key()
    place.forget()
    assert not list(place.analytics.iterdir())
    assert not list(place.logs.iterdir())
    assert (place.path / "notes.txt").exists()
    assert place.key() == key


def test_the_lock_is_seen_and_dropped_with_its_descriptor(place: RunDirectory) -> None:
    assert not place.in_use()
    lock = place.lock()
    assert place.in_use()
    with pytest.raises(CannotRun, match="already running in"):
        place.lock()
    os.close(lock)
    assert not place.in_use()


def test_the_directory_asked_for_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(directory.ENVIRONMENT, str(tmp_path / "named"))
    assert directory.choose(tmp_path / "asked", tmp_path).path == tmp_path / "asked"
    assert directory.choose(None, tmp_path).path == tmp_path / "named"
    monkeypatch.delenv(directory.ENVIRONMENT)
    assert directory.choose(None, tmp_path).path == tmp_path / ".run"
