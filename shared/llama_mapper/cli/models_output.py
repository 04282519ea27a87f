"""How `llama-mapper models` shows versions and channels."""

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from llama_mapper.contracts.models import Channel
from llama_mapper.registry import Published

# The figures that a list has room for, with their short headings.
_LISTED = {"macro-f1": "macro-F1", "coverage": "coverage", "expected-calibration-error": "ECE"}


def plain(one: Published) -> dict[str, Any]:
    """A version for programs."""
    return {
        "version": one.version,
        "published_at": one.published_at.isoformat(),
        "channels": list(one.channels),
        "key_id": one.key_id,
        "manifest": one.manifest.model_dump(mode="json") if one.manifest else None,
    }


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


def print_versions(found: Sequence[Published]) -> None:
    table = _table("version", "in use as", "published", "data", "taxonomy")
    table.columns[0].no_wrap = True
    for heading in _LISTED.values():
        table.add_column(heading, justify="right")
    for one in found:
        manifest = one.manifest
        start = (one.version, ", ".join(one.channels), f"{one.published_at:%Y-%m-%d}")
        if manifest is None:
            table.add_row(*start, "its manifest cannot be read")
            continue
        made = manifest.made_from
        figures = (_figure(manifest.metrics.get(name)) for name in _LISTED)
        table.add_row(*start, made.data, made.taxonomy, *figures)
    _console().print(table)


def print_version(one: Published, channel: Channel | None) -> None:
    console = _console()
    table = Table(box=None, show_header=False, pad_edge=False, title=one.version, title_justify="left")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, text in _facts(one).items():
        table.add_row(name, text)
    console.print(table)
    if one.manifest:
        files = _table("file", "bytes", "SHA-256")
        for file in one.manifest.files:
            files.add_row(file.name, f"{file.size:,}", file.sha256)
        console.print(files)
    if channel:
        history = _table("when", "what", "version", "who", "why")
        for change in reversed(channel.history):
            when = f"{change.at:%Y-%m-%d %H:%M}"
            history.add_row(when, change.action, change.version, change.who, change.why or "")
        history.title, history.title_justify = f"history of {channel.name}", "left"
        console.print(history)


def _facts(one: Published) -> dict[str, str]:
    facts = {
        "in use as": ", ".join(one.channels) or "nothing",
        "published": f"{one.published_at:%Y-%m-%d %H:%M %Z}",
        "signed with": f"the key {one.key_id} (not verified here)" if one.key_id else "no readable signature",
    }
    if one.manifest is None:
        return facts | {"manifest": "cannot be read"}
    made = one.manifest.made_from
    return facts | {
        "base model": made.base + (f" at {made.revision}" if made.revision else ""),
        "base weights": made.base_sha256 or "digest not recorded",
        "data": made.data,
        "taxonomy": made.taxonomy,
        "prompt": made.prompt,
        "libraries": ", ".join(f"{name} {version}" for name, version in sorted(made.libraries.items())),
        "figures": "\n".join(f"{name} {_figure(value)}" for name, value in one.manifest.metrics.items()),
    }


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _console() -> Console:
    return Console(markup=False, highlight=False)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
