"""The commands as typed: help, refusals, exit statuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from llama_mapper.local import layout
from tests.fakes.free_ports import free_port

COMMANDS = (
    ["up"], ["down"], ["status"], ["demo"], ["scan"], ["dead-letters", "list"], ["dead-letters", "replay"],
    ["dead-letters", "show"], ["dead-letters", "discard"],
    ["schemas", "write"], ["costs"], ["experiments", "report"], ["train", "mapper"], ["train", "prepare"],
)  # fmt: skip


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout, so that no run of the real one is met."""
    for name in ("functions", "eventing"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(layout.HOME, str(tmp_path))
    monkeypatch.delenv("LLAMA_MAPPER_RUN_DIR", raising=False)
    return tmp_path


def call(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: list[str]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Example: llama-mapper " + " ".join(command) in " ".join(result.output.split())


def refused(result: Result, status: int, words: str) -> None:
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_down_without_a_run_is_refused() -> None:
    refused(call("down"), 1, "nothing runs in")


def test_status_without_a_run_is_refused() -> None:
    refused(call("status"), 1, "start it with `llama-mapper up`")


def test_status_without_a_run_is_json_for_programs() -> None:
    result = call("status", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"running": False}


def test_up_without_a_required_part_names_it() -> None:
    result = call("up", "--port-base", "18500")
    assert result.exit_code == 1
    assert "error: detect cannot be started: functions/detect/main.py is not there" in result.stderr


def test_up_with_an_unknown_part_is_refused() -> None:
    refused(call("up", "--port", "consol=1"), 1, "--port takes NAME=NUMBER")


def test_outside_a_checkout_nothing_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(layout.HOME, str(tmp_path / "functions"))
    refused(call("up"), 1, "run this from a checkout")


def test_scanning_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(call("scan", str(tmp_path / "nowhere.txt")), 2, "No such file")


def test_scanning_json_lines_as_one_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    refused(call("scan", str(tmp_path / "a.jsonl"), "--by", "file"), 2, "--by file reads one text")


def test_scanning_with_nobody_there_says_how_to_start() -> None:
    port = free_port()
    refused(
        call("scan", "-", "--url", f"http://127.0.0.1:{port}", stdin="hello\n"),
        1,
        f"nothing answers on http://127.0.0.1:{port}; start it with `llama-mapper up`",
    )


def test_scanning_names_bad_lines_without_quoting_them() -> None:
    result = call("scan", "-", "--jsonl", "--format", "jsonl", stdin='{"hunter2": 1}\nhunter2\n')
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "line 1: no field content or text",
        "line 2: not JSON (column 1)",
        "0 scanned · 2 not scanned",
    ]
    assert "hunter2" not in result.output


def test_a_line_that_was_not_judged_fails_a_gate() -> None:
    assert call("scan", "-", "--jsonl", "--fail-on", "block", stdin="hunter2\n").exit_code == 1


def test_an_empty_input_is_no_failure() -> None:
    assert call("scan", "-", "--fail-on", "flag", stdin="").exit_code == 0


@pytest.mark.parametrize("command", ["replay", "discard"])
@pytest.mark.parametrize("words", [[], ["1-0", "--all"]])
def test_replay_and_discard_want_ids_or_all(command: str, words: list[str]) -> None:
    refused(call("dead-letters", command, *words), 2, "name dead letters by their ids, or give --all")


@pytest.mark.parametrize("command", ["show", "replay", "discard"])
@pytest.mark.parametrize("letter", ["../x", "1", "1-", "1-0-0", "٢-0", "1-0\n"])
def test_what_is_no_id_is_refused(command: str, letter: str) -> None:
    refused(call("dead-letters", command, letter), 2, "an id is two numbers with a hyphen")


def test_dead_letters_with_nobody_there_says_how_to_start() -> None:
    port = free_port()
    refused(call("dead-letters", "list", "--url", f"http://127.0.0.1:{port}"), 1, "start it with `llama-mapper up`")


def test_schemas_are_written(tmp_path: Path) -> None:
    result = call("schemas", "write", str(tmp_path / "schemas"))
    assert result.exit_code == 0
    names = {path.name for path in (tmp_path / "schemas").iterdir()}
    assert "io.llama-mapper.findings.mapped.v1.json" in names
