"""Which vendors belong together, and which of them train and test."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mapper_serving.vocabulary import Vocabulary

from .variation import dice

FOLDS = 5
# Detectors whose words come from one list: the same product's versions, a wrapper around another detector, or heads
# trained on one data set. They are held out together, else a test vendor's own words would stand in training.
FAMILIES: dict[str, str] = {
    "llama-guard": "llama-guard",
    "mlcommons-ailuminate": "llama-guard",
    "detoxify": "jigsaw",
    "tox-block": "jigsaw",
    "presidio": "presidio",
    "presidio-research-gold": "presidio",
    "openai-guardrails-pii": "presidio",
    "llm-guard-anonymize-entities": "presidio",
    "detect-secrets": "detect-secrets",
    "llm-guard-secrets": "detect-secrets",
    "openai-moderation": "openai-moderation",
    "openai-moderation-2022": "openai-moderation",
    "aws-comprehend-pii": "aws-pii",
    "aws-bedrock-guardrails-pii": "aws-pii",
    "jailguard": "injection-heads",
    "minilm-injection": "injection-heads",
    "nanoguard": "injection-heads",
    "deepset-deberta-injection": "injection-heads",
    "protectai-deberta-pi": "injection-heads",
}


def family(detector: str) -> str:
    return FAMILIES.get(detector, detector)


class Split(NamedTuple):
    """Families of vendors, each in one part only."""

    train: frozenset[str]
    test: frozenset[str]


def folds(vocabularies: Iterable[Vocabulary], seed: int = 7) -> tuple[frozenset[str], ...]:
    """Deal families into FOLDS parts, alike in labels and in kinds of detector: largest first, to the emptiest part."""
    size: Counter[str] = Counter()
    kind: dict[str, str] = {}
    for vocabulary in vocabularies:
        size[family(vocabulary.detector)] += min(len(vocabulary.labels), 200)
        kind.setdefault(family(vocabulary.detector), vocabulary.kind)
    names = sorted(size)
    dice(seed).shuffle(names)
    names.sort(key=lambda name: -size[name])
    dealt: list[list[str]] = [[] for _ in range(FOLDS)]

    def load(part: Sequence[str], name: str) -> tuple[int, int, int]:
        return (sum(kind[other] == kind[name] for other in part), sum(size[o] for o in part), len(part))

    for name in names:
        min(dealt, key=lambda part: load(part, name)).append(name)
    return tuple(frozenset(part) for part in dealt)


def split(parts: Sequence[frozenset[str]], test: int) -> Split:
    """Test on part *test*, train on all others."""
    return Split(frozenset().union(*parts) - parts[test], parts[test])


def everyone(parts: Sequence[frozenset[str]]) -> Split:
    """For the adapter that is served: all vendors train."""
    return Split(frozenset().union(*parts), frozenset())
