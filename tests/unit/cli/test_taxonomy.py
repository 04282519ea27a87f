import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from llama_mapper.cli.taxonomy import app
from llama_mapper.taxonomy.tree import DEFAULT


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object, status: int = 2) -> str:
    """The one line on stderr."""
    result = run(*words)
    assert result.exit_code == status, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def taxonomy(path: Path, *names: str, version: str = "2026.11", moves: dict[str, list[str]] | None = None) -> Path:
    needed = ("OTHER", "OTHER.Unknown", "SAFETY_NEGATIVE", "SAFETY_NEGATIVE.NONE")
    content: dict[str, Any] = {
        "version": version,
        "labels": [
            {"name": name, "definition": "What it means.", "severity": 1, "sensitivity": "internal"}
            for name in (*needed, *names)
        ],
        "moves": [{"from": old, "to": new} for old, new in (moves or {}).items()],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return taxonomy(tmp_path / "old.yaml", "A", "A.X", "A.Y")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return taxonomy(
        tmp_path / "new.yaml", "A", "A.One", "A.Two", "A.Y", version="2026.12", moves={"A.X": ["A.One", "A.Two"]}
    )


@pytest.fixture
def plan(tmp_path: Path, old: Path, new: Path) -> Path:
    path = tmp_path / "plan.json"
    assert run("migrate", "plan", old, new, "-o", path).exit_code == 0
    return path


def test_a_label_is_shown_in_full() -> None:
    shown = run("show", "PII.Contact.Email").stdout
    assert all(word in shown for word in ("definition", "aliases", "email address", "2 of 4", "owasp_llm: LLM02"))


def test_a_label_with_children_names_them() -> None:
    assert "PII.Contact.Email, PII.Contact.Phone" in run("show", "PII.Contact").stdout


def test_a_tree_holds_what_is_below_and_nothing_else() -> None:
    shown = run("show", "PII.Contact", "--tree").stdout
    assert "Email" in shown
    assert "PostalCode" in shown
    assert "Passport" not in shown


def test_without_a_label_everything_is_shown() -> None:
    shown = run("show").stdout
    assert shown.startswith("taxonomy 2026.11, 187 labels")
    assert len(shown.splitlines()) == 188


def test_a_label_that_is_none_is_refused_with_a_neighbour() -> None:
    assert refused("show", "PII.Contact.Emial").startswith("no such label; did you mean PII.Contact.Email")
    assert refused("show", "12345678") == "no such label"


def test_a_search_lists_the_best_first() -> None:
    lines = run("search", "payment", "card").stdout.splitlines()
    assert lines[0].split() == ["label", "severity", "sensitivity", "definition"]
    assert lines[1].startswith("PII.Financial.PaymentCard ")


def test_a_search_without_a_hit_fails() -> None:
    assert "no label has all of these words" in refused("search", "zeppelin", status=1)


def test_a_crosswalk_is_read_from_both_ends() -> None:
    assert "LLM01" in run("crosswalk", "PROMPT_INJECTION").stdout
    assert "PROMPT_INJECTION.Direct" in run("crosswalk", "owasp_llm").stdout


def test_a_category_that_fits_nothing_says_why() -> None:
    assert "none: " in run("crosswalk", "mitre_atlas").stdout + run("crosswalk", "owasp_llm").stdout


def test_a_label_that_no_list_has_says_so() -> None:
    assert run("crosswalk", "OTHER.Unknown").stdout == "No other list has a category for OTHER.Unknown.\n"


def test_neither_label_nor_scheme_names_the_schemes() -> None:
    assert "ailuminate, owasp_llm" in refused("crosswalk", "iso")


def test_a_difference_lists_breaking_changes_first(old: Path, new: Path) -> None:
    lines = [line.split(maxsplit=2) for line in run("diff", old, new).stdout.splitlines()[1:]]
    assert [(kind, label) for kind, label, _ in lines] == [
        ("breaking", "A.X"),
        ("additive", "A.One"),
        ("additive", "A.Two"),
    ]


def test_no_difference_is_said(old: Path) -> None:
    assert run("diff", old, old).stdout == "No difference.\n"


def test_our_own_file_has_no_faults() -> None:
    result = run("check", DEFAULT)
    assert (result.exit_code, result.stdout) == (0, "taxonomy.yaml: taxonomy 2026.11, 187 labels, no faults\n")


def test_every_fault_of_a_file_is_listed(tmp_path: Path) -> None:
    result = run("check", taxonomy(tmp_path / "mine.yaml", "A.X", "B.Y"))
    assert (result.exit_code, result.stderr) == (1, "error: mine.yaml: 2 faults\n")
    assert "A.X: its parent A is not defined" in result.stdout.splitlines()


def test_a_broken_file_is_refused_where_a_sound_one_is_needed(tmp_path: Path, old: Path) -> None:
    broken = taxonomy(tmp_path / "mine.yaml", "A.X", "B.Y")
    assert refused("diff", old, broken) == "mine.yaml: A.X: its parent A is not defined and 1 more fault"


@pytest.mark.parametrize(
    "words",
    [
        ("check", "{}"),
        ("diff", "{}", "{}"),
        ("migrate", "plan", "{}", "{}", "-o", "x"),
        ("migrate", "invert", "{}", "-o", "x"),
        ("migrate", "apply", "{}", "{}"),
    ],
    ids=" ".join,
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    missing = str(tmp_path / "nowhere")
    assert refused(*(word.format(missing) for word in words)) == f"{missing}: no such file"


def test_a_plan_is_written_and_counted(tmp_path: Path, old: Path, new: Path) -> None:
    output = tmp_path / "p.json"
    result = run("migrate", "plan", old, new, "-o", output)
    assert result.stdout == f"2026.11 -> 2026.12: 1 label moved, 2 added, in {output}\n"
    assert json.loads(output.read_text())["steps"] == [{"old": "A.X", "new": ["A.One", "A.Two"]}]


def test_a_plan_that_merges_says_what_is_lost(tmp_path: Path, old: Path) -> None:
    merged = taxonomy(tmp_path / "m.yaml", "A", "A.Y", version="2026.12", moves={"A.X": ["A.Y"]})
    assert "cannot be told apart again: A.Y" in run("migrate", "plan", old, merged, "-o", tmp_path / "p.json").stdout


def test_a_plan_without_a_move_is_refused(tmp_path: Path, old: Path) -> None:
    less = taxonomy(tmp_path / "less.yaml", "A", "A.Y", version="2026.12")
    message = refused("migrate", "plan", old, less, "-o", tmp_path / "p.json", status=1)
    assert message == "A.X: removed without a move; add a move"
    assert not (tmp_path / "p.json").exists()


def test_records_go_there_and_come_back(tmp_path: Path, plan: Path) -> None:
    records = [{"label": "A.X", "taxonomy": "2026.11", "note": "é"}, {"label": "A.Y", "taxonomy": "2026.11"}]
    before, there, back = tmp_path / "before.jsonl", tmp_path / "there.jsonl", tmp_path / "back.jsonl"
    before.write_text("\n".join(map(json.dumps, records)) + "\n\n")
    assert run("migrate", "apply", plan, before, "-o", there).stdout == f"3 records of taxonomy 2026.12 in {there}\n"
    assert [json.loads(line)["label"] for line in there.read_text().splitlines()] == ["A.One", "A.Two", "A.Y"]
    inverse = tmp_path / "inverse.json"
    assert run("migrate", "invert", plan, "-o", inverse).exit_code == 0
    assert run("migrate", "apply", inverse, there, "-o", back).exit_code == 0
    assert [json.loads(line) for line in back.read_text().splitlines()] == records


def test_records_can_go_to_standard_output(tmp_path: Path, plan: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"labels": ["A.X"]}\n')
    assert run("migrate", "apply", plan, tmp_path / "r.jsonl").stdout == '{"labels": ["A.One", "A.Two"]}\n'


def test_one_record_of_another_version_stops_it_before_anything_is_written(tmp_path: Path, plan: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"taxonomy": "2026.11"}\n{"taxonomy": "2025.01"}\n')
    message = refused("migrate", "apply", plan, tmp_path / "r.jsonl", "-o", tmp_path / "out.jsonl", status=1)
    assert message == "r.jsonl: a record is of taxonomy 2025.01, the plan starts from 2026.11"
    assert not (tmp_path / "out.jsonl").exists()


def test_a_line_that_is_no_json_is_named_and_not_quoted(tmp_path: Path, plan: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"a": 1}\nada@example.org\n')
    assert refused("migrate", "apply", plan, tmp_path / "r.jsonl") == "r.jsonl, line 2: not JSON"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"from_version": 5}', "\xff"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content, encoding="latin-1")
    message = refused("migrate", "invert", tmp_path / "p.json", "-o", tmp_path / "x")
    assert message == "p.json: this is not a plan that `taxonomy migrate plan` wrote"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, plan: Path) -> None:
    output = tmp_path / "no" / "such" / "folder.json"
    assert refused("migrate", "invert", plan, "-o", output) == f"cannot write {output}: No such file or directory"


@pytest.mark.parametrize(
    "command",
    [("show",), ("search",), ("crosswalk",), ("diff",), ("check",), ("migrate", "plan"), ("migrate", "apply")],
    ids=" ".join,
)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    assert f"Example: llama-mapper taxonomy {' '.join(command)} " in run(*command, "--help").stdout
