from collections.abc import Callable, Iterable
from typing import Any

import pytest

from llama_mapper.taxonomy import Taxonomy, parse

NEEDED = ("OTHER", "OTHER.Unknown", "SAFETY_NEGATIVE", "SAFETY_NEGATIVE.NONE")
Document = dict[str, Any]


def label(name: str, **fields: Any) -> Document:
    return {"name": name, "definition": "What it means.", "severity": 1, "sensitivity": "internal"} | fields


def document(names: Iterable[str], *, version: str = "2026.11", **fields: Any) -> Document:
    """A taxonomy with the labels *names*, their parents and what every version needs."""
    all_names = {name.rsplit(".", cut)[0] for name in (*names, *NEEDED) for cut in range(name.count(".") + 1)}
    return {"version": version, "labels": [label(name) for name in sorted(all_names)]} | fields


Make = Callable[..., Taxonomy]


@pytest.fixture
def make() -> Make:
    def of(*names: str, version: str = "2026.11", moves: dict[str, list[str]] | None = None) -> Taxonomy:
        stated = [{"from": old, "to": new} for old, new in (moves or {}).items()]
        return parse(document(names, version=version, moves=stated))

    return of
