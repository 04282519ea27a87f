"""`llama-mapper dead-letters`: events that no delivery could bring home, kept by the broker."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .refusing import MISUSED, in_plain_words, refuse
from .run import RunDir

app = typer.Typer(help="Events that could not be delivered: list them, deliver them again.", no_args_is_help=True)

Url = Annotated[str | None, typer.Option(help="Where the broker answers; else where the local run has it.")]
MOST_LISTED = 1000


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The newest so many.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Show the dead letters, newest first.

    Example: llama-mapper dead-letters list --limit 20
    """
    with in_plain_words():
        letters = _call("GET", f"/dead-letters?limit={limit}", url, run_dir)["dead_letters"]
    if json:
        import json as encoder

        typer.echo(encoder.dumps(letters, indent=2))
    elif not letters:
        typer.echo("no dead letters")
    else:
        _show(letters)


@app.command()
def replay(
    letter: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="As listed.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Deliver dead letters again, each to the step that failed.

    Example: llama-mapper dead-letters replay 1763877600000-0
    """
    if bool(letter) == all_:
        refuse("name dead letters by their ids, or give --all", MISUSED)
    with in_plain_words():
        if all_:
            listed = _call("GET", f"/dead-letters?limit={MOST_LISTED}", url, run_dir)["dead_letters"]
            letter = [found["id"] for found in listed]
        for one in letter or ():
            if not all(character.isdigit() or character == "-" for character in one):
                refuse("an id is two numbers with a hyphen, as `dead-letters list` shows it", MISUSED)
            _call("POST", f"/dead-letters/{one}/replay", url, run_dir)
            typer.echo(f"replayed {one}")


def _call(method: str, path: str, url: str | None, run_dir: Path | None) -> Any:
    import asyncio

    from .services import Services, running

    async def ask() -> Any:
        async with Services("demo") as services:
            answer = await services.ask(method, (url or running("broker", run_dir)).rstrip("/") + path)
            return answer.json() if answer.content else None

    return asyncio.run(ask())


def _show(letters: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("id", "at", "trigger", "event", "status", "deliveries"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        names = ("id", "at", "trigger", "event_type", "error_code", "deliveries")
        table.add_row(*(Text(str(letter[name])) for name in names))
    Console().print(table)
