"""How a command says no: one line on stderr and an exit status, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

FAILED, MISUSED = 1, 2
"""Exit statuses: the thing asked for did not work; it was asked for in a way that cannot work."""


def refuse(message: str, status: int = FAILED) -> NoReturn:
    """Print *message* on stderr and end the command with *status*."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(status)


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn the refusals of the local run and of our services into one line each."""
    from llama_mapper.local.refusal import CannotRun

    from .services import ServiceRefused

    try:
        yield
    except (CannotRun, ServiceRefused) as error:
        refuse(str(error))
