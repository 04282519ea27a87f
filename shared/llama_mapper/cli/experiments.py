"""`llama-mapper experiments`: adapter versions side by side."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from .costs import Json, Tenant, Url, ask_record
from .refusing import in_plain_words
from .run import RunDir

if TYPE_CHECKING:
    from llama_mapper.contracts.experiments import AdapterReport, Agreement, Estimate, Experiments, Measure

app = typer.Typer(help="Adapter versions of the mapper's model, side by side.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `experiments` a group although it has one command."""


@app.command()
def report(
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = 7,
    control: Annotated[str | None, typer.Option(help="The version to compare with; else the oldest.")] = None,
    tenant: Tenant = "demo",
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Compare the adapter versions that answered: agreement, confidence, failures, latency, tokens and cost.

    In brackets the 95 % confidence interval; Δ is the difference from the control, with its own.

    Example: llama-mapper experiments report --days 14 --control smollm2-hard.1
    """
    params = {"days": str(days)} | ({"control": control} if control else {})
    with in_plain_words():
        content = ask_record("/api/v1/experiments", params, tenant, url, run_dir)
    if json:
        typer.echo(content)
        return
    from llama_mapper.contracts.experiments import Experiments

    _show(Experiments.model_validate_json(content))


def _show(found: "Experiments") -> None:
    from rich.console import Console
    from rich.table import Table

    if not found.adapters:
        typer.echo(f"no adapter answered in {found.days} days")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for adapter in found.adapters:
        table.add_column(adapter.adapter + (" (control)" if adapter.control else ""), justify="right", overflow="fold")
    for name, cell in LINES:
        table.add_row(name, *(cell(adapter) for adapter in found.adapters))
    Console().print(table)


def percent(estimate: "Estimate") -> str:
    return _shown(estimate, 100, 1, " %")


def _plain(digits: int) -> "Callable[[Estimate], str]":
    return lambda estimate: _shown(estimate, 1, digits, "")


def _shown(estimate: "Estimate", times: float, digits: int, unit: str) -> str:
    """``value [low, high]``; a dash for what too few observations cannot say."""
    if estimate.value is None:
        return "–"
    low, high = ("–" if end is None else f"{end * times:.{digits}f}" for end in (estimate.low, estimate.high))
    bounds = "" if estimate.low is None and estimate.high is None else f" [{low}, {high}]"
    return f"{estimate.value * times:.{digits}f}{unit}{bounds}"


def _agreement(agreement: "Agreement | None") -> str:
    if agreement is None or not agreement.labels:
        return "–"
    return f"{percent(agreement.share)} of {agreement.labels:,}"


def _mean(of: "Callable[[AdapterReport], Measure]", digits: int) -> "Callable[[AdapterReport], str]":
    return lambda adapter: _plain(digits)(of(adapter).mean)


def _difference(of: "Callable[[AdapterReport], Measure]", digits: int) -> "Callable[[AdapterReport], str]":
    def cell(adapter: "AdapterReport") -> str:
        difference = of(adapter).difference
        return "" if difference is None else _plain(digits)(difference)

    return cell


LINES: "tuple[tuple[str, Callable[[AdapterReport], str]], ...]" = (
    ("labels", lambda adapter: f"{adapter.labels:,}"),
    ("mappings", lambda adapter: f"{adapter.mappings:,}"),
    ("model asked", lambda adapter: f"{adapter.calls:,}"),
    ("no answer", lambda adapter: percent(adapter.failed)),
    ("abstained", lambda adapter: percent(adapter.abstained)),
    ("agrees with control", lambda adapter: _agreement(adapter.agreement)),
    ("agrees with later rules", lambda adapter: _agreement(adapter.rules)),
    ("confidence", _mean(lambda adapter: adapter.confidence, 3)),
    ("  Δ", _difference(lambda adapter: adapter.confidence, 3)),
    ("latency p50, ms", lambda adapter: _plain(0)(adapter.latency_p50_ms)),
    ("latency p95, ms", lambda adapter: _plain(0)(adapter.latency_p95_ms)),
    ("latency mean, ms", _mean(lambda adapter: adapter.latency_ms, 0)),
    ("  Δ", _difference(lambda adapter: adapter.latency_ms, 0)),
    ("tokens an answer", _mean(lambda adapter: adapter.tokens, 1)),
    ("  Δ", _difference(lambda adapter: adapter.tokens, 1)),
    ("micro-dollars an answer", _mean(lambda adapter: adapter.cost_microdollars, 2)),
    ("  Δ", _difference(lambda adapter: adapter.cost_microdollars, 2)),
)
