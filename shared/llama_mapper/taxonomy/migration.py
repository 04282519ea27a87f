"""Move from one taxonomy version to the next: what changed, a plan, the plan applied to old records, and back.

The rule for changes, after semantic versioning: removing or moving a label is *breaking* and needs a move in the new
file; adding one is *additive*; anything else about a label is *wording*. Any change needs a later version.

A record is a JSON value. Its objects with a ``label`` remember under ``migrated_from`` what they were called, so that
the way back is exact for them even where labels were merged; lists of bare names under ``labels`` cannot remember.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from llama_mapper.contracts.identifiers import AnyCanonicalLabel
from llama_mapper.contracts.wire import Wire

from .tree import Taxonomy, TaxonomyError

Kind = Literal["breaking", "additive", "wording"]
Moves = Mapping[str, tuple[str, ...]]

TRAIL = "migrated_from"


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
        for field in (name for name in type(label).model_fields if name != "name"):
            before, now = getattr(label, field), getattr(after, field)
            if before != now:
                what = f"{field} {before} -> {now}" if field in ("severity", "sensitivity") else f"{field} changed"
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
    for lost in forward.lossy:
        sources = sorted((s.new.index(lost), s.old) for s in forward.steps if lost in s.new)
        if sources and lost in forward.added:
            back[lost] = sources[0][1]
    return Plan(
        from_version=forward.to_version,
        to_version=forward.from_version,
        steps=tuple(Step(old=old, new=(new,)) for old, new in sorted(back.items())),
        lossy=tuple(label for step in forward.steps if len(step.new) > 1 for label in step.new),
    )


def apply(migration: Plan, record: Any) -> Any:
    """Return *record* with every value under a key ``label`` or ``labels`` moved, and ``taxonomy`` set.

    An object in a list whose label was split becomes one object a target; hand over a file of records as one list.

    Raises:
        ValueError: the record names another taxonomy version than the plan starts from.
    """
    return _moved(record, {step.old: step.new for step in migration.steps}, migration)


def _moved(value: Any, moves: Moves, migration: Plan) -> Any:
    if isinstance(value, list):
        return _items(value, moves, migration)
    if not isinstance(value, dict):
        return value
    result = {key: item if key == TRAIL else _moved(item, moves, migration) for key, item in value.items()}
    if "taxonomy" in value:
        if value["taxonomy"] != migration.from_version:
            raise ValueError(
                f"a record is of taxonomy {value['taxonomy']}, the plan starts from {migration.from_version}"
            )
        result["taxonomy"] = migration.to_version
    if isinstance(label := value.get("label"), str):
        result |= _renamed(label, _trail(value), moves, migration)
        if not result.get(TRAIL, True):
            del result[TRAIL]
    if isinstance(labels := value.get("labels"), list) and all(isinstance(item, str) for item in labels):
        result["labels"] = list(dict.fromkeys(new for item in labels for new in moves.get(item, (item,))))
    return result


def _renamed(label: str, trail: list[dict[str, Any]], moves: Moves, migration: Plan) -> dict[str, Any]:
    if trail and trail[-1]["taxonomy"] == migration.to_version:  # versions only rise, so this is the way back
        return {"label": trail[-1]["label"], TRAIL: trail[:-1]}
    if label not in moves:
        return {}
    return {"label": moves[label][0], TRAIL: [*trail, {"taxonomy": migration.from_version, "label": label}]}


def _items(items: list[Any], moves: Moves, migration: Plan) -> list[Any]:
    """One item each, several where a label was split, and on the way back one again."""
    result: list[Any] = []
    for item in items:
        moved = _moved(item, moves, migration)
        if _is_part(item, migration) and result and result[-1] == moved:
            continue
        result.append(moved)
        if len(trail := _trail(moved)) > len(_trail(item)):
            part = [*trail[:-1], trail[-1] | {"part": True}]
            result.extend(moved | {"label": target, TRAIL: part} for target in moves[item["label"]][1:])
    return result


def _is_part(item: Any, migration: Plan) -> bool:
    """Whether *item* is a further part of a split that *migration* takes back."""
    trail = _trail(item)
    return bool(trail) and trail[-1]["taxonomy"] == migration.to_version and trail[-1].get("part", False)


def _trail(item: Any) -> list[dict[str, Any]]:
    """What *item* was called before, oldest first; empty where it never moved."""
    trail = item.get(TRAIL) if isinstance(item, dict) else None
    if not isinstance(trail, list) or not all(isinstance(e, dict) and {"taxonomy", "label"} <= e.keys() for e in trail):
        return []
    return trail
