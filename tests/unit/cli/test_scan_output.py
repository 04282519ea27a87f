import csv
import io
import json

import pytest
from rich.console import Console

from llama_mapper.cli.scan_input import Unreadable
from llama_mapper.cli.scan_output import Csv, Json, JsonLines, Screen, Tally
from llama_mapper.cli.scan_run import LabelFound, Verdict


def verdict(action: str = "block", *labels: str, line: int = 1, excerpt: str = "", parts: int = 1) -> Verdict:
    found = tuple(LabelFound(label, 3, 0.9) for label in labels)
    return Verdict(line, action, 61.4, "high", 1.0, found, parts, 10, excerpt)


def tallied(*results: Verdict | Unreadable) -> Tally:
    tally = Tally()
    for result in results:
        tally.add(result)
    return tally


def test_json_lines_hold_one_result_each(capsys: pytest.CaptureFixture[str]) -> None:
    out = JsonLines()
    out.add(verdict("block", "SECRET"))
    out.add(Unreadable(2, "not UTF-8"))
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["labels"] == [{"label": "SECRET", "severity": 3, "confidence": 0.9}]
    assert second == {"line": 2, "error": "not UTF-8"}


def test_json_is_one_document_with_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    out = Json()
    result = verdict("flag", "SECRET", parts=2)
    out.add(result)
    out.finish(tallied(result))
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {
        "scanned": 1, "unread": 0, "cut": 1, "actions": {"flag": 1}, "labels": {"SECRET": 1}
    }  # fmt: skip
    assert len(document["results"]) == 1


def test_csv_has_a_row_for_each_result(capsys: pytest.CaptureFixture[str]) -> None:
    out = Csv()
    out.add(verdict("block", "SECRET", "PII.Contact.Email"))
    out.add(Unreadable(2, "not UTF-8"))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert (rows[0]["action"], rows[0]["labels"]) == ("block", "SECRET PII.Contact.Email")
    assert rows[1]["error"] == "not UTF-8"


@pytest.mark.parametrize(("excerpt", "cell"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("a=b", "a=b"), ('a,"b"', 'a,"b"')])
def test_csv_cells_are_never_formulas(capsys: pytest.CaptureFixture[str], excerpt: str, cell: str) -> None:
    Csv().add(verdict(excerpt=excerpt))
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))["excerpt"] == cell


def screened(*results: Verdict | Unreadable, show: bool = False) -> str:
    text = io.StringIO()
    out = Screen(Console(file=text, width=120), show)
    for result in results:
        out.add(result)
    out.finish(tallied(*results))
    return text.getvalue()


def test_the_table_counts_texts_for_each_label() -> None:
    shown = screened(verdict("block", "SECRET"), verdict("flag", "SECRET", line=7))
    assert "2 scanned: 1 block, 1 flag" in shown
    assert ["SECRET", "2"] in [line.split() for line in shown.splitlines()]


def test_the_table_leaves_out_what_is_harmless() -> None:
    shown = screened(verdict("allow", line=12345))
    assert "12345" not in shown
    assert "1 scanned: 1 allow" in shown


def test_the_table_says_how_many_rows_it_hides() -> None:
    assert "and 10 more" in screened(*(verdict("flag", "SECRET", line=line) for line in range(60)))


def test_the_text_is_shown_only_when_asked() -> None:
    result = verdict("flag", "SECRET", excerpt="hello [red]there")
    assert "hello" not in screened(result)
    assert "hello [red]there" in screened(result, show=True)


@pytest.mark.parametrize(
    ("actions", "fail_on", "fails"),
    [
        ([], "flag", False),
        (["allow"], "flag", False),
        (["flag"], "flag", True),
        (["flag"], "block", False),
        (["redact", "human_review"], "block", False),
        (["redact"], "flag", True),
        (["allow", "block"], "block", True),
    ],
)
def test_fail_on_means_that_decision_or_a_stricter_one(actions: list[str], fail_on: str, fails: bool) -> None:
    assert tallied(*(verdict(action) for action in actions)).reaches(fail_on) is fails


def test_a_text_that_was_not_judged_fails_too() -> None:
    assert tallied(Unreadable(1, "not UTF-8")).reaches("block")
