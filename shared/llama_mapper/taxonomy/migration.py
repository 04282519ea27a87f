"""Move from one taxonomy version to the next: what changed, a plan, the plan applied to old records, and back.

The rule for changes, after semantic versioning: removing or moving a label is *breaking* and needs a move in the new
file; adding one is *additive*; severity, sensitivity or a definition is *wording*. Any change needs a later version.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from llama_mapper.contracts.identifiers import AnyCanonicalLabel
from llama_mapper.contracts.wire import Wire

from .tree import Taxonomy, TaxonomyError

Kind = Literal["breaking", "additive", "wording"]


class Change(Wire):
    kind: Kind
    label: AnyCanonicalLabel
    what: str


class Step(Wire):
    """``old`` becomes ``new``; several targets mean that a record keeps all of them."""

    old: AnyCanonicalLabel
    new: tuple[AnyCanonicalLabel, ...] = Field(min_length=1)


class Plan(Wire):
    """How records of one version become records of another; labels not named stay as they are."""

    from_version: str
    to_version: str
    steps: tuple[Step, ...]
    added: tuple[AnyCanonicalLabel, ...] = ()
    lossy: tuple[AnyCanonicalLabel, ...] = Field(
        default=(), description="Labels whose records cannot be told apart again once applied"
    )


def diff(old: Taxonomy, new: Taxonomy) -> list[Change]:
    """Return every difference, breaking ones first."""
    order: dict[Kind, int] = {"breaking": 0, "additive": 1, "wording": 2}
    return sorted(_changes(old, new), key=lambda change: (order[change.kind], change.label))


def _changes(old: Taxonomy, new: Taxonomy) -> Iterator[Change]:
    moved = {move.source: move.targets for move in new.moves}
    for label in old.labels:
        if label.name not in new:
            targets = moved.get(label.name)
            what = f"moved to {', '.join(targets)}" if targets else "removed without a move"
            yield Change(kind="breaking", label=label.name, what=what)
            continue
        after = new[label.name]
        for field in ("definition", "severity", "sensitivity"):
            before, now = getattr(label, field), getattr(after, field)
            if before != now:
                what = "definition changed" if field == "definition" else f"{field} {before} -> {now}"
                yield Change(kind="wording", label=label.name, what=what)
    for label in new.labels:
        if label.name not in old:
            yield Change(kind="additive", label=label.name, what="added")


def plan(old: Taxonomy, new: Taxonomy) -> Plan:
    """Return the plan from *old* to *new*.

    Raises:
        TaxonomyError: the version does not rise though something changed, or a label vanishes without a move.
    """
    changes = diff(old, new)
    faults = [f"{c.label}: {c.what}; add a move" for c in changes if c.what == "removed without a move"]
    if changes and new.version <= old.version:
        faults.append(f"version {new.version} must be later than {old.version}")
    if faults:
        raise TaxonomyError(faults)
    moved = {move.source: move.targets for move in new.moves}
    steps = tuple(Step(old=c.label, new=moved[c.label]) for c in changes if c.kind == "breaking")
    return Plan(
        from_version=old.version,
        to_version=new.version,
        steps=steps,
        added=tuple(c.label for c in changes if c.kind == "additive"),
        lossy=_lossy(steps, {label.name for label in old.labels}),
    )


def _lossy(steps: tuple[Step, ...], old_names: set[str]) -> tuple[str, ...]:
    """Targets that also hold records of another source: going back cannot tell whose they were."""
    targets = [target for step in steps for target in step.new]
    return tuple(sorted({t for t in targets if targets.count(t) > 1 or t in old_names}))


def invert(forward: Plan) -> Plan:
    """Return the way back; a record of a lossy label keeps that label's nearest surviving meaning, its first source."""
    back: dict[str, str] = {}
    for step in forward.steps:
        for target in step.new:
            if target not in forward.lossy:
                back[target] = step.old
    first = {s.old: s.new[0] for s in forward.steps}
    for lost in forward.lossy:
        sources = [old for old, new in first.items() if new == lost]
        if sources and lost in forward.added:
            back[lost] = sources[0]
    return Plan(
        from_version=forward.to_version,
        to_version=forward.from_version,
        steps=tuple(Step(old=old, new=(new,)) for old, new in sorted(back.items())),
        lossy=tuple(label for step in forward.steps if len(step.new) > 1 for label in step.new),
    )


def apply(migration: Plan, record: Any) -> Any:
    """Return *record* with every value under a key ``label`` or ``labels`` moved, and ``taxonomy`` set.

    A moved object keeps its old name under ``migrated_from``, which is what makes ``invert`` exact on it.

    Raises:
        ValueError: the record names another taxonomy version than the plan starts from.
    """
    moves: dict[str, tuple[str, ...]] = {str(step.old): tuple(map(str, step.new)) for step in migration.steps}
    return _moved(record, moves, migration)


def _moved(value: Any, moves: dict[str, tuple[str, ...]], migration: Plan) -> Any:
    if isinstance(value, list):
        return [part for item in value for part in _parts(item, moves, migration)]
    if not isinstance(value, dict):
        return value
    result = {key: _moved(item, moves, migration) for key, item in value.items()}
    if "taxonomy" in value:
        if value["taxonomy"] != migration.from_version:
            raise ValueError(
                f"a record is of taxonomy {value['taxonomy']}, the plan starts from {migration.from_version}"
            )
        result["taxonomy"] = migration.to_version
    if isinstance(label := value.get("label"), str):
        result |= _renamed(label, value, moves)
    if isinstance(labels := value.get("labels"), list) and all(isinstance(item, str) for item in labels):
        result["labels"] = list(dict.fromkeys(new for item in labels for new in moves.get(item, (item,))))
    return result


def _renamed(label: str, value: dict[str, Any], moves: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    origin = value.get("migrated_from")
    if origin and any(origin in new for new in moves.values()):  # on the way back: exact, also where a merge was lossy
        return {"label": origin, "migrated_from": label}
    if label not in moves:
        return {}
    return {"label": moves[label][0], "migrated_from": label}


def _parts(item: Any, moves: dict[str, tuple[str, ...]], migration: Plan) -> Iterator[Any]:
    """One list item, or several where its label was split."""
    moved = _moved(item, moves, migration)
    yield moved
    if isinstance(item, dict) and isinstance(item.get("label"), str) and "migrated_from" not in item:
        for extra in moves.get(item["label"], ())[1:]:
            yield moved | {"label": extra}
