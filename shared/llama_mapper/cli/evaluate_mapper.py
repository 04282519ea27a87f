"""`llama-mapper evaluate mapper`: the benchmark of vendors never seen, measured again."""

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .refusing import MISUSED, in_plain_words, refuse
from .rooms import open_rooms

if TYPE_CHECKING:
    from mapper_training.golden import Case
    from mapper_training.score import Watch

    from .evaluate_report import Report
    from .evaluate_running import Running

GATE_FAILED = 3
"""Exit status with ``--gate`` where a figure misses its bound."""

Kind = Literal["unknown", "told"]


def mapper(
    experiment: Annotated[
        str | None,
        typer.Argument(help="A folder of inference-services/mapper/experiments; the served one unless given."),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="Whether the mapper is told what the detector is for.")] = "unknown",
    baselines_only: Annotated[bool, typer.Option(help="Leave the models out; nothing of theirs is needed.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for result.json, result.md and pictures.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="A running mapper to measure too: answers, speed, cost.")] = None,
    answers: Annotated[int, typer.Option(min=1, help="How many golden words to send to --url.")] = 300,
    tenant: Annotated[str, typer.Option(help="Who pays for the answers of --url.")] = "demo",
    gate: Annotated[
        bool, typer.Option("--gate", help=f"Exit with {GATE_FAILED} where a figure misses its bound.")
    ] = False,
    sink: Annotated[
        str | None, typer.Option(envvar="K_SINK", help="A broker's ingress to tell: the canary gate listens.")
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(help="What the Canary calls this experiment's adapter, for --sink.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Accuracy on vendors never seen: every golden word with its vendor's family left out, for every system.

    What the folds' models said is kept with the experiment, so no model is needed; takes a few minutes.

    Example: llama-mapper evaluate mapper -o report --url http://127.0.0.1:8002
    """
    root = open_rooms()
    from llama_mapper.local.layout import EXPERIMENT
    from mapper_training.gates import gates

    from . import evaluate_report as reporting

    name = experiment or EXPERIMENT
    _known(name)
    with _refusing(name):
        result, cases = _measure(root, name, baselines_only)
        running = _ask_running(url, cases, answers, tenant, kind == "told") if url else None
    measured = result["systems"][f"kind_{kind}"][result["served"]]
    report = reporting.Report(
        experiment=name,
        kind=kind,
        result=result,
        golden=reporting.golden_set(cases),
        gates=gates(measured, running.schema_valid if running else None),
        running=running,
    )
    if output:
        _write(report, output)
    if json:
        typer.echo(report.as_json())
    else:
        reporting.show(report)
    if sink:
        _tell(report, adapter, sink)
    if gate and not all(one.passed for one in report.gates):
        raise typer.Exit(GATE_FAILED)


def _tell(report: "Report", adapter: str | None, sink: str) -> None:
    from llama_mapper.contracts.problems import Problem

    from .evaluate_event import completed, send

    event = completed(report, adapter)
    try:
        send(event, sink)
    except Problem as problem:
        refuse(problem.detail)
    typer.echo(f"{sink} has been told of evaluation {event.evaluation_id}", err=True)


def _known(name: str) -> None:
    from mapper_training.setting import EXPERIMENTS

    names = sorted(path.parent.name for path in EXPERIMENTS.glob("*/training.json"))
    if name not in names:
        refuse(f"no experiment {name}; there are {', '.join(names)}", MISUSED)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    from mapper_training.asking import NoAnswers
    from mapper_training.plan import CannotTrain

    try:
        with in_plain_words():
            yield
    except CannotTrain as error:
        refuse(str(error))
    except NoAnswers as error:
        train = f"for each FOLD of 0 to 4 `llama-mapper train mapper {name} --fold FOLD`"
        score = f"`.venv-model/bin/python -m mapper_training.score {name}`, which needs what `make model` installs"
        refuse(f"{error}. Run {train}, then {score}; or leave the models out with --baselines-only")


def _measure(root: Path, name: str, baselines_only: bool) -> "tuple[dict[str, Any], tuple[Case, ...]]":
    """Return the whole result and the golden cases it is about."""
    from mapper_training.asking import keeps_zero_shot
    from mapper_training.golden import read_cases
    from mapper_training.score import experiment
    from mapper_training.setting import EXPERIMENTS, GOLDEN
    from mapper_training.split import FOLDS

    folds = list(range(FOLDS))
    zero_shot = keeps_zero_shot(EXPERIMENTS / name, folds)
    # Vectors and trained adapters are looked for below the checkout's root.
    with chdir(root), _progress() as watch:
        result = experiment(name, folds, not baselines_only, zero_shot, os.cpu_count() or 1, watch)
    return result, read_cases(GOLDEN)


def _ask_running(url: str, cases: "tuple[Case, ...]", answers: int, tenant: str, kind_told: bool) -> "Running":
    import asyncio

    from .evaluate_running import measure
    from .services import Services

    async def ask() -> "Running":
        async with Services(tenant, connections=1) as services:
            with _progress() as watch:
                return await measure(services, url, cases, answers, kind_told, watch)

    return asyncio.run(ask())


@contextmanager
def _progress() -> "Iterator[Watch]":
    """A bar on stderr; what comes next as a line each, where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        said = ""

        def watch(what: str, done: int, total: int) -> None:
            nonlocal said
            bar.update(task, description=what, completed=done, total=total)
            if what != said and not console.is_terminal:
                console.print(f"{done} of {total}: {what}", highlight=False, soft_wrap=True)
            said = what

        yield watch


def _write(report: "Report", folder: Path) -> None:
    from . import evaluate_pictures as pictures

    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = pictures.draw(report, folder)
        (folder / "result.json").write_text(report.as_json() + "\n", "utf-8")
        (folder / "result.md").write_text(report.markdown(made), "utf-8")
    except OSError as error:
        refuse(f"cannot write into {folder}: {error.strerror}")
    typer.echo(f"result.json, result.md, {', '.join(path.name for path in made)} in {folder}", err=True)
