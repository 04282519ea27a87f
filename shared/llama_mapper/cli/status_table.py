"""What `llama-mapper status` shows."""

import json
import time

from rich.console import Console
from rich.table import Table

from llama_mapper.local.processes import resident_bytes
from llama_mapper.local.state import PartState, RunState

COLOURS = {"ready": "green", "starting": "yellow", "restarting": "yellow", "failed": "red", "absent": "dim"}


def as_json(run: RunState, now: float | None = None) -> str:
    """Return the run as JSON: the state file's fields, memory in bytes and uptime in seconds for each part."""
    moment = time.time() if now is None else now
    parts = [
        {**part.model_dump(), "memory_bytes": _memory(part), "uptime_seconds": _uptime(part, moment)}
        for part in run.parts
    ]
    document = {**run.model_dump(exclude={"parts"}), "running": True, "parts": parts}
    return json.dumps(document, indent=2)


def show(run: RunState, console: Console | None = None, now: float | None = None) -> None:
    """Print the table."""
    moment = time.time() if now is None else now
    out = console or Console()
    out.print(table(run, moment))
    total = sum(_memory(part) or 0 for part in run.parts)
    out.print(f"{run.phase}, process {run.pid}, {megabytes(total)} in all")


def table(run: RunState, now: float) -> Table:
    result = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("part", "state"):
        result.add_column(heading)
    for heading in ("port", "pid", "memory", "uptime", "restarts"):
        result.add_column(heading, justify="right")
    result.add_column("")
    for part in run.parts:
        colour = COLOURS.get(part.state, "default")
        result.add_row(
            part.name,
            f"[{colour}]{part.state}[/]",
            str(part.port),
            str(part.pid or "-"),
            megabytes(_memory(part)),
            duration(_uptime(part, now)),
            str(part.restarts or "-"),
            part.note,
        )
    return result


def _memory(part: PartState) -> int | None:
    return resident_bytes(part.pid) if part.pid else None


def _uptime(part: PartState, now: float) -> float | None:
    return round(now - part.since, 1) if part.pid and part.since else None


def megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 1_000_000:.0f} MB"


def duration(seconds: float | None) -> str:
    """Word *seconds* with its two largest units."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
