"""`llama-mapper patterns`: what the rows of the last days show against the weeks before them."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from datetime import timedelta

    from llama_mapper.contracts.patterns import PatternFinding, PatternsResponse

app = typer.Typer()

Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="temporal, frequency, correlation or anomaly; all unless named.")
]
Labels = Annotated[list[str] | None, typer.Option("--label", help="Only this canonical label; may be repeated.")]
Detectors = Annotated[list[str] | None, typer.Option("--detector", help="Only this detector; may be repeated.")]

MAX_DAYS = 31
SECONDS = 120.0


@app.command()
def patterns(
    last: Annotated[str, typer.Option(help="How far back: hours or days, 12h or 7d, at most 31d.")] = "7d",
    kind: Kinds = None,
    label: Labels = None,
    detector: Detectors = None,
    tenant: Annotated[str, typer.Option(help="Whose rows to look at.")] = "demo",
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    url: Annotated[str | None, typer.Option(help="Where analyze answers; else where the local run has it.")] = None,
    run_dir: RunDir = None,
) -> None:
    """Show bursts, changes, unusual rates, seasons, links and anomalies, each with how sure it is.

    The period is compared with the four weeks before it; with less than a week of those nothing is tested.

    Example: llama-mapper patterns --last 7d --kind temporal --kind frequency
    """
    import asyncio
    from datetime import UTC, datetime

    from .services import Services, running

    end = datetime.now(UTC).replace(microsecond=0)
    body: dict[str, object] = {"period": {"start": (end - _span(last)).isoformat(), "end": end.isoformat()}}
    body |= {name: told for name, told in (("kinds", kind), ("labels", label), ("detectors", detector)) if told}

    async def ask() -> str:
        async with Services(tenant, timeout_seconds=SECONDS) as services:
            base = (url or running("analyze", run_dir)).rstrip("/")
            return (await services.ask("POST", base + "/api/v1/patterns", json=body)).text

    with in_plain_words():
        content = asyncio.run(ask())
    if json:
        typer.echo(content)
        return
    from llama_mapper.contracts.patterns import PatternsResponse

    _show(PatternsResponse.model_validate_json(content))


def _span(text: str) -> "timedelta":
    from datetime import timedelta

    told = re.fullmatch(r"([1-9][0-9]{0,3})([hd])", text)
    if told is None:
        refuse("--last is a number of hours or days: 12h, 7d", MISUSED)
    span = timedelta(**{"hours" if told[2] == "h" else "days": int(told[1])})
    if span > timedelta(days=MAX_DAYS):
        refuse(f"--last is at most {MAX_DAYS}d", MISUSED)
    return span


def _show(found: "PatternsResponse") -> None:
    from rich.console import Console
    from rich.table import Table

    left_out = f", {found.series_left_out} rarer ones left out" if found.series_left_out else ""
    typer.echo(f"{found.series_tested} series tested{left_out}, {len(found.patterns)} patterns")
    if not found.patterns:
        if not found.series_tested:
            typer.echo("too little is kept to test anything: a week of rows before the period is the least")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "what it says"):
        table.add_column(heading, overflow="fold")
    for heading in ("effect", "interval", "q"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found.patterns:
        table.add_row(one.kind, one.explanation, f"{one.effect_size:.2f}", _interval(one), _chance(one.q_value))
    Console().print(table)


def _interval(one: "PatternFinding") -> str:
    high = "" if one.interval.high is None else f"{one.interval.high:.2f}"
    return f"{one.interval.low:.2f}–{high}"


def _chance(q: float | None) -> str:
    if q is None:
        return ""
    return "<0.0001" if q < 0.0001 else f"{q:.4f}"
