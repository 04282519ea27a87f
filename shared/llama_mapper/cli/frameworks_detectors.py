"""What each detector can report, drawn from the mapper's vocabularies into one small file that analyze reads."""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mapper_serving.vocabulary import Vocabulary

NO_DETECTORS = frozenset(
    {
        "ai4privacy-200k",
        "beavertails",
        "bipia-attacks",
        "conll-ner",
        "cyberseceval-injection",
        "davidson",
        "mitre-atlas",
        "mlcommons-ailuminate",
        "presidio-research-gold",
        "risk-tags-misp",
    }
)
"""Files of label lists of data sets, benchmarks and catalogues: they are mapped, and nobody can switch them on."""


def text_of(vocabularies: Sequence["Vocabulary"]) -> str:
    """The file's text; the same vocabularies always give the same text."""
    names = {name for v in vocabularies for name in (v.detector, *v.aliases)}
    if missing := sorted(NO_DETECTORS - names):
        raise ValueError(f"no vocabulary is called {missing[0]} any more")
    speakers = sorted(
        (_speaker(vocabulary) for vocabulary in vocabularies if not vocabulary.is_reviewed),
        key=lambda speaker: (speaker["detector"], speaker["versions"]),
    )
    digest = hashlib.sha256(json.dumps(speakers, sort_keys=True).encode()).hexdigest()[:12]
    lines = ",\n".join(json.dumps(speaker) for speaker in speakers)
    return f'{{"version": "{digest}", "speakers": [\n{lines}\n]}}\n'


def _speaker(vocabulary: "Vocabulary") -> dict[str, Any]:
    labels = {target.label for rule in vocabulary.labels.values() for target in rule.targets}
    named = {vocabulary.detector, *vocabulary.aliases}
    speaker: dict[str, Any] = {"detector": vocabulary.detector, "versions": list(vocabulary.versions)}
    if vocabulary.aliases:
        speaker["aliases"] = list(vocabulary.aliases)
    if named & NO_DETECTORS:
        speaker["runs"] = False
    return speaker | {"labels": sorted(labels)}
