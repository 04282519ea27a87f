import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.vocabularies import app

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "inference-services" / "mapper" / "vocabularies"
SMALL = """
detector: sample
versions: ["2"]
aliases: [sample-moderation]
name: Sample
kind: content-safety
source: {reference: "labels.py of the sample project", read: parsed}
published: 4
labels:
  EMAIL: PII.Contact.Email
  hate: {to: HARM.Hate, relation: broader, note: "also [mild] insults"}
  fine: negative
unmapped:
  other: says nothing
"""


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("LLAMA_MAPPER_HOME", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sample.yaml").write_text(SMALL)
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object, status: int = 2) -> str:
    """The one line on stderr."""
    result = run(*words)
    assert result.exit_code == status, result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("error: ")


def test_what_we_ship_has_no_faults() -> None:
    result = run("lint")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "canonical labels reached: " in result.stdout
    assert "not reached: " in result.stdout


def test_a_row_counts_what_is_published_mapped_negative_and_unmapped(folder: Path) -> None:
    heading, row, *_ = run("lint", "--folder", folder).stdout.splitlines()
    assert heading.split() == ["vendor", "version", "published", "mapped", "negatives", "unmapped", "covered", "exact"]
    assert row.split() == ["sample", "2", "4", "3", "1", "1", "75%", "50%"]


def test_the_canonical_labels_reached_are_counted(folder: Path) -> None:
    assert "canonical labels reached: 3 of 186 (1.6%)" in run("lint", "--folder", folder).stdout


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("PII.Contact.Email", "PII.Contact.Emial", "sample.yaml: EMAIL: no label PII.Contact.Emial"),
        ("published: 4", "published: 9", "sample.yaml: published 9 labels, only 4 are mapped or explained"),
        ("  fine: negative", "  fine: negative\n  EMAIL: PII", "sample.yaml: line 13: 'EMAIL' stands twice"),
        ("relation: broader", "relation: bigger", "sample.yaml: labels.hate.targets.0.relation: "),
        ("versions:", "version:", "sample.yaml: versions: Field required"),
        ("labels:", "labels: [", "sample.yaml: not YAML, line "),
    ],
    ids=["typo in a target", "not covered", "twice", "typo in a relation", "typo in a field", "no YAML"],
)
def test_a_fault_is_listed_and_fails(folder: Path, old: str, new: str, fault: str) -> None:
    (folder / "sample.yaml").write_text(SMALL.replace(old, new))
    shutil.copy(SHIPPED / "jailguard.yaml", folder)
    result = run("lint", "--folder", folder)
    assert result.exit_code == 1
    assert any(line.startswith(fault) for line in result.stdout.splitlines()), result.stdout
    assert "jailguard" in result.stdout  # the sound file is still counted


def test_two_files_may_not_claim_one_detector(folder: Path) -> None:
    shutil.copy(folder / "sample.yaml", folder / "sample2.yaml")
    assert "sample2.yaml: sample 2 is already the business of sample.yaml" in run("lint", "--folder", folder).stdout


@pytest.mark.parametrize("name", ["sample", "sample-moderation"])
def test_a_map_is_shown_by_any_of_its_names(folder: Path, name: str) -> None:
    lines = run("show", name, "--folder", folder).stdout.splitlines()
    assert lines[0].startswith("Sample (sample:2), 75% of 4 published labels")
    assert [line.split()[0] for line in lines[2:]] == ["EMAIL", "hate", "fine", "other"]
    assert "also [mild] insults" in lines[3]


def test_a_version_chooses_the_map() -> None:
    shown = run("show", "llama-guard", "--version", "3-8b").stdout
    assert "llama-guard:3-8b" in shown
    assert len(run("show", "llama-guard").stdout.splitlines()) > len(shown.splitlines())


def test_a_rule_is_explained_with_its_file(folder: Path) -> None:
    shown = run("explain", "sample", "2.1", "HATE", "--folder", folder).stdout
    for part in ("sample.yaml", "sample:2", "hate", "HARM.Hate (broader)", "also [mild] insults", "labels.py"):
        assert part in shown


def test_a_negative_is_explained(folder: Path) -> None:
    assert "nothing found" in run("explain", "sample", "2", "fine", "--folder", folder).stdout


def test_a_label_without_a_rule_says_why(folder: Path) -> None:
    assert refused("explain", "sample", "2", "other", "--folder", folder, status=1).endswith("label: says nothing")
    assert refused("explain", "sample", "2", "ada@example.org", "--folder", folder, status=1) == (
        "sample.yaml has no rule for this label"
    )


def test_a_detector_or_version_without_a_map_is_refused(folder: Path) -> None:
    assert refused("show", "sampel", "--folder", folder).startswith("no map for that detector; did you mean sample")
    assert refused("explain", "sample", "9", "EMAIL", "--folder", folder) == (
        "no map of sample fits that version; there is 2"
    )


def test_a_folder_without_maps_is_refused(tmp_path: Path) -> None:
    assert refused("lint", "--folder", tmp_path, status=1) == "1 fault"
    assert run("lint", "--folder", tmp_path).stdout == f"{tmp_path}: no vocabularies here\n"
    assert refused("show", "x", "--folder", tmp_path / "no") == f"{tmp_path / 'no'}: no such folder"


def test_outside_a_checkout_the_command_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_HOME", str(tmp_path))
    assert refused("lint") == (
        "this needs a checkout of Llama Mapper: run it inside one, or set LLAMA_MAPPER_HOME to one"
    )


@pytest.mark.parametrize("command", ["lint", "show", "explain"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: llama-mapper vocabularies {command}" in run(command, "--help").stdout
