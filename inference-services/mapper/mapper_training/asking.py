"""Asks fold models, or reads what they said to the same prompts from ``experiments/<name>/answers``."""

import gzip
import hashlib
import importlib.util
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from llama_mapper.contracts.confidence import Scored
from llama_mapper.contracts.models import WEIGHTS
from llama_mapper.taxonomy.retrieval import Index

from .base_model import locate, sha256
from .data import Posed
from .inference import Model, without_model
from .plan import read_plan

log = logging.getLogger("mapper_training.asking")
MAY_MISS = 0.02


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

        Kept answers count by prompt. Another machine's arithmetic may turn two candidates that are all but equal, so a
        few prompts may be new; where no model can be asked, up to MAY_MISS of them are answered by the ranker alone.

        Raises:
            NoAnswers: those kept are to other prompts or of other weights, and the model cannot be asked.
        """
        weights = sha256(adapter / WEIGHTS) if adapter and (adapter / WEIGHTS).is_file() else None
        said = self._said(name, weights)
        keys = [_key(p.prompt) for p in posed]
        new = [i for i, key in enumerate(keys) if key not in said]
        if new and _has_torch() and (adapter is None or weights):
            log.info("asking %s: %d prompts", name, len(new))
            plan = read_plan(self._home)
            model = Model(locate(plan.base, plan.revision), adapter, self._threads, plan.device)
            scored = model.score([posed[i] for i in new], candidates)
            said |= {
                keys[i]: s.model_dump(include={"letters", "none", "relations"})
                for i, s in zip(new, scored, strict=True)
            }
            self._keep(name, weights, {key: said[key] for key in keys})
        elif len(new) > MAY_MISS * len(posed):
            raise NoAnswers(
                f"{self._home.name} keeps answers of {name} to other prompts or of other weights, and the model that "
                "gave them is not here"
            )
        return [without_model(p).model_copy(update=said.get(key, {})) for p, key in zip(posed, keys, strict=True)]

    def ranker(self, fold: int, index: Index, fit: Callable[[], str]) -> str:
        """Return the fold's ranker: the one kept for exactly this index, else a new one, which is kept."""
        kept = self.kept(f"ranker{fold}")
        known = _key("\n".join(f"{e.labels} {e.text} {e.owner} {e.kind}" for e in index.entries))
        if kept.is_file():
            stored = json.loads(gzip.decompress(kept.read_bytes()))
            if stored["index"] == known:
                return str(stored["trees"])
        trees = fit()
        _write(kept, {"index": known, "trees": trees})
        return trees

    def _said(self, name: str, weights: str | None) -> dict[str, Any]:
        if not (kept := self.kept(name)).is_file():
            return {}
        stored = json.loads(gzip.decompress(kept.read_bytes()))
        return dict(stored["said"]) if weights in (None, stored["adapter"]) else {}

    def _keep(self, name: str, weights: str | None, said: dict[str, Any]) -> None:
        _write(self.kept(name), {"adapter": weights, "said": said})


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))


def keeps_zero_shot(home: Path, folds: Iterable[int]) -> bool:
    """Whether the bare base's answers are kept for all *folds*."""
    asking = Asking(home, 1)
    return all(asking.kept(f"zero{fold}-kind_told").is_file() for fold in folds)


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None
