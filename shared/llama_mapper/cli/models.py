"""`llama-mapper models`: trained adapters as signed, immutable versions, and which of them is in use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .refusing import FAILED, MISUSED, refuse

if TYPE_CHECKING:
    from llama_mapper.registry import Keyring, Registry

app = typer.Typer(help="Trained adapters: publish, verify, put into use, take back.", no_args_is_help=True)

ChannelName = Literal["production", "canary"]

Url = Annotated[
    str | None,
    typer.Option(
        "--registry",
        envvar="LLAMA_MAPPER_REGISTRY",
        help="A folder, file:///folder or s3://bucket/prefix; a folder in your data directory unless given.",
    ),
]
Trusted = Annotated[
    Path | None,
    typer.Option(
        "--trusted-keys",
        envvar="LLAMA_MAPPER_TRUSTED_KEYS",
        help="Folder of public keys; where `keygen` puts them unless given.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="LLAMA_MAPPER_SIGNING_KEY",
        help="File of the private key, or its PEM text; where `keygen` puts it unless given.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="VERSION|CHANNEL", help="As `models list` shows it.")]
ChannelOption = Annotated[ChannelName, typer.Option("--channel", help="Which of the two names to move.")]
Who = Annotated[str | None, typer.Option(help="Who does it, for the history; your login name unless given.")]
Why = Annotated[str | None, typer.Option(help="One line for the history.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("list")
def list_(json: Json = False, registry: Url = None) -> None:
    """List what is published, newest first. What it says of a version is proven by `verify` only.

    Example: llama-mapper models list --registry s3://models
    """
    from llama_mapper.registry import versions

    from . import models_output as output

    with _plainly():
        found = versions(_open(registry))
    if json:
        output.print_json([output.plain(one) for one in found])
    elif found:
        output.print_versions(found)
    else:
        typer.echo("nothing is published here; `llama-mapper models publish` does it")


@app.command()
def show(
    name: Name,
    card: Annotated[bool, typer.Option("--card", help="Its model card, as Markdown.")] = False,
    json: Json = False,
    registry: Url = None,
) -> None:
    """Show one version: what it was made from, its figures and files; of a channel its history too.

    Example: llama-mapper models show production
    """
    from llama_mapper.registry import CHANNELS, describe, read_channel, read_text

    from . import models_output as output

    with _plainly():
        opened = _open(registry)
        found = describe(opened, name)
        channel = next((read_channel(opened, one) for one in CHANNELS if one == name), None)
        text = read_text(opened, found.version, "model_card.md") if card else None
    if card:
        typer.echo(text) if text else refuse(f"{found.version} has no model card", FAILED)
    elif json:
        history = channel.model_dump(mode="json")["history"] if channel else None
        output.print_json(output.plain(found) | ({"history": history} if history else {}))
    else:
        output.print_version(found, channel)


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A trained and scored experiment: adapter/ and result.json.")],
    taxonomy: Annotated[
        str | None, typer.Option(help="Taxonomy version it was trained with, where its record does not say it.")
    ] = None,
    key: Key = None,
    discard_unfinished: Annotated[
        bool,
        typer.Option(help="Delete what an interrupted upload of this version left; only while nobody publishes it."),
    ] = False,
    registry: Url = None,
) -> None:
    """Publish an experiment's adapter under the version in its card. Versions never change.

    Example: llama-mapper models publish inference-services/mapper/experiments/smollm2-hard
    """
    from rich.console import Console

    from llama_mapper.registry import SigningKey
    from llama_mapper.registry import publish as publish_

    with _plainly():
        signing = SigningKey.read(key or str(_existing(_home() / "keys" / "signing.pem", "signing key")))
        opened = _open(registry)
        with Console(stderr=True).status("publishing") as status:
            manifest = publish_(
                opened,
                folder.resolve(),
                signing,
                taxonomy=taxonomy,
                discard_unfinished=discard_unfinished,
                progress=lambda name: status.update(f"{name} is there"),
            )
    size = f"{len(manifest.files)} files, {sum(file.size for file in manifest.files) / 1e6:.1f} MB"
    typer.echo(f"published {manifest.version}: {size}, signed with the key {signing.key_id}")


@app.command()
def promote(
    version: Name,
    channel: ChannelOption = "production",
    who: Who = None,
    why: Why = None,
    trusted_keys: Trusted = None,
    registry: Url = None,
) -> None:
    """Put a version into use in a channel, once every file of it is what a trusted key has signed.

    Example: llama-mapper models promote smollm2-hard.9e0f4a28 --channel canary --why "better on unseen vendors"
    """
    from llama_mapper.registry import promote as promote_

    with _plainly():
        moved = promote_(
            _open(registry), version, _trusted(trusted_keys), who=who or _login(), why=why, channel=channel
        )
    before = moved.history[-1].previous
    typer.echo(f"{channel}: {moved.version}{f' (before: {before})' if before else ''}")


@app.command()
def rollback(
    channel: ChannelOption = "production",
    who: Who = None,
    why: Why = None,
    trusted_keys: Trusted = None,
    registry: Url = None,
) -> None:
    """Take a channel's last promotion back; again, and one further back.

    Example: llama-mapper models rollback --why "abstains too often"
    """
    from llama_mapper.registry import rollback as rollback_

    with _plainly():
        moved = rollback_(_open(registry), _trusted(trusted_keys), who=who or _login(), why=why, channel=channel)
    typer.echo(f"{channel}: {moved.version} again (before: {moved.history[-1].previous})")


@app.command()
def verify(name: Name, trusted_keys: Trusted = None, registry: Url = None) -> None:
    """Check the signature and the digest of every file of a version.

    Example: llama-mapper models verify production
    """
    from llama_mapper.registry import verify as verify_

    with _plainly():
        found = verify_(_open(registry), name, _trusted(trusted_keys))
    manifest = found.manifest
    typer.echo(f"{manifest.version}: {len(manifest.files)} files as signed with the key {found.key_id}")


@app.command()
def pull(
    name: Name,
    dest: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    trusted_keys: Trusted = None,
    registry: Url = None,
) -> None:
    """Bring a version to a folder, once all of it is verified; MAPPER_ADAPTER can name that folder.

    Example: llama-mapper models pull production /var/lib/llama-mapper/adapter
    """
    from llama_mapper.registry import pull as pull_

    with _plainly():
        manifest = pull_(_open(registry), name, dest, _trusted(trusted_keys))
    typer.echo(f"{manifest.version} in {dest}")


@app.command()
def keygen(
    key: Annotated[Path | None, typer.Option(help="New file for the private key.")] = None,
    trusted_keys: Trusted = None,
) -> None:
    """Make a key that signs versions, and trust it: the public half goes into the folder of trusted keys.

    Example: llama-mapper models keygen --key signing.pem --trusted-keys trusted
    """
    from llama_mapper.registry import SigningKey

    private, trusted = key or _home() / "keys" / "signing.pem", trusted_keys or _home() / "keys" / "trusted"
    with _plainly():
        made = SigningKey.generate()
        public = made.write(private.expanduser(), trusted.expanduser())
    typer.echo(f"key {made.key_id}: private in {private}, public in {public}")


@contextmanager
def _plainly() -> Iterator[None]:
    from llama_mapper.registry import RegistryError

    try:
        yield
    except RegistryError as error:
        refuse(str(error), FAILED)


def _open(url: str | None) -> "Registry":
    from llama_mapper.registry import RegistryError, Unreachable, open_registry

    try:
        return open_registry(url or str(_home() / "models"))
    except Unreachable:
        raise
    except RegistryError as error:
        refuse(str(error), MISUSED)


def _home() -> Path:
    """Where a user's lasting data lie (XDG base directories); `make clean` must not take models and keys along."""
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "llama-mapper"


def _trusted(folder: Path | None) -> "Keyring":
    from llama_mapper.registry import Keyring

    return Keyring.read(folder.expanduser() if folder else _existing(_home() / "keys" / "trusted", "trusted keys"))


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        refuse(f"no {what} in {path}; `llama-mapper models keygen` makes some, or name yours", MISUSED)
    return path


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        refuse("the history names who did it: give --who", MISUSED)
