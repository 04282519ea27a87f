"""Read and check taxonomy.yaml."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError

from llama_mapper.contracts.identifiers import AnyCanonicalLabel, CanonicalLabel
from llama_mapper.contracts.wire import Prose, Severity, Wire

Sensitivity = Literal["public", "internal", "personal", "special_category", "secret", "safety"]
Alias = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Scheme = Literal["ailuminate", "owasp_llm", "mitre_atlas", "nist_ai_600_1", "gdpr", "hipaa"]

UNKNOWN = CanonicalLabel("OTHER.Unknown")
NEGATIVE = CanonicalLabel("SAFETY_NEGATIVE.NONE")

VARIABLE = "LLAMA_MAPPER_TAXONOMY"
DEFAULT = Path(os.environ.get(VARIABLE) or Path(__file__).with_name("taxonomy.yaml"))
"""The wheel's own file, or the one that a cluster mounts in its place."""
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it


class TaxonomyError(ValueError):
    """The file breaks rules; ``faults`` names every one, with the label."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Label(Wire):
    """One node of the tree; inner nodes are labels too, the home of a vendor's broad words."""

    name: AnyCanonicalLabel
    definition: Prose
    includes: tuple[Prose, ...] = ()
    excludes: tuple[Prose, ...] = ()
    aliases: tuple[Alias, ...] = ()
    severity: Severity
    sensitivity: Sensitivity
    references: dict[Scheme, tuple[str, ...]] = {}

    @property
    def pillar(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def parent(self) -> CanonicalLabel | None:
        head, _, _ = self.name.rpartition(".")
        return CanonicalLabel(head) if head else None


class Move(Wire):
    """What became of a label of the previous version: one target is a rename or a merge, several a split."""

    source: AnyCanonicalLabel = Field(alias="from")
    targets: tuple[AnyCanonicalLabel, ...] = Field(alias="to", min_length=1)


class Taxonomy(Wire):
    """All labels of one version, in file order, and how the previous version's labels move into it."""

    version: Annotated[str, StringConstraints(pattern=r"^20\d\d\.(0[1-9]|1[0-2])$")]
    labels: tuple[Label, ...] = Field(min_length=1)
    previous: str | None = None
    moves: tuple[Move, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Label]:
        return {label.name: label for label in self.labels}

    @cached_property
    def by_alias(self) -> Mapping[str, tuple[Label, ...]]:
        """Normalised alias -> labels; several only where pillars share a word."""
        found: dict[str, list[Label]] = {}
        for label in self.labels:
            for alias in {normalise(a) for a in label.aliases}:
                found.setdefault(alias, []).append(label)
        return {alias: tuple(labels) for alias, labels in found.items()}

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __getitem__(self, name: str) -> Label:
        return self.by_name[name]

    def children(self, name: str | None) -> Iterator[Label]:
        return (label for label in self.labels if label.parent == name)

    def is_within(self, name: str, ancestor: str) -> bool:
        """Whether *name* is *ancestor* or below it."""
        return name == ancestor or name.startswith(ancestor + ".")

    def search(self, words: str) -> list[Label]:
        """Labels whose name, aliases or definition hold every word, best (name, then alias) first."""
        wanted = normalise(words).split()

        def rank(label: Label) -> int | None:
            for place, text in enumerate((label.name, " ".join(label.aliases), label.definition)):
                if all(word in normalise(text) for word in wanted):
                    return place
            return None

        ranked = [(place, label) for label in self.labels if (place := rank(label)) is not None]
        return [label for _, label in sorted(ranked, key=lambda pair: pair[0])]


def normalise(text: str) -> str:
    """Lower case, with anything that is not a letter or digit as one blank: how words are compared here."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def parse(document: Any) -> Taxonomy:
    """Build a taxonomy from a loaded YAML document.

    Raises:
        TaxonomyError: with every broken rule: shape, a missing parent, a name or alias twice, a move to nowhere.
    """
    try:
        taxonomy = Taxonomy.model_validate(document)
    except ValidationError as error:
        raise TaxonomyError([_fault(document, e) for e in error.errors(include_url=False)]) from None
    if faults := list(_faults(taxonomy)):
        raise TaxonomyError(faults)
    return taxonomy


def _fault(document: Any, fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    labels = document.get("labels") if isinstance(document, dict) else None
    if fault["loc"][:1] == ("labels",) and len(fault["loc"]) > 1 and isinstance(labels, list):
        entry = labels[fault["loc"][1]]
        place += f" ({entry['name']})" if isinstance(entry, dict) and "name" in entry else ""
    return f"{place}: {fault['msg']}"


def _faults(taxonomy: Taxonomy) -> Iterator[str]:
    for name, times in Counter(label.name for label in taxonomy.labels).items():
        if times > 1:
            yield f"{name}: defined {times} times"
    for label in taxonomy.labels:
        if label.parent and label.parent not in taxonomy:
            yield f"{label.name}: its parent {label.parent} is not defined"
    for pillar in {label.pillar for label in taxonomy.labels}:
        holders: dict[str, list[str]] = {}
        for label in taxonomy.labels:
            if label.pillar == pillar:
                for alias in {normalise(a) for a in label.aliases}:
                    holders.setdefault(alias, []).append(label.name)
        for alias, names in holders.items():
            if len(names) > 1:
                yield f"alias {alias!r} is claimed by {' and '.join(names)}"
    for needed in (UNKNOWN, NEGATIVE):
        if needed not in taxonomy:
            yield f"{needed}: every version needs this label"
    for source, times in Counter(move.source for move in taxonomy.moves).items():
        if times > 1:
            yield f"move from {source}: stands {times} times"
        if source in taxonomy:
            yield f"move from {source}: that label is still there"
    for move in taxonomy.moves:
        yield from (f"move from {move.source}: no label {t}" for t in move.targets if t not in taxonomy)


def current_version() -> str:
    """The version of the taxonomy in use, without reading all of it.

    Raises:
        TaxonomyError: there is no such file, or no version in it.
    """
    try:
        with DEFAULT.open(encoding="utf-8") as lines:
            return next(line for line in lines if line.startswith("version:")).removeprefix("version:").strip(' "\n')
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        raise TaxonomyError([f"{DEFAULT.name}: has no version that can be read ({type(error).__name__})"]) from error


def load(path: Path = DEFAULT) -> Taxonomy:
    """Read a taxonomy file.

    Raises:
        TaxonomyError: the file is no YAML or breaks the rules of ``parse``.
    """
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=_FAST)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TaxonomyError([f"{path.name}: cannot be read ({type(error).__name__})"]) from error
    return parse(document)
