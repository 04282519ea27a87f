"""Asks fold models, or reads what they said to the same prompts from ``experiments/<name>/answers``."""

import gzip
import hashlib
import importlib.util
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from llama_mapper.contracts.confidence import Scored
from llama_mapper.contracts.models import WEIGHTS

from .base_model import prepare, sha256
from .data import Posed
from .inference import Model, without_model

log = logging.getLogger("mapper_training.asking")


class NoAnswers(RuntimeError):
    """A model's answers are not kept, and it cannot be asked here; the message says which and why."""


class Asking:
    """The models of the experiment in *home*, or their kept answers."""

    def __init__(self, home: Path, threads: int) -> None:
        self._home, self._threads = home, threads

    def can_answer(self, names: Iterable[str]) -> None:
        """Look before anything slow begins.

        Raises:
            NoAnswers: some answers are not kept, and there is no torch to ask with.
        """
        absent = [name for name in names if not self.kept(name).is_file()]
        if absent and not _has_torch():
            raise NoAnswers(f"{self._home.name} keeps no answers of {', '.join(absent)}")

    def kept(self, name: str) -> Path:
        return self._home / "answers" / f"{name}.json.gz"

    def ask(self, posed: Sequence[Posed], adapter: Path | None, name: str, candidates: int) -> list[Scored]:
        """Return the answers of the model with *adapter* (the bare base for None) to *posed*.

        Raises:
            NoAnswers: those kept are to other prompts or of other weights, and the model cannot be asked.
        """
        prompts = hashlib.sha256("\0".join(p.prompt for p in posed).encode()).hexdigest()
        weights = sha256(adapter / WEIGHTS) if adapter and (adapter / WEIGHTS).is_file() else None
        if (kept := self.kept(name)).is_file():
            stored = json.loads(gzip.decompress(kept.read_bytes()))
            if stored["prompts"] == prompts and weights in (None, stored["adapter"]):
                return [without_model(p).model_copy(update=said) for p, said in zip(posed, stored["said"], strict=True)]
        if not _has_torch():
            raise NoAnswers(f"the answers of {name} that {self._home.name} keeps are to other prompts or other weights")
        if adapter and weights is None:
            raise NoAnswers(f"{name} has no answers to these prompts, and its adapter was not trained here")
        log.info("asking %s: %d prompts", name, len(posed))
        scored = Model(prepare(), adapter, self._threads).score(posed, candidates)
        said = [s.model_dump(include={"letters", "none", "relations"}) for s in scored]
        kept.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"prompts": prompts, "adapter": weights, "said": said}).encode()
        kept.write_bytes(gzip.compress(text, mtime=0))
        return scored


def keeps_zero_shot(home: Path, folds: Iterable[int]) -> bool:
    """Whether the bare base's answers are kept for all *folds*."""
    asking = Asking(home, 1)
    return all(asking.kept(f"zero{fold}-kind_told").is_file() for fold in folds)


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None
