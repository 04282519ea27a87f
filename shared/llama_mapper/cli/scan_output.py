"""Write a scan's results as a table, JSON, JSON lines or CSV; never what was scanned, unless asked to."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .demo_table import ACTION_COLOURS, LEVEL_COLOURS, SEVERITY_COLOURS
from .scan_input import Unreadable
from .scan_run import ACTIONS, Result, Verdict

Format = Literal["table", "json", "jsonl", "csv"]
ROWS_SHOWN = 50
COLUMNS = ("line", "action", "risk_score", "risk_level", "coverage", "labels", "parts", "excerpt", "error")


@dataclass(slots=True)
class Tally:
    """Counts over all results so far."""

    scanned: int = 0
    unread: int = 0
    cut: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        if isinstance(result, Unreadable):
            self.unread += 1
            return
        self.scanned += 1
        self.cut += result.parts > 1
        self.actions[result.action] += 1
        self.labels.update(found.label for found in result.labels)

    def reaches(self, action: str) -> bool:
        """Whether a text got *action* or a stricter one, or could not be judged."""
        strict = ACTIONS[ACTIONS.index(action) :]
        return self.unread > 0 or any(self.actions[one] for one in strict)

    def as_record(self) -> dict[str, Any]:
        counts = {"scanned": self.scanned, "unread": self.unread, "cut": self.cut}
        return {**counts, "actions": dict(self.actions), "labels": dict(self.labels)}

    def line(self) -> str:
        """One line for a person."""
        actions = ", ".join(f"{self.actions[one]} {one}" for one in reversed(ACTIONS) if self.actions[one])
        unread = f" · {self.unread} not scanned" if self.unread else ""
        return f"{self.scanned} scanned{': ' + actions if actions else ''}{unread}"


def as_record(result: Result) -> dict[str, Any]:
    """Return the fields of one result, for JSON; ``excerpt`` only where there is one."""
    if isinstance(result, Unreadable):
        return {"line": result.line, "error": result.why}
    record = asdict(result)
    del record["size"]
    if not result.excerpt:
        del record["excerpt"]
    return record


class Writer(Protocol):
    """Takes the results one by one."""

    def add(self, result: Result) -> None: ...

    def finish(self, tally: Tally) -> None: ...


class JsonLines:
    """One object a line, as results come; the summary is not data and is left to stderr."""

    def add(self, result: Result) -> None:
        sys.stdout.write(json.dumps(as_record(result), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def finish(self, tally: Tally) -> None:
        """Nothing follows the last line."""


class Json:
    """One document: results and summary."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []

    def add(self, result: Result) -> None:
        self._records.append(as_record(result))

    def finish(self, tally: Tally) -> None:
        document = {"results": self._records, "summary": tally.as_record()}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


class Csv:
    """RFC 4180, labels separated by a space."""

    def __init__(self) -> None:
        self._row(COLUMNS)

    def add(self, result: Result) -> None:
        record = as_record(result)
        record["labels"] = " ".join(found["label"] for found in record.get("labels", ()))
        self._row([_not_a_formula(record.get(column, "")) for column in COLUMNS])

    def finish(self, tally: Tally) -> None:
        """Nothing follows the last row."""

    @staticmethod
    def _row(cells: Sequence[object]) -> None:
        line = io.StringIO()
        csv.writer(line).writerow(cells)
        sys.stdout.write(line.getvalue())


def _not_a_formula(cell: object) -> object:
    """A spreadsheet would run a text that begins so; an apostrophe makes it a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


class Screen:
    """A table of what was found, and the counts for each label."""

    def __init__(self, console: Console, show: bool = False) -> None:
        self._console = console
        self._show = show
        self._rows: list[Verdict] = []
        self._hidden = 0

    def add(self, result: Result) -> None:
        if isinstance(result, Verdict) and (result.labels or result.action != "allow"):
            if len(self._rows) < ROWS_SHOWN:
                self._rows.append(result)
            else:
                self._hidden += 1

    def finish(self, tally: Tally) -> None:
        if self._rows:
            self._console.print(results_table(self._rows, self._show))
        if self._hidden:
            self._console.print(f"and {self._hidden} more; --format jsonl shows all", style="dim")
        if tally.labels:
            self._console.print(labels_table(tally))
        self._console.print(tally.line(), style="bold", soft_wrap=True)


def results_table(rows: Sequence[Verdict], show: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("line", justify="right")
    table.add_column("decision", no_wrap=True)
    table.add_column("risk", justify="right")
    table.add_column("canonical labels", overflow="fold")
    if show:
        table.add_column("text", overflow="ellipsis", no_wrap=True, max_width=40)
    for row in rows:
        labels = Text(", ").join(Text(f.label, style=SEVERITY_COLOURS[f.severity]) for f in row.labels)
        score = "-" if row.risk_score is None else f"{row.risk_score:.0f}"
        cells = [
            Text(str(row.line)),
            Text(row.action, style=ACTION_COLOURS.get(row.action, "")),
            Text(score, style=LEVEL_COLOURS.get(row.risk_level, "")),
            labels,
        ]
        table.add_row(*cells, *([Text(row.excerpt)] if show else []))
    return table


def labels_table(tally: Tally) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("label")
    table.add_column("texts", justify="right")
    for label, count in tally.labels.most_common():
        table.add_row(label, str(count))
    return table


def writer(chosen: Format, *, show: bool) -> Writer:
    """The writer for a ``--format``."""
    writers: dict[Format, Callable[[], Writer]] = {
        "table": lambda: Screen(Console(), show),
        "json": Json,
        "jsonl": JsonLines,
        "csv": Csv,
    }
    return writers[chosen]()
