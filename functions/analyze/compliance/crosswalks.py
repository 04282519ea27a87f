"""How controls of different frameworks relate: crosswalks.yaml, by the set theory of NIST IR 8477.

A relation compares what two controls ask for, as sets: ``subset`` means that all the first asks for is among what the
second asks for, and that the second asks for more. ``intersects`` promises nothing but common ground. What is not
listed is not said to be unrelated: only relations that could be justified are here.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from llama_mapper.contracts.identifiers import AnyFrameworkId
from llama_mapper.contracts.wire import Prose, Token, Wire

from ..files import parsed
from ..frameworks import ControlId, Frameworks

FILE = Path(__file__).with_name("crosswalks.yaml")

SetRelation = Literal["equal", "subset", "superset", "intersects"]
INVERSE: Mapping[SetRelation, SetRelation] = {
    "equal": "equal",
    "subset": "superset",
    "superset": "subset",
    "intersects": "intersects",
}
Point = tuple[str, str]
"""A framework and one of its controls."""


class CrosswalkError(ValueError):
    """The file breaks the format, names what is not there or contradicts itself; a line for each."""


class Relation(Wire):
    """*control* of the first framework is ``relation`` of *other* in the second."""

    control: ControlId
    relation: SetRelation
    other: ControlId
    rationale: Prose


class Pair(Wire):
    """Two frameworks, the first one first in the alphabet, and what is known between them."""

    first: AnyFrameworkId
    second: AnyFrameworkId
    relations: tuple[Relation, ...] = Field(min_length=1)


class Crosswalks(Wire):
    """All pairs. Each relation is written once and holds both ways."""

    version: Token
    pairs: tuple[Pair, ...]

    @cached_property
    def between(self) -> Mapping[tuple[Point, Point], tuple[SetRelation, str]]:
        """(control, other) -> relation and rationale, in both directions."""
        found: dict[tuple[Point, Point], tuple[SetRelation, str]] = {}
        for pair in self.pairs:
            for each in pair.relations:
                a, b = (pair.first, each.control), (pair.second, each.other)
                found[a, b] = each.relation, each.rationale
                found[b, a] = INVERSE[each.relation], each.rationale
        return found

    def of(self, framework: str, control: str) -> tuple[tuple[Point, SetRelation, str], ...]:
        """What is known of one control, by framework and control."""
        here = (framework, control)
        return tuple(sorted((b, *said) for (a, b), said in self.between.items() if a == here))


def load(frameworks: Frameworks, path: Path = FILE) -> Crosswalks:
    """Read the crosswalks and check them against the *frameworks* that they speak of.

    Raises:
        CrosswalkError: cannot be read, a framework or control that is not there, a pair twice, a contradiction.
    """
    crosswalks = parsed(path, Crosswalks, CrosswalkError)
    if found := list(faults_of(crosswalks, frameworks)):
        raise CrosswalkError("\n".join(found))
    return crosswalks


def faults_of(crosswalks: Crosswalks, frameworks: Frameworks) -> Iterator[str]:
    """Every dangling id, everything said twice, every contradiction."""
    known = {f.framework: {control.id for control in f.controls} for f in frameworks.all}
    seen: set[tuple[Point, Point]] = set()
    pairs: set[tuple[str, str]] = set()
    for pair in crosswalks.pairs:
        if pair.first >= pair.second:
            yield f"{pair.first} and {pair.second}: the first in the alphabet comes first"
        if (pair.first, pair.second) in pairs:
            yield f"{pair.first} and {pair.second}: stand twice"
        pairs.add((pair.first, pair.second))
        for each in pair.relations:
            points = (pair.first, each.control), (pair.second, each.other)
            yield from (f"{f} {c}: is not there" for f, c in points if c not in known.get(f, ()))
            if points in seen:
                yield f"{pair.first} {each.control} and {pair.second} {each.other}: related twice"
            seen.add(points)
    yield from _contradictions(crosswalks)


def _contradictions(crosswalks: Crosswalks) -> Iterator[str]:
    """Follow equal, subset and superset as far as they lead, and compare with what is written."""
    said = {points: relation for points, (relation, _) in crosswalks.between.items()}
    derived: dict[tuple[Point, Point], SetRelation] = {
        points: relation for points, relation in said.items() if relation != "intersects"
    }
    while new := {points: relation for points, relation in _joined(derived) if points not in derived}:
        derived |= new
    clashes = {points for points, relation in _joined(derived) if derived[points] != relation}
    clashes |= {(a, b) for (a, b), relation in derived.items() if said.get((a, b), relation) != relation}
    clashes |= {(a, b) for (a, b), relation in derived.items() if a == b and relation != "equal"}
    for a, b in sorted(clashes):
        if a <= b:
            yield f"{a[0]} {a[1]} and {b[0]} {b[1]}: the relations around them contradict each other"


def _joined(known: Mapping[tuple[Point, Point], SetRelation]) -> Iterator[tuple[tuple[Point, Point], SetRelation]]:
    """What follows for a and c from a, b and b, c: equal carries over, subset of a subset is one, so is superset."""
    leads: dict[Point, list[tuple[Point, SetRelation]]] = {}
    for (a, b), relation in known.items():
        leads.setdefault(a, []).append((b, relation))
    for (a, b), first in known.items():
        for c, second in leads.get(b, ()):
            if first == "equal" or second in ("equal", first):
                yield (a, c), second if first == "equal" else first
