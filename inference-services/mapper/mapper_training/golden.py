"""The golden set: what vendors' words mean, in two passes that did not see each other, a third settling the rest."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from llama_mapper.contracts.identifiers import AnyCanonicalLabel
from llama_mapper.contracts.mapping import Relation
from llama_mapper.contracts.wire import Token, VendorDescription, VendorLabel, Wire

from .data import Example
from .split import family

Passes = Literal["agreed", "first", "second", "both", "neither"]


class Case(Wire):
    """A vendor's word and the labels that are right for it; no labels: it has no home, abstaining is right.

    ``passes`` says whose labels these are where the two passes shared none.
    """

    vendor: Token
    kind: Token
    word: VendorLabel
    description: VendorDescription | None = None
    labels: dict[AnyCanonicalLabel, Relation]
    passes: Passes


def read_cases(path: Path) -> tuple[Case, ...]:
    lines = path.read_text("utf-8").splitlines()
    return TypeAdapter(tuple[Case, ...]).validate_python([json.loads(line) for line in lines])


def examples(cases: Collection[Case], families: Collection[str]) -> list[Example]:
    """Return the cases of the vendors in *families*, in their order."""
    return [
        Example(case.word, case.description, case.kind, case.vendor, tuple(case.labels.items()), "curated")
        for case in cases
        if family(case.vendor) in families
    ]
