"""`llama-mapper evaluate`: measure what runs here on labelled data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from . import evaluate_mapper
from .refusing import MISUSED, refuse
from .rooms import open_rooms

app = typer.Typer(help="Measure what runs here on labelled data.", no_args_is_help=True)
app.command("mapper")(evaluate_mapper.mapper)


@app.command()
def detectors(
    data: Annotated[Path, typer.Option(help="Folder with the labelled texts (JSON lines).")],
    only: Annotated[list[str] | None, typer.Option(help="A detector to measure; may be given again.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the figures as JSON too.")] = None,
) -> None:
    """Recall per kind of personal data, AUC on harm, false positives on benign texts.

    Takes a few minutes for all detectors. The figures hold no text.

    Example: llama-mapper evaluate detectors --data DATA --only presidio -o detectors.json
    """
    open_rooms()
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from functions.detect.discovery import discover
    from functions.detect.evaluation import evaluate
    from functions.detect.settings import Settings

    known = {detector.name: detector for detector in discover(Settings())}
    if unknown := [name for name in only or () if name not in known]:
        refuse(f"no detector {unknown[0]}; there are {', '.join(known)}", MISUSED)
    chosen = [known[name] for name in only or known]
    columns = (TextColumn("{task.description:48}"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            task = tasks.get(what)
            if task is None:
                task = tasks[what] = bars.add_task(what, total=total)
            bars.update(task, completed=done)

        try:
            report = evaluate(chosen, data, progress)
        except FileNotFoundError:
            refuse(f"{data} has none of the labelled files", MISUSED)
    typer.echo(report.table())
    if output:
        output.write_text(json.dumps(report.model_dump(mode="json"), indent=1) + "\n", "utf-8")
        typer.echo(f"figures in {output}", err=True)
