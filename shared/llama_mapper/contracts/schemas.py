"""JSON Schemas of the events' data, generated from the models, for those who do not write Python.

A schema says less than its model: that a vendor's label is a name and not a value is checked by the model alone.
"""

import json
from pathlib import Path
from typing import Any

from .events import EVENTS, PREFIX, EventData

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(event: type[EventData]) -> dict[str, Any]:
    """Return the schema of the ``data`` of *event*."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:llama-mapper:event:{event.type.removeprefix(PREFIX + '.')}",
        "x-event-type": event.type,
        **event.model_json_schema(mode="validation"),
    }


def schemas() -> dict[str, dict[str, Any]]:
    """Return file name -> schema, one for each event type."""
    return {f"{event.type}.json": schema_of(event) for event in EVENTS}


def render(schema: dict[str, Any]) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write every schema into *folder* and remove those of events that no longer exist.

    Returns:
        The files written, in order of name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / name: render(schema) for name, schema in sorted(schemas().items())}
    for stale in set(folder.glob(f"{PREFIX}.*.json")) - set(texts):
        stale.unlink()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
