from pathlib import Path

import pytest

from functions.detect import packages


def test_the_folder_of_an_installed_package_is_found_without_importing_it() -> None:
    assert (packages.folder("pydantic") / "main.py").is_file()


@pytest.mark.parametrize("name", ["no_such_package_anywhere", "this"])
def test_what_is_not_an_installed_package_is_refused(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="not installed"):
        packages.folder(name)


def test_the_version_of_what_is_not_installed_is_absent() -> None:
    assert packages.installed_version("no-such-distribution-anywhere") == packages.ABSENT


def test_a_kept_text_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vocabulary.json"
    packages.keep(path, "old")
    packages.keep(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert [p.name for p in path.parent.iterdir()] == ["vocabulary.json"]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    packages.keep(tmp_path / "file" / "vocabulary.json", "text")
    assert (tmp_path / "file").read_text() == "in the way"
