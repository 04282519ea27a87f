"""`llama-mapper costs`: what the model cost a tenant, and which shares of its budget that passed."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .refusing import in_plain_words
from .run import RunDir

if TYPE_CHECKING:
    from llama_mapper.contracts.costs import BudgetAlert, Cost, Costs

app = typer.Typer()

Tenant = Annotated[str, typer.Option(help="Whose rows to read.")]
Url = Annotated[str | None, typer.Option(help="Where record answers; else where the local run has it.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def costs(
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = 30,
    by: Annotated[Literal["tenant", "vendor", "day", "request"], typer.Option(help="What to sum by.")] = "day",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many lines.")] = 31,
    tenant: Tenant = "demo",
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Show what the model took and cost, and the budget thresholds that were passed.

    Rules and the cache cost nothing: they are mappings for which the model was not asked.

    Example: llama-mapper costs --by vendor --days 7
    """
    params = {"days": str(days), "by": by, "limit": str(limit)}
    with in_plain_words():
        content = ask_record("/api/v1/costs", params, tenant, url, run_dir)
    if json:
        typer.echo(content)
        return
    from llama_mapper.contracts.costs import Costs

    _show(Costs.model_validate_json(content))


def ask_record(path: str, params: dict[str, str], tenant: str, url: str | None, run_dir: Path | None) -> str:
    """Return record's answer to a question of *tenant*, as JSON.

    Raises:
        ServiceRefused: record does not answer, or answers with a problem.
    """
    import asyncio

    from .services import Services, running

    async def ask() -> str:
        async with Services(tenant) as services:
            base = (url or running("record", run_dir)).rstrip("/")
            return (await services.ask("GET", base + path, params=params)).text

    return asyncio.run(ask())


def _show(found: "Costs") -> None:
    from rich.console import Console
    from rich.table import Table

    if not found.costs:
        typer.echo(f"no mappings in {found.days} days")
    else:
        table = Table(box=None, pad_edge=False)
        table.add_column(found.by, overflow="fold")
        for heading in ("mappings", "by model", "tokens in", "tokens out", "seconds", "dollars"):
            table.add_column(heading, justify="right", no_wrap=True)
        for cost in found.costs:
            table.add_row(*_cells(cost))
        if len(found.costs) > 1:
            table.add_section()
            table.add_row(*_cells(found.total.model_copy(update={"name": "total"})), style="bold")
        Console().print(table)
    for line in alert_lines(found.alerts):
        typer.echo(line)


def _cells(cost: "Cost") -> tuple[str, ...]:
    counts = (cost.mappings, cost.asked, cost.prompt_tokens, cost.completion_tokens)
    return (
        cost.name,
        *(f"{count:,}" for count in counts),
        f"{cost.compute_seconds:.1f}",
        dollars(cost.cost_microdollars),
    )


def dollars(microdollars: float) -> str:
    """Return an amount, to the millionth where it is below a dollar."""
    amount = microdollars / 1_000_000
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.6f}"


def alert_lines(alerts: "Iterable[BudgetAlert]") -> list[str]:
    """One line for each threshold that was passed."""
    return [
        f"{alert.month}: {alert.threshold_percent} % of {dollars(alert.budget_microdollars)} dollars passed on"
        f" {alert.occurred_at:%Y-%m-%d}"
        + ("; rules answer alone" if alert.threshold_percent >= alert.emergency_percent else "")
        for alert in alerts
    ]
