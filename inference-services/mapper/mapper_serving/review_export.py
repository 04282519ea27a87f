"""What people decided in review, as vocabularies: rules of the next release and data for the next training."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml
from pydantic import ValidationError

from llama_mapper.contracts.mapping import DetectorKind
from llama_mapper.contracts.reviews import ReviewedLabel, ReviewItem
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE

from .vocabulary import Vocabularies, Vocabulary, VocabularyError, read

ANY_KIND: DetectorKind = "guardrail"
"""Of a detector whose findings did not say what it is for: the kind that may find anything."""

REFERENCE = "labels that came to the mapper and that people decided in its review queue"


class Exported(NamedTuple):
    """The files written, and why some decisions are in none: one line each."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def export(items: Iterable[ReviewItem], folder: Path, taxonomy: Taxonomy, known: Vocabularies) -> Exported:
    """Write the decisions of *items* into *folder*, a file for each detector and version.

    A label may mean two things in two versions. Rules of an earlier export stay, unless their label was decided anew;
    a label without a home is taken out.

    Raises:
        VocabularyError: a file that is in the way cannot be read, or holds a vendor's own list.
    """
    decided: dict[tuple[str, str], dict[str, list[ReviewItem]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        decided[item.detector, item.detector_version][item.label].append(item)
    files, left_out = [], []
    for (detector, version), words in sorted(decided.items()):
        path = folder / file_name(detector, version)
        before = _exported_before(path)
        labels: dict[str, Any] = dict(before.get("labels", {}))
        for word, said in sorted(words.items()):
            labels.pop(word, None)
            if why := _why_not(said, taxonomy):
                left_out.append(f"{detector} {version} {word}: {why}")
            elif entry := _entry(max(said, key=_decided_at)):
                labels[word] = entry
        if not labels:
            path.unlink(missing_ok=True)
            continue
        made = _document(detector, version, _kind(detector, version, words, known))
        document = made | before | {"published": len(labels), "labels": dict(sorted(labels.items()))}
        try:
            Vocabulary.model_validate(document)
        except ValidationError:
            left_out.append(f"{detector} {version}: the two are too long for the name of a vocabulary")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120), "utf-8")
        files.append(path)
    return Exported(tuple(files), tuple(left_out))


def file_name(detector: str, version: str) -> str:
    """Unlike any that a vendor's own list has. A version may hold a slash, and a detector's id a dot."""
    stated = "" if version == "unknown" else f"@{quote(version, safe='+')}"
    return f"{detector}{stated}.reviewed.yaml"


def _exported_before(path: Path) -> dict[str, Any]:
    """The document that is there, with what a person has changed in it since."""
    if not path.exists():
        return {}
    if not read(path).is_reviewed:
        raise VocabularyError([f"{path.name}: holds a vendor's own list; export to another folder"])
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return document


def _why_not(said: list[ReviewItem], taxonomy: Taxonomy) -> str | None:
    """A vocabulary knows words only: where one word came with several descriptions, they must mean the same."""
    meanings = {frozenset(_labels(item)) for item in said}
    if len(meanings) > 1:
        return "with different descriptions it means different things, which a vocabulary cannot say"
    gone = sorted({label.label for item in said for label in _labels(item)} - taxonomy.by_name.keys())
    return f"no label {gone[0]} in taxonomy {taxonomy.version}" if gone else None


def _labels(item: ReviewItem) -> tuple[ReviewedLabel, ...]:
    return item.decision.labels if item.decision else ()


def _decided_at(item: ReviewItem) -> float:
    return item.decision.at.timestamp() if item.decision else 0.0


def _entry(item: ReviewItem) -> dict[str, Any] | None:
    """What a vocabulary says of the label; None where it has no home."""
    decision = item.decision
    if decision is None or decision.decision == "reject":
        return None
    entry: dict[str, Any] = {"to": [{"label": said.label, "relation": said.relation} for said in decision.labels]}
    if len(decision.labels) == 1:
        (only,) = decision.labels
        entry = {"to": "negative"} if only.label == NEGATIVE else {"to": only.label, "relation": only.relation}
    reviewed = {"by": decision.by, "at": decision.at.isoformat(timespec="seconds"), "adapter": item.adapter}
    texts = {"description": item.description, "note": decision.note}
    entry |= {name: text for name, text in texts.items() if text}
    return entry | {"reviewed": {name: value for name, value in reviewed.items() if value}}


def _kind(detector: str, version: str, words: dict[str, list[ReviewItem]], known: Vocabularies) -> DetectorKind:
    """As the vendor's own list says, else as most findings said."""
    if curated := known.find(detector, version):
        return curated.kind
    said = [item.kind for items in words.values() for item in items if item.kind]
    return max(sorted(set(said)), key=said.count, default=ANY_KIND)


def _document(detector: str, version: str, kind: DetectorKind) -> dict[str, Any]:
    return {
        "detector": detector,
        "versions": [version],
        "name": f"{detector}, decided in review",
        "kind": kind,
        "source": {"reference": REFERENCE, "read": "reviewed"},
    }
