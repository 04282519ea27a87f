import importlib.util
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from tests.fakes import trainer

ROOT = Path(__file__).parents[3]
EXPERIMENTS = Path("inference-services", "mapper", "experiments")
PYTHON = """#!/bin/sh
PYTHONPATH="{path}" exec {python} {trainer} "$@"
"""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("peft") is not None, reason="here the command would train by itself, not by a stand-in"
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose experiments are named after what the stand-in for the training does."""
    (tmp_path / "inference-services" / "mapper" / "mapper_serving").mkdir(parents=True)
    for name in ("ends", "stops", "refuses", "breaks", "dies", "early", "stillborn"):
        (tmp_path / EXPERIMENTS / name).mkdir(parents=True)
        (tmp_path / EXPERIMENTS / name / "training.json").write_text("{}", "utf-8")
    monkeypatch.setenv("LLAMA_MAPPER_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    return tmp_path


@pytest.fixture
def trained(checkout: Path) -> Path:
    python = checkout / ".venv-model" / "bin" / "python"
    python.parent.mkdir(parents=True)
    path = ":".join(map(str, (ROOT, ROOT / "shared", ROOT / "inference-services" / "mapper")))
    python.write_text(PYTHON.format(path=path, python=sys.executable, trainer=trainer.__file__), "utf-8")
    python.chmod(0o755)
    return checkout


def train(*words: str) -> Result:
    return CliRunner().invoke(app, ["train", "mapper", *words])


def test_how_far_it_is_goes_to_stderr_and_what_came_out_to_stdout(trained: Path) -> None:
    result = train("ends")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "10 of 10 steps in 30 s, peak memory 2.0 GB; wrote somewhere/adapter\n"
    assert "80 examples, 900 tokens, 10 steps" in result.stderr
    assert "step 4 of 10, loss 1.250, 2.5 examples/s, 2 min left" in result.stderr


def test_a_refusal_is_one_line(trained: Path) -> None:
    result = train("refuses")
    assert result.exit_code == 1
    assert "error: there is nothing to learn" in result.stderr


def test_a_run_that_was_stopped_says_how_to_go_on(trained: Path) -> None:
    result = train("stops", "--fold", "all", "--minutes", "3", "--fresh")
    assert result.exit_code == 130
    assert "stopped at step 4 of 10; go on with:" in result.stderr
    assert "train mapper stops --fold all --minutes 3.0 --resume" in result.stderr


@pytest.mark.parametrize(
    ("does", "status", "says"),
    [
        ("dies", 1, "the training was killed (signal 9); from its last checkpoint:"),
        ("stillborn", 130, "the training ended before its first step (signal 9)"),
    ],
)
def test_a_run_that_was_killed_says_so(trained: Path, does: str, status: int, says: str) -> None:
    result = train(does)
    assert result.exit_code == status
    assert says in result.stderr


@pytest.mark.parametrize(("does", "says"), [("breaks", "RuntimeError: out of memory"), ("early", "no such library")])
def test_a_fault_is_named_with_the_file_that_holds_all_of_it(trained: Path, does: str, says: str) -> None:
    result = train(does, "--fold", "2")
    assert result.exit_code == 1
    assert f"the training failed: {says}" in result.stderr
    assert str(trained / ".cache" / "training" / does / "fold2" / "train.log") in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("unknown",), "no experiment unknown; there are breaks, dies, early, ends, refuses, stillborn, stops"),
        (("ends", "--fold", "5"), "no fold 5; there are 0, 1, 2, 3, 4, all"),
        (("../ends",), "no experiment ../ends"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_starts(
    trained: Path, words: tuple[str, ...], says: str
) -> None:
    result = train(*words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (trained / ".cache").exists()


@pytest.mark.parametrize("command", [["mapper", "ends"], ["prepare", "ends"]])
def test_without_the_models_environment_its_make_target_is_named(checkout: Path, command: list[str]) -> None:
    result = CliRunner().invoke(app, ["train", *command])
    assert result.exit_code == 1
    assert "`make model`" in result.stderr
