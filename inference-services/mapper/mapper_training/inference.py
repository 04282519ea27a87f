"""Ask a model the posed examples without a server: only the two answer positions are computed."""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llama_mapper.contracts.confidence import Scored
from llama_mapper.contracts.prompt import MARK_RELATIONS

from .data import Posed
from .prompting import answer_tokens, prompt_ids

log = logging.getLogger("mapper_training.inference")
_BATCH = 16


class Model:
    """A base with its adapter merged in memory, or the bare base."""

    def __init__(self, base: Path, adapter: Path | None, threads: int, device: str = "cpu") -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(threads)
        self._device = device
        self.tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
        if adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        self._model = model.to(device).eval()

    def score(self, posed: Sequence[Posed], candidates: int) -> list[Scored]:
        """Return one answer an example, in order: letters by softmax over those that stand in its prompt, and none."""
        ids = prompt_ids(self.tokenizer, posed)
        found: list[Scored | None] = [None] * len(posed)
        started, done = time.monotonic(), 0
        for rows in _alike(ids):
            for row, scored in zip(rows, self._batch(posed, ids, rows, candidates), strict=True):
                found[row] = scored
            done += len(rows)
            if done % 100 < len(rows):
                log.info("%d of %d, %.0f s", done, len(posed), time.monotonic() - started)
        return [scored for scored in found if scored is not None]

    def _batch(
        self, posed: Sequence[Posed], ids: list[list[int]], rows: list[int], candidates: int
    ) -> Iterator[Scored]:
        import torch

        tokens = answer_tokens(self.tokenizer, candidates)
        letters = list(tokens.letters.values())
        with torch.inference_mode():
            batch = torch.tensor([ids[row] for row in rows], device=self._device)
            out = self._model.model(batch, use_cache=True)
            logits = self._model.lm_head(out[0][:, -1].contiguous()).float()[:, letters]
            for i, row in enumerate(rows):  # letters without a candidate cannot be said
                logits[i, len(posed[row].found) : -1] = -torch.inf
            chosen = logits.argmax(dim=1)
            said = torch.tensor([[letters[int(c)]] for c in chosen], device=self._device)
            then = self._model.model(said, past_key_values=out.past_key_values, use_cache=True)
            marks = self._model.lm_head(then[0][:, -1].contiguous()).float()[:, list(tokens.marks.values())]
            shares, relations = logits.softmax(dim=1).tolist(), marks.softmax(dim=1).tolist()
        for i, row in enumerate(rows):
            yield _scored(posed[row], shares[i], dict(zip(MARK_RELATIONS.values(), relations[i], strict=True)))


def _alike(ids: list[list[int]]) -> Iterator[list[int]]:
    """Rows of one length together: no padding, so a row's answer does not depend on its neighbours."""
    by_length: dict[int, list[int]] = {}
    for row, tokens in enumerate(ids):
        by_length.setdefault(len(tokens), []).append(row)
    for _, rows in sorted(by_length.items()):
        yield from (rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH))


def _scored(posed: Posed, shares: list[float], relations: dict[Any, float]) -> Scored:
    count = len(posed.found)
    return without_model(posed).model_copy(
        update={
            "letters": tuple(round(s, 6) for s in shares[:count]),
            "none": round(shares[-1], 6),
            "relations": {name: round(share, 4) for name, share in relations.items()},
        }
    )


def without_model(posed: Posed) -> Scored:
    """Return what retrieval alone says; every letter is as likely as the next."""
    labels = tuple(f.label for f in posed.found)
    even = 1 / (len(labels) + 1)
    return Scored(
        labels=labels,
        letters=(even,) * len(labels),
        none=even,
        relations={},
        scores=tuple(f.score for f in posed.found),
        odds=tuple(f.odds for f in posed.found),
    )
