"""What a person sees while the system starts: a live table on a terminal, plain lines anywhere else."""

import time

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from llama_mapper.local.state import PartState, RunState

MARKS = {
    "waiting": ("·", "dim"),
    "ready": ("✓", "green"),
    "absent": ("–", "dim"),
    "failed": ("✗", "red"),
    "restarting": ("↻", "yellow"),
    "stopped": ("·", "dim"),
}
PAGES = (("orchestrate", "HTTP API"), ("console", "web console"), ("broker", "CloudEvents"))


class PlainScreen:
    """One line for each thing that happens; for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, str] = {}

    def changed(self, part: PartState) -> None:
        if self._states.get(part.name) != part.state and part.state in ("starting", "ready", "stopped"):
            took = f" after {part.ready_seconds:.1f} s" if part.ready_seconds is not None else ""
            self._line(f"{part.name}: {part.state}{took if part.state == 'ready' else ''}")
        self._states[part.name] = part.state

    def watch(self, run: RunState) -> None:
        for part in run.parts:
            self.changed(part)

    def say(self, line: str) -> None:
        self._line(line)

    def up(self, run: RunState) -> None:
        for line in what_next(run):
            self._line(line)

    def stopping(self) -> None:
        self._line("stopping")

    def close(self) -> None:
        """Nothing is open."""

    def _line(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveScreen:
    """A table that follows the start; plain lines once all is up."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parts: dict[str, PartState] = {}
        # The refresh thread turns the spinners; what it draws is made by _table.
        self._live: Live | None = Live(get_renderable=self._table, console=console, refresh_per_second=8)

    def changed(self, part: PartState) -> None:
        self._parts[part.name] = part
        if self._live is not None and not self._live.is_started:
            self._live.start()

    def watch(self, run: RunState) -> None:
        for part in run.parts:
            self.changed(part)

    def say(self, line: str) -> None:
        self._console.print(Text(line, style="yellow"), soft_wrap=True)

    def up(self, run: RunState) -> None:
        self.watch(run)
        self.close()
        self._console.print()
        for line in what_next(run):
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def stopping(self) -> None:
        self.close()
        self._console.print("stopping …", style="dim")

    def close(self) -> None:
        """End the live display; what it shows stays."""
        live, self._live = self._live, None
        if live is not None and live.is_started:
            live.stop()

    def _table(self) -> Table:
        return starting_table(tuple(self._parts.values()), time.time())


def starting_table(parts: tuple[PartState, ...], now: float) -> Table:
    """Return one row a part: mark, name, port, what it is doing and for how long."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for part in parts:
        mark, colour = MARKS.get(part.state, ("", "yellow"))
        sign = Text(mark, style=colour) if mark else Spinner("dots", style=colour)
        table.add_row(sign, part.name, Text(f":{part.port}", style="dim"), Text(_doing(part, now), style=colour))
    return table


def _doing(part: PartState, now: float) -> str:
    if part.state == "ready" and part.ready_seconds is not None:
        return f"ready after {part.ready_seconds:.1f} s"
    if part.state == "starting" and part.since is not None:
        return f"starting, {max(now - part.since, 0):.1f} s"
    return f"{part.state}: {part.note}" if part.note else part.state


def what_next(run: RunState) -> list[str]:
    """Return the addresses and three things to try."""
    there = {part.name: part.port for part in run.parts if part.state == "ready"}
    base = f"http://127.0.0.1:{there.get('orchestrate', 8000)}"
    seconds = max((part.since or run.started) + (part.ready_seconds or 0) for part in run.parts) - run.started
    lines = [f"Everything is up after {seconds:.1f} s."]
    lines += [f"  {title:<12} http://127.0.0.1:{there[name]}" for name, title in PAGES if name in there]
    body = '{"content": "Mail me at ada@example.org"}'
    return [
        *lines,
        "Try:",
        "  llama-mapper demo",
        "  echo 'Mail me at ada@example.org' | llama-mapper scan -",
        f"  curl -s {base}/api/v1/orchestrate -H 'Content-Type: application/json' -H 'X-Tenant-ID: demo' -d '{body}'",
    ]


def screen(console: Console | None = None) -> PlainScreen | LiveScreen:
    """The screen that fits where the output goes."""
    out = console or Console()
    return LiveScreen(out) if out.is_terminal else PlainScreen(out)
