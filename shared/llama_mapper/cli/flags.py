"""`llama-mapper flags`: what the feature flags are for a tenant, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import MISUSED, refuse

if TYPE_CHECKING:
    from llama_mapper.chassis.flags import Evaluation

app = typer.Typer(help="Feature flags: what they are for a tenant, and why.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Whose requests.")]
Priority = Annotated[str, typer.Option(help="Of which priority.")]
File = Annotated[
    Path | None,
    typer.Option(envvar="ORCHESTRATION_FLAGS", help="The flagd file; else the one of this checkout."),
]


@app.command("list")
def list_flags(tenant: Tenant = "demo", priority: Priority = "normal", file: File = None) -> None:
    """Show every flag as it is for a tenant.

    Example: llama-mapper flags list --tenant demo
    """
    from rich.console import Console
    from rich.table import Table

    from llama_mapper.contracts.flags import PURPOSES

    table = Table(box=None, pad_edge=False)
    for heading in ("flag", tenant, "because", "what it switches"):
        table.add_column(heading, overflow="fold")
    for name, evaluated in _evaluated(file, tenant, priority).items():
        purpose = next(text for flag, text in PURPOSES.items() if flag == name)
        table.add_row(name, _word(evaluated), evaluated.reason.lower(), purpose)
    Console().print(table)


@app.command()
def get(name: str, tenant: Tenant = "demo", priority: Priority = "normal", file: File = None) -> None:
    """Print `on` or `off`.

    Example: llama-mapper flags get response-cache --tenant demo
    """
    evaluated = _evaluated(file, tenant, priority)
    if name not in evaluated:
        refuse(f"there is no such flag: {', '.join(evaluated)}", MISUSED)
    typer.echo(_word(evaluated[name]))


def _evaluated(file: Path | None, tenant: str, priority: str) -> "dict[str, Evaluation]":
    from llama_mapper.chassis.flags import Flags
    from llama_mapper.contracts.flags import FLAG_NAMES

    from .rooms import open_rooms

    path = file or open_rooms() / "functions" / "orchestrate" / "flags.json"
    if not path.is_file():
        refuse(f"there is no file {path}", MISUSED)
    flags = Flags(path)
    try:
        flags.load()
    except ModuleNotFoundError:
        refuse("this needs openfeature-provider-flagd (functions/orchestrate/requirements.txt)", MISUSED)
    try:
        return {name: flags.evaluate(name, tenant, "orchestrate", priority) for name in FLAG_NAMES}
    finally:
        flags.close()


def _word(evaluated: "Evaluation") -> str:
    return "on" if evaluated.value else "off"
