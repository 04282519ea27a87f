"""Canaries as tables, as JSON, as YAML, and as they change."""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from llama_mapper.cluster.errors import Stale

if TYPE_CHECKING:
    from llama_mapper.cluster.api import Cluster
    from llama_mapper.contracts.canaries import Canary

COLUMNS = ("NAME", "SERVICE", "STEP", "PERCENT", "PHASE", "VERDICT", "REASON", "CALLS", "AGE")
_COLOURS = {"Promoted": "green", "RolledBack": "red", "Progressing": "yellow"}
WATCHED_SECONDS = 60
"""For so long one watch is asked for; then the next begins where it ended."""


def show(canaries: "Sequence[Canary]", output: str, *, details: bool = False) -> None:
    """Print on stdout."""
    if output == "table":
        Console().print(tables(canaries, details=details))
        return
    bodies = [_body(canary) for canary in canaries]
    said: Any = bodies[0] if details and bodies else bodies
    if output == "json":
        typer.echo(json.dumps(said, indent=2))
        return
    import yaml

    typer.echo(yaml.safe_dump(said, sort_keys=False).rstrip())


def tables(canaries: "Sequence[Canary]", *, details: bool = False) -> RenderableType:
    if not canaries:
        return Text("no Canary here; `llama-mapper canary start` makes one")
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in ("STEP", "PERCENT") else "left", overflow="fold")
    for canary in canaries:
        table.add_row(*_row(canary))
    if not details:
        return table
    return Group(table, *(_details(canary) for canary in canaries))


def _row(canary: "Canary") -> tuple[str | Text, ...]:
    status, verdict = canary.status, canary.status.last_verdict
    calls = verdict.calls if verdict else None
    return (
        canary.name,
        canary.spec.inference_service,
        str(status.step),
        str(status.percent),
        Text(status.phase, _COLOURS.get(status.phase, "")),
        verdict.decision if verdict else "–",
        verdict.reason if verdict else "–",
        f"{calls.candidate:,} of {calls.candidate + calls.stable:,}" if calls else "–",
        _age(canary.created_at),
    )


def _details(canary: "Canary") -> RenderableType:
    spec, status = canary.spec, canary.status
    told = [spec.mode, *(["paused"] if spec.paused else []), *([f"{spec.override} asked"] if spec.override else [])]
    lines = [
        "",
        f"candidate  {spec.storage_uri}  {status.revisions.candidate if status.revisions else ''}".rstrip(),
        f"stable     {spec.stable_storage_uri or '–'}  {status.revisions.stable if status.revisions else ''}".rstrip(),
        f"mode       {', '.join(told)}",
    ]
    if status.golden:
        failed = ", ".join(status.golden.gates_failed) or "none"
        lines.append(f"golden     {status.golden.evaluation_id}: failed {failed}")
    lines += [f"{one.type:<11}{one.status:<6} {one.reason}  {one.message}".rstrip() for one in status.conditions]
    if status.last_verdict:
        lines += ["", *(f"  {reason}" for reason in status.last_verdict.reasons)]
    return Text("\n".join(lines))


def _body(canary: "Canary") -> dict[str, Any]:
    meta = {"name": canary.name, "namespace": canary.namespace}
    return meta | {"spec": canary.spec.manifest(), "status": canary.status.manifest()}


def _age(since: datetime) -> str:
    seconds = int((datetime.now(UTC) - since).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


def live(cluster: "Cluster", seconds: int | None) -> None:
    """Show all canaries until the time is over or a person stops it; each change redraws."""
    end = time.monotonic() + seconds if seconds else float("inf")
    with Live(console=Console(), auto_refresh=False) as shown:
        while (left := end - time.monotonic()) > 0:
            listed, since = cluster.listed()
            known = {canary.name: canary for canary in listed}
            shown.update(tables(_sorted(known.values())), refresh=True)
            try:
                for kind, canary in cluster.watch(since, max(1, int(min(left, WATCHED_SECONDS)))):
                    if kind == "DELETED":
                        known.pop(canary.name, None)
                    else:
                        known[canary.name] = canary
                    shown.update(tables(_sorted(known.values())), refresh=True)
            except Stale:  # what it began from is forgotten: list again
                continue


def _sorted(canaries: "Iterable[Canary]") -> "list[Canary]":
    return sorted(canaries, key=lambda canary: canary.name)
