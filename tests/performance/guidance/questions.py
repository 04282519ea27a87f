"""The committed questions, split once and for all into a part to tune on and a part to measure on."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from llama_mapper.contracts.identifiers import AnyFrameworkId
from llama_mapper.contracts.wire import Question, Wire

FILE = Path(__file__).with_name("questions.yaml")
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TUNED_ON = 0.4

Kind = Literal["one-framework", "two-frameworks", "unnamed", "other-law", "other-topic", "near-miss"]


class Asked(Wire):
    """A question, and the sections that answer it by framework; without any, the right answer is to abstain."""

    ask: Question
    kind: Kind
    right: Mapping[AnyFrameworkId, tuple[str, ...]]

    @property
    def answers(self) -> frozenset[tuple[str, str]]:
        return frozenset((framework, section) for framework, sections in self.right.items() for section in sections)

    @property
    def for_tuning(self) -> bool:
        """By a hash of the words, so that nobody chooses and a new question moves no other."""
        return int(hashlib.sha256(self.ask.encode()).hexdigest()[:8], 16) / 16**8 < _TUNED_ON


def read() -> tuple[Asked, ...]:
    document = yaml.load(FILE.read_text("utf-8"), Loader=_FAST)
    return tuple(Asked.model_validate(entry) for entry in document["questions"])
