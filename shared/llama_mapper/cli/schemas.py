"""`llama-mapper schemas`: the JSON Schemas of the events."""

from pathlib import Path
from typing import Annotated

import typer

from .refusing import refuse

app = typer.Typer(help="The events' JSON Schemas, generated from the contracts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `schemas` a group although it has one command."""


@app.command()
def write(
    folder: Annotated[Path, typer.Argument(help="Where eventing keeps them.")] = Path("eventing/schemas"),
) -> None:
    """Write one schema file for each event.

    Example: llama-mapper schemas write eventing/schemas
    """
    from llama_mapper.contracts import schemas

    try:
        written = schemas.write(folder)
    except OSError as error:
        refuse(f"cannot write {folder}: {error.strerror}")
    typer.echo(f"{len(tuple(written))} schemas in {folder}")
