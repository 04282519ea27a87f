"""`llama-mapper scan`: a file, or what comes through a pipe, judged text by text."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from .refusing import FAILED, MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from llama_mapper.client import AsyncLlamaMapper
    from llama_mapper.client.streams import StreamOptions

    from .scan_input import Item, Shape, Unreadable
    from .scan_output import Tally, Writer
    from .scan_run import Judge

app = typer.Typer()

JSON_LINES = frozenset({".jsonl", ".ndjson"})
EXCERPT_CHARACTERS = 80
TIMEOUT_SECONDS = 120.0
"""For one text, with waiting for its turn where orchestrate says how long."""


class By(StrEnum):
    LINE = "line"
    FILE = "file"


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Redact(StrEnum):
    MASK = "mask"
    HASH = "hash"
    TOKEN = "token"  # noqa: S105 - the name of an operator


class FailOn(StrEnum):
    BLOCK = "block"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask and how; *bytes* is the size of the input where that is known."""

    url: str
    tenant: str
    api_key: str | None
    jobs: int
    bytes: int | None


@app.command()
def scan(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Text or JSON lines (.jsonl); - reads a pipe.")],
    by: Annotated[By, typer.Option(help="Judge each line, or the file as one text.")] = By.LINE,
    field: Annotated[str | None, typer.Option(help="JSON lines, with the text in this field.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON lines, whatever the file is called.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Texts judged at once.")] = 4,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to write the results.")] = Format.TABLE,  # noqa: A002
    fail_on: Annotated[
        FailOn | None, typer.Option(help="End with 1 on this decision or a stricter one, or a text not judged.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Also write the beginning of each text.")] = False,
    detector: Annotated[list[str] | None, typer.Option("--detector", help="Detector or family; repeatable.")] = None,
    tenant: Annotated[str, typer.Option(help="In whose name to ask.")] = "demo",
    url: Annotated[str | None, typer.Option(help="Where orchestrate answers; else where the local run has it.")] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="LLAMA_MAPPER_API_KEY", help="For a tenant that needs one; better not typed.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Judge while it comes, and pass on what may be shown (with -).")
    ] = False,
    redact: Annotated[
        Redact | None, typer.Option(help="With --stream: pass on personal data and secrets only like this.")
    ] = None,
    run_dir: RunDir = None,
) -> None:
    """Judge every line of a text file, a whole file, or JSON lines; or pass on a stream as far as it is judged.

    Example: llama-mapper scan tickets.jsonl --field body --format csv --fail-on block > findings.csv
    """
    if redact and not stream:
        refuse("--redact goes with --stream", MISUSED)
    if stream:
        with in_plain_words(), _opened(file) as (source, _):
            from .services import running

            where = url or running("orchestrate", run_dir)
            _pass_on(source, where, tenant, api_key, _options(detector, redact), fail_on)
        return
    with in_plain_words(), _opened(file) as (source, total):
        import asyncio

        from .scan_input import read
        from .scan_output import writer
        from .scan_run import Judge
        from .services import running

        shape: Shape = "jsonl" if jsonl or field or Path(file).suffix in JSON_LINES else "lines"
        if by is By.FILE:
            if shape == "jsonl":
                refuse("--by file reads one text; JSON lines hold many", MISUSED)
            shape = "whole"
        where = url or running("orchestrate", run_dir)
        if not where.startswith(("http://", "https://")):
            refuse("--url starts with http:// or https://", MISUSED)

        def judge(mapper: "AsyncLlamaMapper") -> Judge:
            return Judge(mapper, tuple(detector or ()), EXCERPT_CHARACTERS if show else 0)

        out = writer(format.value, show=show)
        tally = asyncio.run(_scan(read(source, shape, field), out, judge, Asked(where, tenant, api_key, jobs, total)))
    if format is not Format.TABLE:
        typer.echo(tally.line(), err=True)
    if fail_on and tally.reaches(fail_on.value):
        raise typer.Exit(FAILED)


def _options(detectors: list[str] | None, redact: Redact | None) -> "StreamOptions":
    options: StreamOptions = {}
    if detectors:
        options["detector_types"] = detectors
    if redact:
        options["redaction"] = redact.value
    return options


def _pass_on(
    source: BinaryIO, url: str, tenant: str, api_key: str | None, options: "StreamOptions", fail_on: FailOn | None
) -> None:
    """End with 1 where the text was blocked, or reaches *fail_on*."""
    import asyncio

    from llama_mapper.client import AsyncLlamaMapper
    from llama_mapper.contracts.streams import StreamFinal

    from .scan_run import ACTIONS
    from .scan_stream import Passing, passed, summary

    async def run() -> StreamFinal:
        async with AsyncLlamaMapper(url, api_key=api_key, tenant=tenant, timeout_seconds=TIMEOUT_SECONDS) as mapper:
            return await passed(mapper, Passing(source, sys.stdout), options)

    last = asyncio.run(run())
    typer.echo(summary(last), err=True)
    limit = fail_on.value if fail_on else "block"
    if ACTIONS.index(last.decision.action) >= ACTIONS.index(limit):
        raise typer.Exit(FAILED)


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The input, and its size in bytes where that is known."""
    if file == "-":
        yield sys.stdin.buffer, None
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115  closed by the `with` below
    except OSError as error:
        refuse(f"cannot read {file}: {error.strerror}", MISUSED)
    with source:
        yield source, Path(file).stat().st_size


async def _scan(
    items: "Iterator[Item | Unreadable]", out: "Writer", judge: "Callable[[AsyncLlamaMapper], Judge]", asked: Asked
) -> "Tally":
    """Judge everything, with a progress bar on stderr where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from llama_mapper.client import AsyncLlamaMapper

    from .scan_input import Unreadable
    from .scan_output import Tally
    from .scan_run import judge_all

    tally, errors = Tally(), Console(stderr=True)
    bar = Progress(
        TextColumn("scanning"),
        BarColumn(),
        TextColumn("{task.fields[done]} texts"),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    async with AsyncLlamaMapper(
        asked.url,
        api_key=asked.api_key,
        tenant=asked.tenant,
        timeout_seconds=TIMEOUT_SECONDS,
        connections=asked.jobs,
    ) as mapper:
        with bar:
            task = bar.add_task("scan", total=asked.bytes, done=0)
            async for result in judge_all(items, judge(mapper).judge, asked.jobs):
                tally.add(result)
                out.add(result)
                if isinstance(result, Unreadable):
                    errors.print(f"line {result.line}: {result.why}", markup=False, highlight=False, soft_wrap=True)
                elif result.parts > 1:
                    errors.print(f"line {result.line}: judged in {result.parts} overlapping parts", highlight=False)
                bar.update(task, advance=result.size, done=tally.scanned + tally.unread)
    out.finish(tally)
    return tally
