"""`llama-mapper tenants`: what is configured for a tenant, over HTTP."""

import json as jsons
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from llama_mapper.client import LlamaMapper
    from llama_mapper.contracts.tenants import TenantConfiguration, TenantState

app = typer.Typer(help="A tenant's configuration: show, set, versions, rollback.", no_args_is_help=True)

TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="Whose.")]
Url = Annotated[str | None, typer.Option(help="Where orchestrate answers; else where the local run has it.")]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="LLAMA_MAPPER_API_KEY", help="A key for tenants; better not typed."),
]
Code = Annotated[str | None, typer.Option(help="The one-time code of the key's second factor.")]
Why = Annotated[str, typer.Option(help="The number of a ticket, say; it stands in the audit log.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def show(
    tenant: TenantArgument,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
    run_dir: RunDir = None,
) -> None:
    """Show what is configured for a tenant, and what holds of it under the platform's policies.

    Example: llama-mapper tenants show demo
    """
    with _asking(url, api_key, run_dir) as mapper:
        state = mapper.tenant_configuration(tenant)
    if json:
        typer.echo(state.model_dump_json(indent=2))
    else:
        _table(state)


@app.command("set")
def set_(
    tenant: TenantArgument,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The whole configuration, as JSON; - reads a pipe.")],
    why: Why,
    version: Annotated[
        int | None, typer.Option(min=0, help="The version that is changed; else the newest, whatever it is.")
    ] = None,
    code: Code = None,
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Replace a tenant's configuration. What would loosen the platform's rules is refused, and named.

    Example: llama-mapper tenants set demo demo.json --why OPS-12 --code 123456
    """
    configuration = _read(file)
    with _asking(url, api_key, run_dir) as mapper:
        newest = mapper.tenant_configuration(tenant).version if version is None else version
        state = mapper.configure_tenant(tenant, configuration, why, version=newest, code=code)
    typer.echo(f"version {state.version} of {tenant} is in force")


@app.command()
def versions(
    tenant: TenantArgument, url: Url = None, api_key: ApiKey = None, json: Json = False, run_dir: RunDir = None
) -> None:
    """Show who changed a tenant's configuration when and why, newest first.

    Example: llama-mapper tenants versions demo
    """
    with _asking(url, api_key, run_dir) as mapper:
        listed = mapper.tenant_versions(tenant)
    if json:
        typer.echo(listed.model_dump_json(indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("version", "when (UTC)", "who", "for", "why", "")
    for one in listed.versions:
        again = f"as version {one.restored}" if one.restored else ""
        table.add_row(str(one.version), f"{one.at:%Y-%m-%d %H:%M}", one.subject, one.by, one.why, again)
    Console().print(table)


@app.command()
def rollback(
    tenant: TenantArgument,
    number: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="As `tenants versions` shows it.")],
    why: Why,
    code: Code = None,
    url: Url = None,
    api_key: ApiKey = None,
    run_dir: RunDir = None,
) -> None:
    """Say again what an old version said, as a new one.

    Example: llama-mapper tenants rollback demo 3 --why OPS-13 --code 123456
    """
    with _asking(url, api_key, run_dir) as mapper:
        newest = mapper.tenant_configuration(tenant).version
        state = mapper.roll_tenant_back(tenant, number, why, version=newest, code=code)
    typer.echo(f"version {state.version} of {tenant} is in force, as version {number}")


@contextmanager
def _asking(url: str | None, api_key: str | None, run_dir: Path | None) -> "Iterator[LlamaMapper]":
    from llama_mapper.client import LlamaMapper, LlamaMapperError

    from .services import running

    with in_plain_words():
        where = url or running("orchestrate", run_dir)
        if not where.startswith(("http://", "https://")):
            refuse("--url starts with http:// or https://", MISUSED)
        try:
            with LlamaMapper(where, api_key=api_key) as mapper:
                yield mapper
        except LlamaMapperError as error:
            refuse(str(error))


def _read(file: str) -> "TenantConfiguration":
    import sys

    from pydantic import ValidationError

    from llama_mapper.contracts.tenants import TenantConfiguration

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        return TenantConfiguration.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"cannot read {file}: {getattr(error, 'strerror', None) or 'not UTF-8'}", MISUSED)
    except ValidationError as error:
        known = set(TenantConfiguration.model_fields)
        faults = error.errors(include_input=False, include_url=False)
        fields = sorted({str(fault["loc"][0]) for fault in faults if fault["loc"] and fault["loc"][0] in known})
        refuse(f"check {', '.join(fields) or file}; fields are {', '.join(sorted(known))}", MISUSED)


def _table(state: "TenantState") -> None:
    from rich.console import Console
    from rich.table import Table

    sides = {"platform": state.platform, "own": state.own}
    said = {name: side.model_dump(mode="json", exclude_none=True) if side else {} for name, side in sides.items()}
    rules = state.rules.model_dump(mode="json", exclude_none=True)
    table = Table("", "platform", "own", "holds", title=f"{state.tenant_id}, version {state.version}")
    for name in sorted({*said["platform"], *said["own"], *rules}):
        ignored = " (ignored)" if any(field.split(".")[0] == name for field in state.ignored) else ""
        cells = [_cell(said["platform"].get(name)), _cell(said["own"].get(name)) + ignored, _cell(rules.get(name))]
        table.add_row(name, *cells)
    Console().print(table)


def _cell(value: object) -> str:
    from rich.markup import escape

    return "" if value is None else escape(value if isinstance(value, str) else jsons.dumps(value))
