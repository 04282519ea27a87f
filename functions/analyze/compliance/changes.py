"""What changed between two versions of a framework: the sheet that a reviewer signs before a release."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from ..frameworks import Entry, Framework

Kind = Literal[
    "framework",
    "control removed",
    "control added",
    "control reworded",
    "label moved",
    "label no longer fits",
    "label now fits",
    "rationale reworded",
    "reason reworded",
]
ORDER: tuple[Kind, ...] = (
    "framework",
    "control removed",
    "control added",
    "label no longer fits",
    "label now fits",
    "label moved",
    "control reworded",
    "rationale reworded",
    "reason reworded",
)
"""What changes a meaning first, wording after it."""


class Change(NamedTuple):
    kind: Kind
    subject: str
    what: str


def diff(old: Framework, new: Framework, labels: Sequence[str]) -> tuple[Change, ...]:
    """Return every difference. *labels* are those of the taxonomy: each is shown where its own answer changed,
    whichever entry it takes it from."""
    changes = [*_head(old, new), *_controls(old, new), *_labels(old, new, labels)]
    return tuple(sorted(changes, key=lambda change: ORDER.index(change.kind)))


def _head(old: Framework, new: Framework) -> Iterator[Change]:
    for field in ("framework", "name", "edition", "published", "effective", "stages", "reference", "version"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            shown = "changed" if field == "stages" else f"{before} -> {after}"
            yield Change("framework", field, shown)


def _controls(old: Framework, new: Framework) -> Iterator[Change]:
    before = {control.id: control for control in old.controls}
    after = {control.id: control for control in new.controls}
    yield from (Change("control removed", i, before[i].title) for i in before if i not in after)
    yield from (Change("control added", i, after[i].title) for i in after if i not in before)
    for name in (i for i in before if i in after and before[i] != after[i]):
        for field in ("title", "summary", "reference"):
            was, now = getattr(before[name], field), getattr(after[name], field)
            if was != now:
                yield Change("control reworded", name, f"{field}: {was} -> {now}")


def _labels(old: Framework, new: Framework, labels: Sequence[str]) -> Iterator[Change]:
    for label in labels:
        was, now = _answer(old.entry(label)), _answer(new.entry(label))
        if set(was) == set(now) and bool(was) == bool(now):
            yield from _wording(label, old.entry(label), new.entry(label))
        elif not now:
            yield Change("label no longer fits", label, " ".join(f"-{i}" for i in was))
        elif not was:
            yield Change("label now fits", label, " ".join(f"+{i}" for i in now))
        else:
            gone, come = [i for i in was if i not in now], [i for i in now if i not in was]
            yield Change("label moved", label, " ".join([f"-{i}" for i in gone] + [f"+{i}" for i in come]))


def _wording(label: str, old: Entry | None, new: Entry | None) -> Iterator[Change]:
    was, now = _answer(old), _answer(new)
    for control in was:
        if was[control] != now[control]:
            yield Change("rationale reworded", label, f"{control}: {was[control]} -> {now[control]}")
    before, after = old.none if old else None, new.none if new else None
    if before != after:
        yield Change("reason reworded", label, f"{before} -> {after}")


def _answer(entry: Entry | None) -> dict[str, str]:
    return {touch.id: touch.rationale for touch in entry.controls} if entry else {}
