"""Who owns which field: server-side apply's bookkeeping, for leaves (a list is one leaf, as where it is atomic)."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]
Body = dict[str, Any]
_IDENTITY = frozenset({"apiVersion", "kind", "metadata"})


@dataclass
class Entry:
    """One manager's fields: what a row of ``managedFields`` says."""

    manager: str
    operation: str
    subresource: str = ""
    paths: set[Path] = field(default_factory=set)


@dataclass
class Owned(Exception):
    """Others own what an apply wants to change: each path with its manager."""

    causes: list[tuple[Path, str]]


def leaves(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of what a manager may own: the spec or the status, and labels and annotations."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if at or key not in _IDENTITY:
                yield from leaves(inner, (*at, str(key)))
        for part in ("labels", "annotations"):
            if not at and isinstance(value.get("metadata"), Mapping) and value["metadata"].get(part):
                yield from leaves(value["metadata"][part], ("metadata", part))
    elif at:
        yield at, value


def get(body: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(body, Mapping) or part not in body:
            return None
        body = body[part]
    return body


def put(body: Body, path: Path, value: Any) -> None:
    for part in path[:-1]:
        body = body.setdefault(part, {})
    body[path[-1]] = copy.deepcopy(value)


def remove(body: Body, path: Path) -> None:
    """Take the leaf out, and what is empty after it."""
    parents = [body]
    for part in path[:-1]:
        inner = parents[-1].get(part)
        if not isinstance(inner, dict):
            return
        parents.append(inner)
    for part, parent in zip(reversed(path), reversed(parents), strict=True):
        parent.pop(part, None)
        if parent:
            return


def apply(live: Body, wanted: Body, entries: list[Entry], manager: str, subresource: str, *, force: bool) -> None:
    """Merge *wanted* into *live* as ``manager`` and keep the books.

    Raises:
        Owned: another manager owns a field that would get another value, and *force* is off.
    """
    asked = dict(leaves(wanted))
    own = _entry(entries, manager, "Apply", subresource)
    others = [one for one in entries if one is not own]
    against = [
        (path, one) for path, value in asked.items() for one in others if path in one.paths and get(live, path) != value
    ]
    if against and not force:
        raise Owned([(path, one.manager) for path, one in against])
    for path, one in against:
        one.paths.discard(path)
    for path in own.paths - set(asked):
        if not any(path in one.paths for one in others):
            remove(live, path)
    for path, value in asked.items():
        put(live, path, value)
    own.paths = set(asked)
    entries[:] = [one for one in entries if one.paths]


def updated(before: Body, after: Body, entries: list[Entry], manager: str, subresource: str) -> None:
    """Keep the books of a write that is no apply: what it changed is the writer's, what it removed is nobody's."""
    old, new = dict(leaves(before)), dict(leaves(after))
    changed = {path for path, value in new.items() if old.get(path, _NOTHING) != value}
    for one in entries:
        one.paths -= changed | (set(old) - set(new))
    if changed:
        _entry(entries, manager, "Update", subresource).paths |= changed
    entries[:] = [one for one in entries if one.paths]


_NOTHING = object()


def _entry(entries: list[Entry], manager: str, operation: str, subresource: str) -> Entry:
    for one in entries:
        if (one.manager, one.operation, one.subresource) == (manager, operation, subresource):
            return one
    entries.append(Entry(manager, operation, subresource))
    return entries[-1]


def shown(entries: list[Entry], version: str) -> list[Body]:
    """``metadata.managedFields``."""
    rows = []
    for one in entries:
        fields: Body = {}
        for path in sorted(one.paths):
            put(fields, tuple(f"f:{part}" for part in path), {})
        row = {"manager": one.manager, "operation": one.operation, "apiVersion": version, "fieldsType": "FieldsV1"}
        rows.append(row | {"fieldsV1": fields} | ({"subresource": one.subresource} if one.subresource else {}))
    return rows
