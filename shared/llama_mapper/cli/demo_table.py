"""Show the demo's outcomes as a table, and what they add up to."""

import statistics
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .demo_run import Outcome

SEVERITY_COLOURS = ("dim", "cyan", "yellow", "dark_orange", "bold red")
ACTION_COLOURS = {
    "allow": "green",
    "flag": "yellow",
    "redact": "dark_orange",
    "human_review": "magenta",
    "block": "red",
}
LEVEL_COLOURS = {"none": "green", "low": "cyan", "medium": "yellow", "high": "dark_orange", "critical": "red"}
BAR_CELLS = 8
FRAMEWORK_NAMES = {"soc2": "SOC 2", "iso27001": "ISO 27001", "hipaa": "HIPAA", "gdpr": "GDPR"}
LABELS_SHOWN, FRAMEWORKS_SHOWN = 4, 4
FITS_LABELS, FITS_TWO_CONTROLS = 112, 140
"""Columns of the terminal from which labels are never broken, and two controls of each framework stand in a line."""


def table(title: str, outcomes: Sequence[Outcome], *, decided: bool, width: int = FITS_LABELS) -> Table:
    """Return one row an outcome; *decided* adds the column of decisions."""
    result = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    result.add_column("example", max_width=20)
    result.add_column("canonical labels", min_width=24, overflow="fold", no_wrap=width >= FITS_LABELS)
    if decided:
        result.add_column("decision", no_wrap=True)
    result.add_column("risk", no_wrap=True)
    result.add_column("controls", overflow="fold")
    result.add_column("time", justify="right", no_wrap=True)
    for outcome in outcomes:
        decision = [Text(outcome.action, style=ACTION_COLOURS.get(outcome.action, ""))] if decided else []
        found = Text(outcome.trouble, style="red") if outcome.trouble else labels(outcome)
        cells = [
            Text(outcome.name),
            found,
            *decision,
            risk(outcome),
            controls(outcome, 2 if width >= FITS_TWO_CONTROLS else 1),
            Text(took(outcome.seconds)),
        ]
        result.add_row(*cells)
    return result


def labels(outcome: Outcome) -> Text:
    """The labels, worst first, coloured by severity."""
    if not outcome.found:
        return Text("nothing found", style="dim")
    worst_first = sorted(outcome.found, key=lambda found: -found.severity)
    lines = [Text(f.label, style=SEVERITY_COLOURS[max(0, min(f.severity, 4))]) for f in worst_first[:LABELS_SHOWN]]
    if more := len(worst_first) - LABELS_SHOWN:
        lines += [Text(f"and {more} more", style="dim")] if more > 0 else []
    return Text("\n").join(lines)


def risk(outcome: Outcome) -> Text:
    """A small bar and the score out of 100."""
    if outcome.risk_score is None:
        return Text("-", style="dim")
    full = round(outcome.risk_score / 100 * BAR_CELLS)
    if outcome.risk_score > 0:
        full = max(full, 1)
    colour = LEVEL_COLOURS.get(outcome.risk_level, "")
    return Text.assemble(
        ("█" * full, colour), ("░" * (BAR_CELLS - full), "dim"), (f" {outcome.risk_score:3.0f}", colour)
    )


def controls(outcome: Outcome, each: int = 2) -> Text:
    """The first *each* controls of each framework, and how many more there are."""
    by_framework: dict[str, list[str]] = {}
    for framework, control in outcome.controls:
        by_framework.setdefault(framework, []).append(control)
    if not by_framework:
        return Text("-", style="dim")
    lines = []
    for framework, names in list(by_framework.items())[:FRAMEWORKS_SHOWN]:
        more = f" +{len(names) - each}" if len(names) > each else ""
        name = FRAMEWORK_NAMES.get(framework, framework)
        lines.append(Text.assemble((f"{name} ", "dim"), ", ".join(names[:each]), (more, "dim")))
    return Text("\n").join(lines)


def took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def summary(content: Sequence[Outcome], reports: Sequence[Outcome]) -> str:
    """One line: requests, labels, decisions, median time, coverage."""
    answered = [outcome for outcome in content if not outcome.trouble]
    distinct = {found.label for outcome in (*content, *reports) for found in outcome.found}
    actions = Counter(outcome.action for outcome in answered)
    parts = [f"{len(content)} texts and {len(reports)} reports", f"{len(distinct)} distinct labels"]
    if actions:
        parts.append(", ".join(f"{count} {action}" for action, count in actions.most_common()))
        parts.append(f"median {took(statistics.median(outcome.seconds for outcome in answered))}")
    if judged := [outcome.coverage for outcome in answered if outcome.coverage is not None]:
        parts.append(f"coverage {statistics.fmean(judged):.0%}")
    if failed := sum(1 for outcome in (*content, *reports) if outcome.trouble):
        parts.append(f"{failed} FAILED")
    return " · ".join(parts)


def show(console: Console, content: Sequence[Outcome], reports: Sequence[Outcome]) -> None:
    """Print both tables and the summary."""
    console.print(table("Texts sent to orchestrate", content, decided=True, width=console.width))
    console.print(
        table(
            "Findings of other vendors, sent to the broker as CloudEvents", reports, decided=False, width=console.width
        )
    )
    console.print(Text(summary(content, reports), style="bold"), soft_wrap=True)
