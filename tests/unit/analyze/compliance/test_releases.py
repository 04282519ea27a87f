import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.analyze.compliance import releases
from functions.analyze.frameworks import FrameworkError
from functions.analyze.settings import Settings

from .samples import control, framework, touching

FOLDER = Path(Settings.model_fields["frameworks"].default)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(path: str = "rules.yaml", **changes: Any) -> Path:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(framework(**changes).model_dump(mode="json", exclude_none=True)), "utf-8")
        return file

    return written


def test_no_released_version_of_ours_was_changed_or_lost() -> None:
    assert releases.faults(FOLDER) == []


def test_what_is_new_is_locked_once(write: Write, tmp_path: Path) -> None:
    write()
    assert releases.release(tmp_path) == ("rules@2026.11",)
    before = (tmp_path / releases.LOCK).read_bytes()
    assert releases.release(tmp_path) == ()
    assert (tmp_path / releases.LOCK).read_bytes() == before
    assert releases.faults(tmp_path) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"edition": "Second"},
        {"published": "2024-01"},
        {"stages": [{"since": "2025-01-01", "scope": "The rest"}]},
        {"controls": [control("R 1", summary="Another."), control("R 2"), control("R 3")]},
        {"controls": [control("R 1"), control("R 2")], "mappings": [touching("PII", "R 1", "R 2")]},
        {"mappings": [touching("PII", "R 1", "R 2", "R 3")]},
    ],
)
def test_a_released_version_cannot_change_what_it_says(write: Write, tmp_path: Path, changes: dict[str, Any]) -> None:
    write()
    releases.release(tmp_path)
    lock = (tmp_path / releases.LOCK).read_bytes()
    write(**changes)
    assert "rules@2026.11: changed after its release" in releases.faults(tmp_path)[0]
    with pytest.raises(releases.ReleaseError, match="changed after its release"):
        releases.release(tmp_path)
    assert (tmp_path / releases.LOCK).read_bytes() == lock


def test_order_and_layout_of_the_file_do_not_count(write: Write, tmp_path: Path) -> None:
    file = write()
    releases.release(tmp_path)
    document = yaml.safe_load(file.read_text("utf-8"))
    document["controls"].reverse()
    document["mappings"].reverse()
    file.write_text("# a comment\n" + yaml.safe_dump(document, default_flow_style=True), "utf-8")
    assert releases.faults(tmp_path) == []


def test_a_new_version_needs_the_earlier_one_kept(write: Write, tmp_path: Path) -> None:
    write()
    releases.release(tmp_path)
    write(version="2026.12", edition="Second")
    assert any("rules@2026.12: not released" in fault for fault in releases.faults(tmp_path))
    with pytest.raises(releases.ReleaseError, match="was released and is not in earlier"):
        releases.release(tmp_path)
    write("earlier/rules@2026.11.yaml")
    assert releases.release(tmp_path) == ("rules@2026.12",)
    assert set(json.loads((tmp_path / releases.LOCK).read_text())) == {"rules@2026.11", "rules@2026.12"}


def test_an_earlier_version_cannot_change_either(write: Write, tmp_path: Path) -> None:
    write()
    releases.release(tmp_path)
    write(version="2026.12")
    write("earlier/rules@2026.11.yaml", edition="Rewritten")
    assert "rules@2026.11: earlier/rules@2026.11.yaml is not what was released" in releases.faults(tmp_path)


def test_a_version_is_found_whether_current_or_earlier(write: Write, tmp_path: Path) -> None:
    write(version="2026.12")
    write("earlier/rules@2026.11.yaml")
    assert releases.find(tmp_path, "rules").version == "2026.12"
    assert releases.find(tmp_path, "rules@2026.12").version == "2026.12"
    assert releases.find(tmp_path, "rules@2026.11").version == "2026.11"


@pytest.mark.parametrize("name", ["hippa", "rules@2025.01", "@", "../rules@1"])
def test_a_version_that_is_not_there_is_said(write: Write, tmp_path: Path, name: str) -> None:
    write()
    with pytest.raises(FrameworkError):
        releases.find(tmp_path, name)


@pytest.mark.parametrize("text", ["", "[]", '{"rules@2026.11": 3}', "\xff"])
def test_a_lock_that_cannot_be_read_is_refused(write: Write, tmp_path: Path, text: str) -> None:
    write()
    (tmp_path / releases.LOCK).write_text(text, "latin-1")
    with pytest.raises(releases.ReleaseError, match=r"released\.json"):
        releases.faults(tmp_path)


def test_a_changed_word_in_a_copy_of_ours_is_noticed(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "frameworks"))
    file = folder / "pci-dss.yaml"
    file.write_text(file.read_text("utf-8").replace("masked", "blackened", 1), "utf-8")
    assert len(releases.faults(folder)) == 1
