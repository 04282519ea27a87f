import io

import pytest
from rich.console import Console

from llama_mapper.cli.demo_run import Found, Outcome
from llama_mapper.cli.demo_table import controls, labels, risk, show, summary, took


def test_the_worst_label_comes_first_and_the_rest_are_counted() -> None:
    found = tuple(Found(f"L{severity}", severity) for severity in (0, 1, 2, 3, 4))
    assert labels(Outcome("x", found)).plain.splitlines() == ["L4", "L3", "L2", "L1", "and 1 more"]


def test_four_labels_need_no_count() -> None:
    assert "more" not in labels(Outcome("x", tuple(Found("L", 1) for _ in range(4)))).plain


def test_no_label_is_said() -> None:
    assert labels(Outcome("x")).plain == "nothing found"


@pytest.mark.parametrize(
    ("score", "bar"),
    [(None, "-"), (0.0, "░░░░░░░░   0"), (0.4, "█░░░░░░░   0"), (50.0, "████░░░░  50"), (100.0, "████████ 100")],
)
def test_risk_is_a_bar_that_is_empty_at_zero_alone(score: float | None, bar: str) -> None:
    assert risk(Outcome("x", risk_score=score)).plain == bar


def test_controls_are_grouped_by_framework_under_its_usual_name() -> None:
    outcome = Outcome(
        "x", controls=(("soc2", "CC6.1"), ("gdpr", "Art. 32"), ("soc2", "CC6.7"), ("soc2", "P6.1"), ("own", "1"))
    )
    assert controls(outcome, 2).plain.splitlines() == ["SOC 2 CC6.1, CC6.7 +1", "GDPR Art. 32", "own 1"]
    assert controls(outcome, 1).plain.splitlines()[0] == "SOC 2 CC6.1 +2"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0834, "83 ms"), (0.9994, "999 ms"), (1.0, "1.0 s"), (12.34, "12.3 s")]
)
def test_times_are_short(seconds: float, words: str) -> None:
    assert took(seconds) == words


def test_the_summary_counts_distinct_labels_over_texts_and_reports() -> None:
    content = [
        Outcome("a", (Found("SECRET", 4),), action="block", coverage=1.0, seconds=0.1),
        Outcome("b", action="allow", coverage=0.5, seconds=0.3),
    ]
    reports = [Outcome("c", (Found("SECRET", 4), Found("HARM.Hate", 3)))]
    assert summary(content, reports) == (
        "2 texts and 1 reports · 2 distinct labels · 1 block, 1 allow · median 200 ms · coverage 75%"
    )


def test_the_summary_names_failures() -> None:
    assert summary([Outcome("a", trouble="no answer")], []).endswith("1 FAILED")


def test_both_tables_are_shown_with_the_trouble_in_its_row() -> None:
    text = io.StringIO()
    content = [Outcome("Recipe", action="allow"), Outcome("Mail", trouble="answered 503")]
    show(Console(file=text, width=120), content, [Outcome("Gitleaks", (Found("SECRET", 4),))])
    assert all(word in text.getvalue() for word in ("Recipe", "answered 503", "Gitleaks", "SECRET"))
