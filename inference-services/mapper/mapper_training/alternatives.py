"""Two other ways to ask a model, compared with choosing a letter: ``python -m mapper_training.alternatives --fold 0``.

Both let the base model, untrained, name any label of the taxonomy after the same neighbours that the letters' prompt
shows as examples: ``spell`` decodes a label's name under a grammar of all names (greedy), ``weigh`` scores every name
by its log-probability behind the prompt, which is computed once. Neither sees the ranker's candidates. The result, with
the seconds an answer took, stands in ``experiments/alternatives/result.json``.
"""

import argparse
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llama_mapper.taxonomy.retrieval import words

from .base_model import prepare
from .data import Posed
from .inference import Model
from .measuring import measure
from .metrics import Outcome
from .setting import EXPERIMENTS, open_setting
from .systems import letter

log = logging.getLogger("mapper_training.alternatives")
Answer = tuple[str, float]
END = "\n"


def prompt_of(posed: Posed) -> str:
    """The neighbours as examples, nearest last, then the word."""
    lines = [f"{near.text} -> {words(near.labels[0])}" for near in reversed(posed.near)]
    return "\n".join([*lines, f"{posed.example.text} ->"])


class Namer:
    """A causal language model that names labels."""

    def __init__(self, base: Path, labels: Sequence[str], threads: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(threads)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(base)
        self._model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).eval()
        self._labels = list(labels)
        self._names: list[list[int]] = [
            self._tokenizer.encode(f" {words(label)}{END}", add_special_tokens=False) for label in labels
        ]

    def _read(self, prompt: str) -> Any:
        import torch

        with torch.inference_mode():
            return self._model(torch.tensor([self._tokenizer.encode(prompt)]), use_cache=True)

    def spell(self, prompt: str) -> Answer:
        """Take the likeliest token that a name still open allows, until one name is left; confidence is the product."""
        import torch

        out, live, depth, confidence = self._read(prompt), list(range(len(self._names))), 0, 1.0
        while len(live) > 1:
            allowed = sorted({self._names[n][depth] for n in live})
            shares = out.logits[0, -1, allowed].float().softmax(dim=0)
            best = int(shares.argmax())
            confidence *= float(shares[best])
            live = [n for n in live if self._names[n][depth] == allowed[best]]
            depth += 1
            if len(live) > 1:
                with torch.inference_mode():
                    token = torch.tensor([[allowed[best]]])
                    out = self._model(token, past_key_values=out.past_key_values, use_cache=True)
        return self._labels[live[0]], confidence

    def weigh(self, prompt: str) -> Answer:
        """Score every name, a token's mean log-probability; confidence is the softmax over names."""
        import torch

        out = self._read(prompt)
        longest = max(len(name) for name in self._names)
        ids = torch.zeros((len(self._names), longest), dtype=torch.long)
        mask = torch.zeros((len(self._names), longest))
        for row, name in enumerate(self._names):
            ids[row, : len(name)] = torch.tensor(name)
            mask[row, : len(name)] = 1
        first = out.logits[:, -1:].expand(len(self._names), -1, -1)
        cache = out.past_key_values
        cache.batch_repeat_interleave(len(self._names))
        with torch.inference_mode():
            rest = self._model(ids[:, :-1], past_key_values=cache, use_cache=True).logits
            logits = torch.cat([first, rest], dim=1).float()  # (names, longest, vocabulary)
            said = logits.log_softmax(dim=-1).gather(2, ids[:, :, None])[:, :, 0] * mask
        scores = said.sum(dim=1) / mask.sum(dim=1)
        best = int(scores.argmax())
        return self._labels[best], float(scores.softmax(dim=0)[best])


def compare(fold: int, words_at_most: int, threads: int) -> dict[str, Any]:
    """Ask the first golden words of *fold* in the three ways, untrained, and time each answer."""
    setting = open_setting()
    asker = setting.asker(setting.ranker(str(fold)))
    examples = setting.golden(setting.split(str(fold)).test)
    step = max(1, len(examples) // words_at_most)
    posed = asker.pose(examples[::step], frozenset(), 1.0)
    setting.vectors_done()
    base = prepare()
    namer, chooser = Namer(base, setting.index.labels, threads), Model(base, None, threads)

    def chosen(question: Posed) -> tuple[str | None, float]:
        return letter()(question, chooser.score([question], setting.framing.candidates)[0])

    ways: dict[str, Callable[[Posed], tuple[str | None, float]]] = {
        "choose_a_letter": chosen,
        "spell_a_name": lambda question: namer.spell(prompt_of(question)),
        "weigh_all_names": lambda question: namer.weigh(prompt_of(question)),
    }
    result: dict[str, Any] = {"fold": fold, "words": len(posed), "trained": False, "systems": {}}
    for name, way in ways.items():
        outcomes, seconds = [], []
        for question in posed:
            began = time.perf_counter()
            label, confidence = way(question)
            seconds.append(time.perf_counter() - began)
            outcomes.append(Outcome(question.example.vendor, question.example.labels, label, confidence))
        log.info("%s: %.3f s an answer", name, statistics.median(seconds))
        result["systems"][name] = measure(outcomes, []) | {"median_seconds": round(statistics.median(seconds), 4)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    path = EXPERIMENTS / "alternatives" / "result.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(compare(given.fold, given.words, given.threads), indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
