"""`llama-mapper jobs`: contents that are judged later, and their results."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from llama_mapper.client import LlamaMapper
    from llama_mapper.contracts.jobs import Job

app = typer.Typer(help="Contents that are judged later: submit, look, wait, cancel.", no_args_is_help=True)


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


JobIdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `llama-mapper jobs list` shows it.")]
Tenant = Annotated[str, typer.Option(help="In whose name to ask.")]
Url = Annotated[str | None, typer.Option(help="Where orchestrate answers; else where the local run has it.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="LLAMA_MAPPER_API_KEY", help="For a tenant that needs one; better not typed.")
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Seconds = Annotated[float, typer.Option("--timeout", min=1, help="How long to wait, in seconds; the job goes on.")]


@app.command()
def submit(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The text to judge; - reads a pipe.")],
    priority: Annotated[Priority, typer.Option(help="Whose turn it is first.")] = Priority.NORMAL,
    detector: Annotated[list[str] | None, typer.Option("--detector", help="Detector or family; repeatable.")] = None,
    callback: Annotated[str | None, typer.Option(help="https address that is told when the job has ended.")] = None,
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Wait for the end and print what was found.")] = False,
    timeout: Seconds = 300.0,
    tenant: Tenant = "demo",
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Have a text judged later; prints the job's id.

    Example: llama-mapper jobs submit letter.txt --priority low --wait
    """
    content = _read(file)
    with _asking(url, tenant, api_key, run_dir) as mapper:
        chosen = {"detector_types": detector} if detector else {}
        job = mapper.submit(content, callback=callback, priority=priority.value, **chosen)  # type: ignore[arg-type]
        if not wait_for_it:
            typer.echo(job.id)
            return
        _print_end(mapper, _watched(mapper, job.id, timeout))


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100, help="The newest so many.")] = 20,
    json: Json = False,
    tenant: Tenant = "demo",
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Show a tenant's jobs, newest first.

    Example: llama-mapper jobs list --limit 5
    """
    with _asking(url, tenant, api_key, run_dir) as mapper:
        listed = mapper.jobs(limit)
    if json:
        typer.echo(listed.model_dump_json(indent=2))
    elif not listed.jobs:
        typer.echo("no jobs")
    else:
        _print_table(listed.jobs)


@app.command()
def show(
    job_id: JobIdArgument,
    result: Annotated[bool, typer.Option("--result", help="What was found, instead of how far it is.")] = False,
    tenant: Tenant = "demo",
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Show one job, or its result, as JSON.

    Example: llama-mapper jobs show job-019a... --result
    """
    with _asking(url, tenant, api_key, run_dir) as mapper:
        found = mapper.result(job_id) if result else mapper.job(job_id)
    typer.echo(found.model_dump_json(indent=2))


@app.command()
def wait(
    job_id: JobIdArgument,
    timeout: Seconds = 300.0,
    tenant: Tenant = "demo",
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Wait for a job's end and print what was found; ends with 1 where it failed or was cancelled.

    Example: llama-mapper jobs wait job-019a...
    """
    with _asking(url, tenant, api_key, run_dir) as mapper:
        _print_end(mapper, _watched(mapper, job_id, timeout))


@app.command()
def cancel(
    job_id: JobIdArgument,
    tenant: Tenant = "demo",
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Cancel a job that has not ended; its content is forgotten.

    Example: llama-mapper jobs cancel job-019a...
    """
    with _asking(url, tenant, api_key, run_dir) as mapper:
        mapper.cancel(job_id)
    typer.echo(f"{job_id} cancelled")


@contextmanager
def _asking(url: str | None, tenant: str, api_key: str | None, run_dir: Path | None) -> "Iterator[LlamaMapper]":
    from llama_mapper.client import LlamaMapper, LlamaMapperError

    from .services import running

    with in_plain_words():
        where = url or running("orchestrate", run_dir)
        if not where.startswith(("http://", "https://")):
            refuse("--url starts with http:// or https://", MISUSED)
        try:
            with LlamaMapper(where, api_key=api_key, tenant=tenant) as mapper:
                yield mapper
        except LlamaMapperError as error:
            refuse(str(error))


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        refuse(f"{file} cannot be read as text")


def _watched(mapper: "LlamaMapper", job_id: str, seconds: float) -> "Job":
    """Wait, with a bar on stderr where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("queued", total=1.0)
        return mapper.wait(
            job_id,
            timeout_seconds=seconds,
            told=lambda job: bar.update(task, completed=job.progress, description=job.status),
        )


def _print_end(mapper: "LlamaMapper", job: "Job") -> None:
    if job.status == "succeeded":
        typer.echo(mapper.result(job.id).model_dump_json(indent=2))
        return
    typer.echo(f"{job.id} {job.status}{f': {job.problem.detail}' if job.problem else ''}", err=True)
    raise typer.Exit(FAILED)


def _print_table(jobs: "tuple[Job, ...]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("id", "submitted (UTC)", "status", "done", ""):
        table.add_column(heading, overflow="fold")
    for job in jobs:
        problem = job.problem.error_code if job.problem else ""
        table.add_row(job.id, f"{job.created_at:%Y-%m-%d %H:%M:%S}", job.status, f"{job.progress:.0%}", problem)
    Console().print(table)
