"""`llama-mapper dead-letters`: events that no delivery could bring home, kept by the broker."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .refusing import FAILED, MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from .letters import Letters

app = typer.Typer(
    help="Events that could not be delivered: list them, look at one, deliver them again, forget them.",
    no_args_is_help=True,
)

MOST_LISTED = 1000

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="As listed.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter, or every one of --trigger, --type and --status.")]
Trigger = Annotated[str | None, typer.Option(help="Only of this Trigger, such as record-findings.")]
EventType = Annotated[str | None, typer.Option("--type", help="Only events of this type.")]
Status = Annotated[int | None, typer.Option(help="Only those that ended with this answer; 500 is also no answer.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Url = Annotated[str | None, typer.Option(help="Where the broker answers; else where the local run has it.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The newest so many.")] = 100,
    trigger: Trigger = None,
    event_type: EventType = None,
    status: Status = None,
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Show the dead letters, newest first; never their data.

    Example: llama-mapper dead-letters list --trigger record-findings --status 422
    """
    with in_plain_words():
        letters = _letters(url, run_dir).page(limit, trigger, event_type, status)
    if json:
        _print_json(letters)
    elif not letters:
        typer.echo("no dead letters" if (trigger, event_type, status) == (None, None, None) else "none of these")
    else:
        from .letters import print_list

        print_list(letters)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="As listed.")],
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Show one dead letter: what was asked of whom, what was answered, whose it was.

    Example: llama-mapper dead-letters show 1763877600000-0
    """
    with in_plain_words():
        found = _letters(url, run_dir).one(_checked(letter))
    if json:
        _print_json(found)
    else:
        from .letters import print_one

        print_one(found)


@app.command()
def replay(
    letter: Ids = None,
    all_: All = False,
    trigger: Trigger = None,
    event_type: EventType = None,
    status: Status = None,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Deliver dead letters again, oldest first, each to the Trigger that failed and to no other.

    One that fails again is a dead letter again, under a new id.

    Example: llama-mapper dead-letters replay 1763877600000-0
    Example: llama-mapper dead-letters replay --all --trigger record-findings
    """
    _each("replayed", letter, all_, (trigger, event_type, status), url, run_dir)


@app.command()
def discard(
    letter: Ids = None,
    all_: All = False,
    trigger: Trigger = None,
    event_type: EventType = None,
    status: Status = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before all are forgotten.")] = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Forget dead letters for good: they cannot be delivered again.

    Example: llama-mapper dead-letters discard 1763877600000-0
    Example: llama-mapper dead-letters discard --all --status 422
    """
    _each("discarded", letter, all_, (trigger, event_type, status), url, run_dir, ask=not yes)


Chosen = tuple[str | None, str | None, int | None]
"""Trigger, event type and status that --all is held to."""


def _each(
    done: str,
    ids: list[str] | None,
    all_: bool,
    chosen: Chosen,
    url: str | None,
    run_dir: Path | None,
    *,
    ask: bool = False,
) -> None:
    """Replay or discard the letters of *ids*, or all that are *chosen*."""
    if bool(ids) == all_:
        refuse("name dead letters by their ids, or give --all", MISUSED)
    if ids and chosen != (None, None, None):
        refuse("--trigger, --type and --status go with --all", MISUSED)
    for one in ids or ():
        _checked(one)
    with in_plain_words():
        letters = _letters(url, run_dir)
        if all_:
            ids = letters.ids(*chosen)
            if not ids:
                typer.echo("no dead letters" if chosen == (None, None, None) else "none of these")
                return
            if ask and not typer.confirm(f"forget {len(ids)} for good?", err=True):
                _unchanged()
        known = letters.end(ids or (), done, gone_is_fine=all_, each=lambda one: typer.echo(f"{done} {one}"))
    if all_:
        typer.echo(f"{known} {done}", err=True)


def _unchanged() -> NoReturn:
    typer.echo("nothing was changed", err=True)
    raise typer.Exit(FAILED)


def _checked(letter: str) -> str:
    if not re.fullmatch(r"[0-9]{1,19}-[0-9]{1,19}", letter):
        refuse("an id is two numbers with a hyphen, as `dead-letters list` shows it", MISUSED)
    return letter


def _print_json(found: object) -> None:
    import json

    typer.echo(json.dumps(found, indent=2))


def _letters(url: str | None, run_dir: Path | None) -> "Letters":
    from .letters import Letters
    from .services import running

    return Letters((url or running("broker", run_dir)).rstrip("/"))
