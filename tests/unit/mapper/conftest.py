from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_mapper.taxonomy import Taxonomy, load

Write = Callable[..., Path]

MINIMAL: dict[str, Any] = {
    "detector": "tool",
    "versions": ["*"],
    "name": "A tool",
    "kind": "pii",
    "source": {"reference": "its documentation", "read": "parsed"},
    "published": 1,
    "labels": {"EMAIL": "PII.Contact.Email"},
}


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a vocabulary file: the minimal one with *changes*; a change to None leaves the field out."""

    def written(name: str = "tool.yaml", text: str | None = None, **changes: Any) -> Path:
        document = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
        path = tmp_path / name
        path.write_text(text if text is not None else yaml.safe_dump(document, sort_keys=False), "utf-8")
        return path

    return written
