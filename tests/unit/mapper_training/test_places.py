from pathlib import Path

import pytest

from llama_mapper.registry import RegistryError, Unreachable
from mapper_training.places import Folder, fetch_all, open_place


class Hostile(Folder):
    """Names files that lead elsewhere."""

    def names(self) -> list[str]:
        return ["../outside"]


def test_what_is_kept_can_be_fetched_and_replaces_what_was_there(tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "lasting"))
    for text in ("first", "second"):
        (tmp_path / "file").write_text(text, "utf-8")
        place.keep(tmp_path / "file", "deep/name")
    assert place.names() == ["deep/name"]
    place.fetch("deep/name", tmp_path / "copy")
    assert (tmp_path / "copy").read_text("utf-8") == "second"


def test_a_place_that_is_not_there_yet_has_no_files(tmp_path: Path) -> None:
    assert open_place(str(tmp_path / "none")).names() == []


def test_only_what_is_missing_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "from" / "a").mkdir(parents=True)
    for name in ("a/one", "two"):
        (tmp_path / "from" / name).write_text("new", "utf-8")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "two").write_text("here already", "utf-8")
    assert fetch_all(open_place(str(tmp_path / "from")), tmp_path / "to") == 2
    assert (tmp_path / "to" / "a" / "one").read_text("utf-8") == "new"
    assert (tmp_path / "to" / "two").read_text("utf-8") == "here already"


def test_a_name_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="leads out"):
        fetch_all(Hostile(tmp_path), tmp_path / "to")
    assert not (tmp_path / "outside").exists()


def test_a_file_that_is_gone_is_named_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"^copy cannot be copied: No such file or directory$"):
        open_place(str(tmp_path)).fetch("gone", tmp_path / "copy")


@pytest.mark.parametrize("url", ["", "https://host/folder", "s3:///no-bucket"])
def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(RegistryError, match="a place is"):
        open_place(url)
