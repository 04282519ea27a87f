"""`llama-mapper up`, `down` and `status`: the whole system on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, in_plain_words, refuse

if TYPE_CHECKING:
    from llama_mapper.local.directory import RunDirectory

app = typer.Typer()

RunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the run keeps its files; else $LLAMA_MAPPER_RUN_DIR, else .run.")
]
PortBase = Annotated[int, typer.Option(help="orchestrate's port; the others keep their distance from it.")]
Port = Annotated[list[str] | None, typer.Option("--port", metavar="NAME=N", help="One part's port; repeatable.")]


@app.command()
def up(
    run_dir: RunDir = None,
    port_base: PortBase = 8000,
    port: Port = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background.")] = False,
    fresh: Annotated[bool, typer.Option(help="Forget what earlier runs stored.")] = False,
    patience: Annotated[float, typer.Option(min=1, help="Seconds a part may take to become ready.")] = 120.0,
) -> None:
    """Start everything on the loopback and stay until Ctrl-C.

    Example: llama-mapper up --port console=8081
    """
    with in_plain_words():
        from llama_mapper.local import directory, layout, ports

        root = layout.find_root()
        place = directory.choose(run_dir, root)
        assigned = ports.assign(port_base, port or ())
        if detach:
            flags = ["--port-base", str(port_base), "--patience", str(patience), *(["--fresh"] if fresh else [])]
            _detached(place, [*flags, *(part for pair in port or () for part in ("--port", pair))], patience)
            return
        import asyncio

        from llama_mapper.local.session import Session
        from llama_mapper.local.supervisor import Patience

        from .screen import screen

        what = layout.Layout(root, place, assigned)
        asyncio.run(Session(what, screen(), Patience(start=patience)).run(fresh=fresh))


def _detached(place: "RunDirectory", flags: list[str], patience: float) -> None:
    from llama_mapper.local import background

    from .screen import screen

    shown = screen()
    try:
        shown.up(background.start(place, flags, shown.watch, patience + 60))
    finally:
        shown.close()


@app.command()
def down(run_dir: RunDir = None) -> None:
    """Stop what runs here, in the foreground or in the background.

    Example: llama-mapper down
    """
    with in_plain_words():
        from llama_mapper.local import background, directory, layout

        place = directory.choose(run_dir, layout.find_root())
        if not background.stop(place):
            refuse(f"nothing runs in {place.path}")
        typer.echo("stopped")


@app.command()
def status(run_dir: RunDir = None, json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show every part: process, port, state, memory, uptime. Ends with 1 when nothing runs.

    Example: llama-mapper status --json
    """
    with in_plain_words():
        from llama_mapper.local import directory, layout, state

        place = directory.choose(run_dir, layout.find_root())
        run = state.read(place)
    if run is None:
        if json:
            typer.echo('{"running": false}')
            raise typer.Exit(FAILED)
        refuse(f"nothing runs in {place.path}; start it with `llama-mapper up`")
    from . import status_table

    typer.echo(status_table.as_json(run)) if json else status_table.show(run)
