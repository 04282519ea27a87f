"""`llama-mapper policies` as a person types it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from tests.fakes.findings import found
from tests.fakes.policies import decides, holds, sources, write

SHIPPED = Path(__file__).parents[3] / "policies"


def run(*words: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["policies", *map(str, words)], input=stdin, env={"COLUMNS": "200"})


def recorded(number: int, *labels: str) -> str:
    findings = [found(label, severity=3).model_dump(mode="json") for label in labels]
    coverage = {"method": "REQUIRED_SET", "score": 1.0, "required": []}
    decision = {"action": "allow", "reasons": [], "policy_version": "1"}
    said = {"request_id": f"request-{number:08}", "occurred_at": "2026-11-22T10:00:00Z", "content_type": "text"}
    return json.dumps(said | {"findings": findings, "coverage": coverage, "decision": decision})


REQUESTS = "\n".join([recorded(1, "PII.Contact.Email"), recorded(2), recorded(3, "SECRET.Key"), ""])


def test_the_shipped_tests_hold_and_cover() -> None:
    ran = run("test", SHIPPED, "--coverage", "--json")
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert said["failed"] == []
    assert said["tests"] > 100
    assert set(said["coverage"]) >= {"decision/decision.rego", "access/access.rego"}


def test_a_test_that_fails_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path, sources() | holds("decision", "test_good if true\n\ntest_bad if false"))
    ran = run("test", folder)
    assert ran.exit_code == 1
    assert "decision/decision_test.rego:7: test_bad does not hold" in ran.stdout
    assert "1 of 2 tests hold" in ran.stdout


def test_no_tests_at_all_are_no_success(tmp_path: Path) -> None:
    assert run("test", write(tmp_path, sources())).exit_code == 1


def test_lint_says_where_and_why(tmp_path: Path) -> None:
    folder = write(tmp_path, sources(decision="decision := {} if time.now_ns() > input.a"))
    ran = run("lint", folder)
    assert ran.exit_code == 1
    assert "decision/decision.rego:5: builtin_forbidden: asks somebody else" in ran.stdout
    assert run("lint", SHIPPED).stdout == "nothing is wrong\n"


def test_explain_names_the_rules_and_the_version() -> None:
    ran = run("explain", SHIPPED, "--label", "SECRET.Key", "--json")
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert said["answer"]["action"] == "block"
    assert said["version"].count("+") == 1
    rules = {one["rule"]: one for one in said["fired"]}
    assert rules["_reasons"]["value"] == ["label.secret"]
    assert rules["_reasons"]["file"] == "decision/decision.rego"


def test_explain_shows_a_table() -> None:
    ran = run("explain", SHIPPED, "--label", "SECRET.Key", "--confidence", "0.2")
    assert ran.exit_code == 0, ran.output
    assert "action: flag" in ran.stdout
    assert "confidence.low" in ran.stdout


def test_explain_takes_the_whole_input_of_any_policy() -> None:
    question = json.dumps({"tenant_id": "nobody", "content_characters": 1, "authenticated": True})
    ran = run("explain", SHIPPED, "--policy", "admission", "--input", "-", "--json", stdin=question)
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["answer"]["allow"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--policy", "access"], "needs its input"),
        (["--policy", "nothing", "--input", "-"], "no policy of that name"),
        (["--label", "ada@example.org"], "a label is dotted"),
        (["--label", "PII", "--request", "r"], "one of them"),
    ],
)
def test_explain_says_what_it_needs(words: list[str], says: str) -> None:
    ran = run("explain", SHIPPED, *words, stdin="{}")
    assert ran.exit_code == 2
    assert says in ran.stderr
    assert "ada@example.org" not in ran.output


def changes(old: Path, new: Path, *words: object) -> Any:
    ran = run("diff", old, new, "--from", "-", "--json", *words, stdin=REQUESTS)
    return ran.exit_code, json.loads(ran.stdout)


def test_diff_counts_what_would_be_decided_otherwise(tmp_path: Path) -> None:
    old = write(tmp_path / "old", sources(decision=decides("flag")))
    new = write(tmp_path / "new", sources(decision=decides("block")))
    status, said = changes(old, new)
    assert status == 0
    assert said["changes"] == [{"before": "flag", "after": "block", "requests": 3}]
    assert [one["request_id"] for one in said["changed_requests"]] == [f"request-{n:08}" for n in (1, 2, 3)]
    assert changes(old, new, "--fail-on-change")[0] == 1
    same = {"new": said["old"], "changed": 0, "changes": [], "changed_requests": []}
    assert changes(old, old, "--fail-on-change") == (0, said | same)


def test_diff_shows_a_table(tmp_path: Path) -> None:
    data = json.loads((SHIPPED / "data.json").read_text())
    data["decision"]["labels"] = [one for one in data["decision"]["labels"] if one["label"] != "SECRET"]
    files = {str(path.relative_to(SHIPPED)): path.read_text() for path in SHIPPED.rglob("*.rego")}
    new = write(tmp_path, files, json.dumps(data))
    ran = run("diff", SHIPPED, new, "--from", "-", stdin=REQUESTS)
    assert ran.exit_code == 0, ran.output
    assert "1 of 3 requests would be decided otherwise" in ran.stdout
    assert "request-00000003" in ran.stdout
    assert "label.secret" in ran.stdout


def test_diff_refuses_a_line_that_is_no_request(tmp_path: Path) -> None:
    ran = run("diff", SHIPPED, SHIPPED, "--from", "-", stdin="\n{}\n")
    assert ran.exit_code == 2
    assert "line 2" in ran.stderr


def test_build_packs_the_same_bytes_and_puts_them_into_the_store(tmp_path: Path) -> None:
    words = ("--store", tmp_path / "store", "--name", "platform/decision:1", "--json")
    first = run("build", SHIPPED, "-o", tmp_path / "a.tar.gz", *words)
    assert first.exit_code == 0, first.output
    said = json.loads(first.stdout)
    assert (tmp_path / "store" / "platform" / "decision" / "1.tar.gz").is_file()
    again = run("build", tmp_path / "a.tar.gz", "-o", tmp_path / "b.tar.gz", *words)
    assert json.loads(again.stdout)["sha256"] == said["sha256"]
    assert run("lint", tmp_path / "b.tar.gz").exit_code == 0


def test_build_does_not_overwrite_a_tag_unless_it_is_moved(tmp_path: Path) -> None:
    words = ("-o", tmp_path / "a.tar.gz", "--store", tmp_path / "store", "--name", "platform/decision:1")
    one, two = write(tmp_path / "1", sources()), write(tmp_path / "2", sources(decision=decides("block")))
    assert run("build", one, *words).exit_code == 0
    refused = run("build", two, *words)
    assert (refused.exit_code, "names another bundle" in refused.stderr) == (1, True)
    assert run("build", two, *words, "--move").exit_code == 0


def test_build_refuses_what_lint_refuses(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", sources(decision="decision := {"))
    ran = run("build", folder, "-o", tmp_path / "a.tar.gz")
    assert ran.exit_code == 1
    assert "rego_parse_error" in ran.stdout
    assert not (tmp_path / "a.tar.gz").exists()


@pytest.mark.parametrize(
    "words", [["--store", "x"], ["--name", "a:1"], ["--store", "x", "--name", "No Name"], ["--revision", "two words"]]
)
def test_build_says_what_it_needs(tmp_path: Path, words: list[str]) -> None:
    assert run("build", SHIPPED, "-o", tmp_path / "a.tar.gz", *words).exit_code == 2


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    ran = run("lint", tmp_path)
    assert (ran.exit_code, "no policies" in ran.stderr) == (1, True)
