"""`llama-mapper keys`: the API keys of a tenant; `llama-mapper audit`: who changed what. For who runs the system.

Both work on the store itself: ORCHESTRATION_REDIS_URL, ORCHESTRATION_PEPPER and ORCHESTRATION_KEYSET name it and its
secrets as they do for orchestrate; without them it is the local run's.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from .refusing import in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from llama_mapper.contracts.audit import AuditRecord
    from llama_mapper.contracts.identity import ApiKey

    from .keyring import Keyring

app = typer.Typer(help="API keys of a tenant: make, list, rotate, revoke.", no_args_is_help=True)
audit = typer.Typer(help="The audit log of administrative acts: show and verify.", no_args_is_help=True)

T = TypeVar("T")
Tenant = Annotated[str, typer.Option(help="Whose.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
KeyIdArgument = Annotated[str, typer.Argument(help="As `llama-mapper keys list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for, for people to read.")],
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; several times.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it works.")] = 90,
    tenant: Tenant = "demo",
    run_dir: RunDir = None,
) -> None:
    """Make a key. It is printed on stdout, once, and kept nowhere.

    Example: llama-mapper keys create ci --scope orchestrate:use --scope detectors:read
    """
    from pydantic import ValidationError

    from llama_mapper.contracts.identity import SCOPES, NewApiKey

    try:
        new = NewApiKey.model_validate({"name": name, "scopes": scope or ["orchestrate:use"], "days": days})
    except ValidationError as error:
        fields = sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False, include_url=False)})
        refuse(f"check {', '.join(fields)}; scopes are {', '.join(SCOPES)}")
    key, secret = _with(tenant, run_dir, lambda ring: ring.create(new))
    typer.echo(f"key {key.id} of {tenant} works until {key.expires_at:%Y-%m-%d}; it is shown this once:", err=True)
    typer.echo(secret)


@app.command("list")
def list_keys(tenant: Tenant = "demo", json: Json = False, run_dir: RunDir = None) -> None:
    """Show a tenant's keys, newest last.

    Example: llama-mapper keys list --tenant demo
    """
    keys = sorted(_with(tenant, run_dir, lambda ring: ring.list()), key=lambda key: key.created_at)
    if json:
        from llama_mapper.contracts.identity import ApiKeys

        typer.echo(ApiKeys(keys=tuple(keys)).model_dump_json(indent=2))
    else:
        _table(("id", "name", "may", "works until", "last used", "state"), [_row(key) for key in keys], "no keys")


@app.command()
def rotate(key_id: KeyIdArgument, tenant: Tenant = "demo", run_dir: RunDir = None) -> None:
    """Make a successor with the same rights; the old key works for another day.

    Example: llama-mapper keys rotate 4k2m9x0q7abc
    """
    key, secret = _with(tenant, run_dir, lambda ring: ring.rotate(key_id))
    typer.echo(f"key {key.id} follows {key_id}, which works for another day; it is shown this once:", err=True)
    typer.echo(secret)


@app.command()
def revoke(key_id: KeyIdArgument, tenant: Tenant = "demo", run_dir: RunDir = None) -> None:
    """End a key at once.

    Example: llama-mapper keys revoke 4k2m9x0q7abc
    """
    _with(tenant, run_dir, lambda ring: ring.revoke(key_id))
    typer.echo(f"key {key_id} has ended")


@app.command()
def enrol(key_id: KeyIdArgument, tenant: Tenant = "demo", run_dir: RunDir = None) -> None:
    """Give a key a second factor, in place of any other: prints what an authenticator's QR code holds.

    Its codes go into X-One-Time-Code with what administers (RFC 6238).

    Example: llama-mapper keys enrol 4k2m9x0q7abc | qrencode -t ansiutf8
    """
    typer.echo(_with(tenant, run_dir, lambda ring: ring.enrol(key_id)))


@app.command()
def keyset(
    after: Annotated[Path | None, typer.Option(help="File with the keyset in use, which it goes on to open.")] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="For ORCHESTRATION_TOKEN_KEYSET instead.")] = False,
) -> None:
    """Print a keyset for ORCHESTRATION_KEYSET. It holds a key in the clear: put it into a Secret, nowhere else.

    Example: llama-mapper keys keyset --after keyset.json > next.json
    """
    from llama_mapper.chassis.sealing import WrongKeyset, new_keyset, new_token_keyset, rotated

    make = new_token_keyset if tokens else new_keyset
    try:
        typer.echo(rotated(after.read_text("utf-8"), make) if after else make())
    except (OSError, UnicodeDecodeError, WrongKeyset):
        refuse(f"{after} cannot be read as a keyset")


@audit.command("show")
def show_audit(
    tenant: Tenant = "demo",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    json: Json = False,
    run_dir: RunDir = None,
) -> None:
    """Show who did what to what, newest last.

    Example: llama-mapper audit show --limit 20
    """
    records = _with(tenant, run_dir, lambda ring: ring.acts())[-limit:]
    if json:
        from llama_mapper.contracts.audit import AuditRecords

        typer.echo(AuditRecords(records=records).model_dump_json(indent=2))
    else:
        _table(("number", "when (UTC)", "who", "did", "to", ""), [_act(record) for record in records], "no entries")


@audit.command()
def verify(tenant: Tenant = "demo", run_dir: RunDir = None) -> None:
    """Check that nothing in a tenant's log was changed, left out or put in.

    Prints the last hash: compared with one that was written down, it also tells whether the end was cut off.

    Example: llama-mapper audit verify --tenant demo
    """
    from llama_mapper.identity.audit import GENESIS, first_fault

    records = _with(tenant, run_dir, lambda ring: ring.acts())
    if fault := first_fault(records):
        refuse(fault)
    typer.echo(f"{len(records)} entries, none changed; last hash {records[-1].hash if records else GENESIS}")


def _with(tenant: str, run_dir: Path | None, work: "Callable[[Keyring], Awaitable[T]]") -> T:
    import asyncio

    from llama_mapper.contracts.problems import Problem

    from .keyring import opened

    async def run() -> T:
        async with opened(tenant, run_dir) as ring:
            return await work(ring)

    with in_plain_words():
        try:
            return asyncio.run(run())
        except Problem as problem:
            refuse(problem.detail)


def _row(key: "ApiKey") -> tuple[str, ...]:
    used = f"{key.last_used_at:%Y-%m-%d %H}h" if key.last_used_at else "never"
    follower = f"followed by {key.replaced_by}" if key.replaced_by else ""
    return (key.id, key.name, " ".join(key.scopes), f"{key.expires_at:%Y-%m-%d %H:%M}", used, _state(key) or follower)


def _state(key: "ApiKey") -> str:
    from llama_mapper.identity.keys import utc_now

    return "revoked" if key.revoked_at else "expired" if key.expires_at <= utc_now() else ""


def _act(record: "AuditRecord") -> tuple[str, ...]:
    entry = record.entry
    outcome = "" if entry.outcome == "done" else entry.outcome
    return (str(record.number), f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.subject, entry.act, entry.target, outcome)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo(nothing)
        return
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
