"""Curated rule maps: one YAML file says what one detector's words mean in the taxonomy."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, field_validator, model_validator

from llama_mapper.contracts.identifiers import AnyCanonicalLabel, AnyDetectorId
from llama_mapper.contracts.mapping import DetectorKind, Relation
from llama_mapper.contracts.models import Actor
from llama_mapper.contracts.wire import Prose, Severity, Token, Wire

VendorWord = Annotated[str, StringConstraints(min_length=1, max_length=200)]
VersionPattern = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:/+-]*)$")]
MAX_ID = 128
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,4})?")
Reading = Literal["parsed", "public-file", "unverified", "reviewed"]
"""``reviewed``: not a vendor's list, but labels that came and that people decided one by one."""


class VocabularyError(ValueError):
    """A file breaks the format; ``faults`` names file, label and what is wrong."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class Target(Wire):
    label: AnyCanonicalLabel
    relation: Relation = "exact"


class Reviewed(Wire):
    """Who decided a rule and when, and the adapter that had not been sure."""

    by: Actor
    at: AwareDatetime
    adapter: Token | None = None


class Rule(Wire):
    """What one vendor label means; ``negative`` is the detector's way to say that there is nothing."""

    targets: tuple[Target, ...] = ()
    negative: bool = False
    description: Prose | None = None
    note: Prose | None = None
    reviewed: Reviewed | None = None


class Band(Wire):
    """Numbers up to and including ``at_most`` mean ``severity``; a negative band means "nothing found"."""

    at_most: float
    severity: Severity
    negative: bool = False


class SeverityScale(Wire):
    """How a vendor grades: words, or bands of a number in rising order."""

    scale: dict[str, Severity] = {}
    bands: tuple[Band, ...] = ()
    negative: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> "SeverityScale":
        edges = [band.at_most for band in self.bands]
        if edges != sorted(set(edges)):
            raise ValueError("bands do not rise")
        if not {word.casefold() for word in self.negative} <= {word.casefold() for word in self.scale}:
            raise ValueError("a negative word is not on the scale")
        return self

    def grade(self, value: float | str) -> tuple[Severity, bool] | None:
        """Return (severity 0..4, negative) for the vendor's *value*, or None where the scale does not know it."""
        if isinstance(value, str):
            words = {word.casefold(): grade for word, grade in self.scale.items()}
            word = value.casefold()
            if word in words:
                return words[word], word in {n.casefold() for n in self.negative}
            if not _NUMBER.fullmatch(value):
                return None
            value = float(value)  # "0" is Azure's 0 as much as 0 is
        for band in self.bands:
            if value <= band.at_most:
                return band.severity, band.negative
        return (self.bands[-1].severity, False) if self.bands else None


class Source(Wire):
    reference: Prose
    read: Reading


class Vocabulary(Wire):
    """All rules of one detector, for the versions named."""

    detector: AnyDetectorId
    versions: tuple[VersionPattern, ...] = Field(min_length=1)
    aliases: tuple[AnyDetectorId, ...] = ()
    name: Prose
    kind: DetectorKind
    source: Source
    published: int = Field(ge=1)
    severity: SeverityScale | None = None
    labels: dict[VendorWord, Rule] = Field(min_length=1)
    unmapped: dict[VendorWord, Prose] = {}

    @field_validator("labels", mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        rules = {}
        for word, entry in value.items():
            if not isinstance(word, str):  # YAML reads 1 as a number and no as False
                raise ValueError(f"{word!r} is not text; put it in quotes")
            try:
                rules[word] = _rule(entry)
            except ValueError as error:
                raise ValueError(f"{word}: {error}") from None
        return rules

    @model_validator(mode="after")
    def _can_be_named(self) -> "Vocabulary":
        if len(self.id) > MAX_ID:
            raise ValueError(f"detector and versions together are longer than {MAX_ID} characters")
        return self

    @property
    def id(self) -> str:
        """How provenance names the vocabulary that was used."""
        layer = "reviewed:" if self.is_reviewed else ""
        return f"{layer}{self.detector}:{'+'.join('any' if v == '*' else v for v in self.versions)}"

    @property
    def is_reviewed(self) -> bool:
        """Whether its rules were decided label by label; they stand behind those of the vendor's own list."""
        return self.source.read == "reviewed"

    @property
    def covered(self) -> float:
        """Share of the vendor's published labels that have a rule, 0..1."""
        return min(1.0, len(self.labels) / self.published)


def _rule(entry: Any) -> Any:
    """Unfold ``negative``, ``LABEL`` and ``{to: …, relation: …}``."""
    if entry == "negative":
        return {"negative": True}
    if isinstance(entry, str):
        return {"targets": [{"label": entry}]}
    if not isinstance(entry, dict):
        return entry
    rest = {key: value for key, value in entry.items() if key not in ("to", "relation")}
    to, relation = entry.get("to"), entry.get("relation", "exact")
    if "targets" in rest or "negative" in rest:
        raise ValueError("an entry says where it leads with 'to' alone")
    if to == "negative":
        if "relation" in entry:
            raise ValueError("a negative has no relation")
        return rest | {"negative": True}
    if isinstance(to, list):
        return rest | {"targets": [{"label": t, "relation": relation} if isinstance(t, str) else t for t in to]}
    return rest | {"targets": [{"label": to, "relation": relation}]}


class _NoDuplicates(yaml.SafeLoader):
    """YAML takes the last of two equal keys in silence; here that is a typo."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: list[Any] = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise VocabularyError([f"line {key_node.start_mark.line + 1}: {key!r} stands twice"])
            seen.append(key)
        return super().construct_mapping(node, deep)


def read(path: Path) -> Vocabulary:
    """Read one file.

    Raises:
        VocabularyError: no YAML, a key twice, an unknown field, a label that is no label; file and place are named.
    """
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=_NoDuplicates)  # noqa: S506 - a SafeLoader
        return Vocabulary.model_validate(document)
    except VocabularyError as error:
        raise VocabularyError(f"{path.name}: {fault}" for fault in error.faults) from None
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError([f"{path.name}: cannot be read ({type(error).__name__})"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise VocabularyError([f"{path.name}: not YAML{f', line {mark.line + 1}' if mark else ''}"]) from None
    except ValidationError as error:
        faults = (f"{'.'.join(str(p) for p in e['loc']) or '(file)'}: {e['msg']}" for e in error.errors())
        raise VocabularyError(f"{path.name}: {fault}" for fault in faults) from None


def read_all(folder: Path) -> tuple[Vocabulary, ...]:
    """Read every ``*.yaml`` of *folder*.

    Raises:
        VocabularyError: with the faults of all files.
    """
    vocabularies: list[Vocabulary] = []
    faults: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            vocabularies.append(read(path))
        except VocabularyError as error:
            faults.extend(error.faults)
    if faults:
        raise VocabularyError(faults)
    if not vocabularies:
        raise VocabularyError([f"{folder}: no vocabularies here"])
    return tuple(vocabularies)


class Vocabularies:
    """Finds the vocabulary of a detector at a version, and in it the rule of a label."""

    def __init__(self, vocabularies: Iterable[Vocabulary]) -> None:
        self.all = tuple(vocabularies)
        self._curated = _by_detector(v for v in self.all if not v.is_reviewed)
        self._reviewed = _by_detector(v for v in self.all if v.is_reviewed)
        self._folded = {v.id: _unique_by_folded(v.labels) for v in self.all}

    def find(self, detector: str, version: str) -> Vocabulary | None:
        """The vocabulary whose version pattern fits best: equal, else the longest dotted prefix, else ``*``.

        A version the detector did not state fits only where the detector has a single vocabulary. What was decided in
        review holds for the version it says, ``unknown`` too, and stands behind the vendor's own list.
        """
        return next(self._fitting(detector, version), None)

    def lookup(self, detector: str, version: str, label: str) -> tuple[Vocabulary, Rule] | None:
        """The rule for *label* and where it stands: in the vendor's list, else among those decided in review."""
        for vocabulary in self._fitting(detector, version):
            if rule := self.rule(vocabulary, label):
                return vocabulary, rule
        return None

    def _fitting(self, detector: str, version: str) -> Iterator[Vocabulary]:
        curated, reviewed = self._curated.get(detector, []), self._reviewed.get(detector, [])
        alone = curated[0] if len(curated) == 1 else None
        own = alone if version == "unknown" else _best(curated, version)
        return (found for found in (own, _best(reviewed, version)) if found)

    def rule(self, vocabulary: Vocabulary, label: str) -> Rule | None:
        """The rule for *label*: as spelled, else by another case, else without a BIO tag prefix (``B-PER``)."""
        if label in vocabulary.labels:
            return vocabulary.labels[label]
        folded = self._folded[vocabulary.id]
        bare = label[2:] if label[:2] in ("B-", "I-", "E-", "S-") else label
        return folded.get(label.casefold()) or vocabulary.labels.get(bare) or folded.get(bare.casefold())


def _by_detector(vocabularies: Iterable[Vocabulary]) -> dict[str, list[Vocabulary]]:
    found: dict[str, list[Vocabulary]] = {}
    for vocabulary in vocabularies:
        for detector in (vocabulary.detector, *vocabulary.aliases):
            found.setdefault(detector, []).append(vocabulary)
    return found


def _best(candidates: Sequence[Vocabulary], version: str) -> Vocabulary | None:
    best: tuple[int, Vocabulary] | None = None
    for vocabulary in candidates:
        for pattern in vocabulary.versions:
            fit = _fit(pattern, version)
            if fit and (best is None or fit > best[0]):
                best = (fit, vocabulary)
    return best[1] if best else None


def _fit(pattern: str, version: str) -> int:
    """0 = no fit; longer is better; equality beats any prefix."""
    if pattern == version:
        return 1000
    if pattern == "*":
        return 1
    return 1 + len(pattern) if version.startswith((pattern + ".", pattern + "-", pattern + "+")) else 0


def _unique_by_folded(labels: Mapping[str, Rule]) -> dict[str, Rule]:
    """Lower-cased words that name one rule only; where two words differ in case alone, case matters."""
    folded: dict[str, list[Rule]] = {}
    for word, rule in labels.items():
        folded.setdefault(word.casefold(), []).append(rule)
    return {word: rules[0] for word, rules in folded.items() if all(r == rules[0] for r in rules)}
