"""A tiny taxonomy, two vendors and an embedder that knows three meanings."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from llama_mapper.taxonomy import Taxonomy, parse
from mapper_serving.vocabulary import Vocabulary

MEANINGS = (("mail", "correo"), ("phone", "dial"), ("hate", "slur"))


class WordEmbedder:
    """A direction a meaning; texts without a known word share one more."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), 384), dtype=np.float32)
        for i, text in enumerate(texts):
            known = [n for n, words in enumerate(MEANINGS) if any(word in text for word in words)]
            vectors[i, known[0] if known else 100] = 1.0
        return vectors


def label(name: str, *aliases: str) -> dict[str, object]:
    definition = f"What {name.replace('.', ' ').lower()} is about."
    return {"name": name, "definition": definition, "aliases": list(aliases), "severity": 2, "sensitivity": "personal"}


@pytest.fixture
def taxonomy() -> Taxonomy:
    names = [
        label("PII", "personal data"),
        label("PII.Email", "email", "e-mail address"),
        label("PII.Phone", "phone number", "telephone"),
        label("HARM", "harm"),
        label("HARM.Hate", "hate speech"),
        label("SAFETY_NEGATIVE"),
        label("SAFETY_NEGATIVE.NONE", "safe", "nothing found"),
        label("OTHER"),
        label("OTHER.Unknown", "unknown"),
    ]
    return parse({"version": "2026.11", "labels": names})


def vocabulary(detector: str, kind: str, labels: dict[str, object]) -> Vocabulary:
    return Vocabulary.model_validate(
        {
            "detector": detector,
            "versions": ["*"],
            "name": detector,
            "kind": kind,
            "source": {"reference": "made for a test", "read": "parsed"},
            "published": len(labels),
            "labels": labels,
        }
    )


@pytest.fixture
def vocabularies() -> tuple[Vocabulary, ...]:
    return (
        vocabulary("alpha", "pii", {"EMAIL_ADDR": "PII.Email", "Dial": {"to": "PII.Phone", "relation": "broader"}}),
        vocabulary("beta", "pii", {"mailbox": "PII.Email", "TELEFON": "PII.Phone", "person": "PII"}),
        vocabulary("gamma", "hate", {"slur": "HARM.Hate", "ok": "negative", "odd": "OTHER.Unknown"}),
    )


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()
