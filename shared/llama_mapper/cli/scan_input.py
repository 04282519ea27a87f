"""Read what is to be scanned: lines of text, one whole text, or JSON lines. A bad line becomes a report, not an end."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

Shape = Literal["lines", "whole", "jsonl"]
USUAL_FIELDS = ("content", "text")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Item:
    """A text from line *line* (from 1) of the input; *size* is how many bytes of the input it took."""

    line: int
    text: str = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a line was not scanned, in words that quote nothing of it."""

    line: int
    why: str
    size: int = 0


def read(source: BinaryIO, shape: Shape, name: str | None = None) -> Iterator[Item | Unreadable]:
    """Yield the texts of *source* as they come; blank lines are passed over.

    Args:
        name: the field of JSON lines that holds the text; "content", else "text", unless given.
    """
    if shape == "whole":
        yield from _decoded([source.read()])
    elif shape == "lines":
        yield from _decoded(source)
    else:
        yield from _fields(source, (name,) if name else USUAL_FIELDS)


def _decoded(lines: Iterable[bytes]) -> Iterator[Item | Unreadable]:
    for number, raw in enumerate(lines, 1):
        try:
            text = raw.removeprefix(BYTE_ORDER_MARK if number == 1 else b"").decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            yield Unreadable(number, "not UTF-8", len(raw))
        else:
            if text.strip():
                yield Item(number, text, len(raw))


def _fields(lines: Iterable[bytes], names: tuple[str, ...]) -> Iterator[Item | Unreadable]:
    for item in _decoded(lines):
        yield item if isinstance(item, Unreadable) else _field(item, names)


def _field(item: Item, names: tuple[str, ...]) -> Item | Unreadable:
    try:
        record = json.loads(item.text)
    except json.JSONDecodeError as error:
        return Unreadable(item.line, f"not JSON (column {error.colno})", item.size)
    except RecursionError:
        return Unreadable(item.line, "nested too deep", item.size)
    if not isinstance(record, dict):
        return Unreadable(item.line, "not a JSON object", item.size)
    name = next((name for name in names if name in record), None)
    if name is None:
        return Unreadable(item.line, f"no field {' or '.join(names)}", item.size)
    text = record[name]
    if not isinstance(text, str):
        return Unreadable(item.line, f"field {name} is not a text", item.size)
    if not text.strip():
        return Unreadable(item.line, f"field {name} is empty", item.size)
    if any("\ud800" <= character <= "\udfff" for character in text):
        return Unreadable(item.line, f"field {name} is not valid Unicode (a lone surrogate)", item.size)
    return Item(item.line, text, item.size)
