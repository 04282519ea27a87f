import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.frameworks import app

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "functions" / "analyze" / "frameworks"
COMMANDS = ("list", "show", "diff", "check", "release", "detectors", "gaps")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("LLAMA_MAPPER_HOME", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "frameworks"))


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def change(file: Path, old: str, new: str) -> Path:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"Example: llama-mapper frameworks {command}" in " ".join(result.output.split())


def test_all_are_listed_with_edition_dates_and_coverage() -> None:
    result = call("list")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines()[1:]}
    assert len(rows) == 9
    assert "2024-07-12" in rows["eu-ai-act"]
    assert "2026-08-02" in rows["eu-ai-act"]


def test_a_framework_is_shown_with_the_days_from_which_it_applies() -> None:
    output = call("show", "eu-ai-act").output
    assert "2025-02-02" in output
    assert "Resistance to attack" in output


def test_a_control_is_shown_with_its_labels_and_its_relations() -> None:
    output = call("show", "iso27001", "--control", "A.5.17").output
    assert "SECRET.Credential.Password" in output
    assert "subset nist-csf PR.AA-01" in output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "hippa"), "no framework hippa"),
        (("show", "iso27001", "--control", "A.9.99"), "no control A.9.99"),
        (("diff", "soc2@2020.01", "soc2"), "no framework soc2@2020.01"),
        (("gaps", "--detector", "Not An Id"), "detectors"),
        (("gaps", "--detector", "presidio", "--framework", "hippa"), "known frameworks"),
        (("gaps", "--detector", "presidio", "--seen", "PII=many"), "seen"),
        (("list", "--folder", "nowhere"), "no such folder"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(words: tuple[str, ...], said: str) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_version_does_not_differ_from_itself() -> None:
    assert "No difference." in call("diff", "soc2", str(SHIPPED / "soc2.yaml")).output


def test_a_file_that_breaks_the_format_cannot_be_compared(folder: Path) -> None:
    broken = change(folder / "pci-dss.yaml", '      - id: "5.4.1"\n', '      - id: "12.10.5"\n')
    result = call("diff", "soc2", str(broken))
    assert result.exit_code == 2
    assert "5.4.1 is declared, not used" in result.stderr


def test_a_moved_label_is_in_the_diff(folder: Path) -> None:
    (folder / "earlier").mkdir()
    shutil.copy(folder / "pci-dss.yaml", folder / "earlier" / "pci-dss@2026.11.yaml")
    new = change(folder / "pci-dss.yaml", 'version: "2026.11"', 'version: "2026.12"')
    change(new, "title: Incident plan", "title: Plan for incidents")
    change(
        new,
        "  - label: SECURITY.ModelTheft\n    none: A model is no account data.\n",
        '  - label: SECURITY.ModelTheft\n    controls:\n      - id: "12.10.5"\n        rationale: An alert.\n',
    )
    output = call("diff", "pci-dss@2026.11", "pci-dss", "--folder", str(folder)).output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert "framework version 2026.11 -> 2026.12" in lines
    assert "label now fits SECURITY.ModelTheft +12.10.5" in lines
    assert "control reworded 12.10.1 title: Incident plan -> Plan for incidents" in lines


def test_ours_are_as_released() -> None:
    result = call("check")
    assert result.exit_code == 0, result.output
    assert "9 frameworks as released" in result.output


@pytest.mark.parametrize("command", ["check", "release"])
def test_a_changed_release_is_refused(folder: Path, command: str) -> None:
    change(folder / "soc2.yaml", "title: Capacity", "title: Room")
    result = call(command, "--folder", str(folder))
    assert result.exit_code == 1
    assert "soc2@2026.11: changed after its release" in result.output + result.stderr


def test_a_new_version_is_released(folder: Path) -> None:
    (folder / "earlier").mkdir()
    shutil.copy(folder / "soc2.yaml", folder / "earlier" / "soc2@2026.11.yaml")
    change(folder / "soc2.yaml", 'version: "2026.11"', 'version: "2026.12"')
    assert "released: soc2@2026.12" in call("release", "--folder", str(folder)).output
    assert "nothing new" in call("release", "--folder", str(folder)).output


def test_gaps_are_shown_and_given_whole_as_json() -> None:
    words = ("gaps", "--detector", "presidio@2.2", "--seen", "PII.Financial.PaymentCard.Number=3")
    shown = call(*words, "--framework", "pci-dss")
    assert shown.exit_code == 0, shown.output
    assert "pci-dss: controls not judged" in shown.output
    whole = json.loads(call(*words, "--framework", "pci-dss", "--json").output)
    (result,) = whole["frameworks"]
    stands = {control["control"]: control["standing"] for control in result["controls"]}
    assert stands["12.10.7"] == "evidence"
    assert stands["11.5.1"] == "not_judged"


def test_the_same_question_gives_the_same_answer() -> None:
    words = ("gaps", "--detector", "presidio", "--detector", "detect-secrets", "--json")
    assert call(*words).output == call(*words).output
