"""Prove what can be proven about a vocabulary without reading the vendor's mind."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE, UNKNOWN, Label, normalise

from .vocabulary import Vocabulary, VocabularyError, read


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a vendor's published list one file covers, and how its targets relate."""

    vocabulary: Vocabulary
    mapped: int
    negatives: int
    unmapped: int
    exact: int

    @property
    def share(self) -> float:
        return self.vocabulary.covered


@dataclass(frozen=True, slots=True)
class Report:
    faults: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    reached: frozenset[str]
    unreached: tuple[str, ...]

    @property
    def reached_share(self) -> float:
        """Share of canonical labels that at least one vendor label reaches, 0..1."""
        total = len(self.reached) + len(self.unreached)
        return len(self.reached) / total if total else 0.0


def lint(folder: Path, taxonomy: Taxonomy) -> Report:
    """Check every file of *folder*; faults name file, vendor label and reason."""
    faults: list[str] = []
    coverage: list[Coverage] = []
    claimed: dict[tuple[str, str, bool], str] = {}
    reached: set[str] = set()
    for path in sorted(folder.glob("*.yaml")):
        try:
            vocabulary = read(path)
        except VocabularyError as error:
            faults.extend(error.faults)
            continue
        faults.extend(f"{path.name}: {fault}" for fault in _faults(vocabulary, taxonomy))
        layer = vocabulary.is_reviewed  # beside a vendor's list there may be labels decided in review
        for key in ((d, v, layer) for d in (vocabulary.detector, *vocabulary.aliases) for v in vocabulary.versions):
            if key in claimed:
                faults.append(f"{path.name}: {key[0]} {key[1]} is already the business of {claimed[key]}")
            claimed[key] = path.name
        targets = [t for rule in vocabulary.labels.values() for t in rule.targets]
        reached |= {t.label for t in targets if t.label in taxonomy}
        negatives = sum(rule.negative for rule in vocabulary.labels.values())
        reached |= {NEGATIVE} if negatives else set()
        coverage.append(
            Coverage(
                vocabulary=vocabulary,
                mapped=len(vocabulary.labels),
                negatives=negatives,
                unmapped=len(vocabulary.unmapped),
                exact=sum(t.relation == "exact" for t in targets),
            )
        )
    if not faults and not coverage:
        faults.append(f"{folder}: no vocabularies here")
    names = {label.name for label in taxonomy.labels} - {UNKNOWN}
    return Report(tuple(faults), tuple(coverage), frozenset(reached), tuple(sorted(names - reached)))


def _faults(vocabulary: Vocabulary, taxonomy: Taxonomy) -> Iterator[str]:
    named = len(vocabulary.labels) + len(vocabulary.unmapped)
    if named < vocabulary.published:
        yield f"published {vocabulary.published} labels, only {named} are mapped or explained"
    for word in vocabulary.labels.keys() & vocabulary.unmapped.keys():
        yield f"{word}: both mapped and unmapped"
    for word, rule in vocabulary.labels.items():
        if not rule.targets and not rule.negative:
            yield f"{word}: no target"
        if vocabulary.is_reviewed and not rule.reviewed:
            yield f"{word}: nobody is named who reviewed it"
        names = [target.label for target in rule.targets]
        if len(names) != len(set(names)):
            yield f"{word}: a target stands twice"
        for target in rule.targets:
            if target.label not in taxonomy:
                yield f"{word}: no label {target.label}"
                continue
            if target.label == UNKNOWN:
                yield f"{word}: {UNKNOWN} is no target of a curated map"
                continue
            if taxonomy.is_within(NEGATIVE, target.label):
                yield f"{word}: {target.label} is written 'negative'"
                continue
            better = _narrower(word, rule.description, taxonomy[target.label], taxonomy)
            if (
                better
                and not (rule.note or rule.reviewed)
                and not any(taxonomy.is_within(name, better) for name in names)
            ):
                yield f"{word}: {better} below {target.label} has this very alias; use it, or say why not in a note"


def _narrower(word: str, description: str | None, label: Label, taxonomy: Taxonomy) -> str | None:
    """A label below *label* one of whose aliases is exactly the vendor's word."""
    for text in (word, description or ""):
        for candidate in taxonomy.by_alias.get(normalise(text), ()):
            if candidate.name != label.name and taxonomy.is_within(candidate.name, label.name):
                return candidate.name
    return None
