"""Fit a LoRA adapter: ``python -m mapper_training.train EXPERIMENT --fold 0`` (or ``--fold all`` for the served one).

The experiment's folder holds ``adapter_config.json`` (peft's own format) and ``training.json`` (``Plan``). Data and
their order come from the seed alone. The learning rate falls with the steps done or the minutes used, whichever is
further, so a run that is out of time ends annealed; such a run depends on the machine's speed, and its record says so.
"""

import argparse
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from llama_mapper.contracts.prompt import PROMPT_VERSION
from llama_mapper.contracts.wire import Wire

from .base_model import CACHE, NAME, digest, prepare
from .data import DATA_VERSION, Posed, Recipe
from .prompting import answer_tokens, prompt_ids
from .setting import EXPERIMENTS, Setting, open_setting
from .variation import dice

log = logging.getLogger("mapper_training.train")


class Plan(Wire):
    """How to train; ``minutes`` is the budget for the loop itself."""

    base: str = NAME
    recipe: Recipe = Recipe()
    kind_told: float = 0.6
    epochs: int = Field(default=1, ge=1)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = 5e-4
    warmup_steps: int = 10
    relation_weight: float = 0.3
    max_norm: float = 1.0
    seed: int = 7
    threads: int = 2
    minutes: float = 20.0
    checkpoint_minutes: float = 4.0
    device: Literal["cpu", "cuda"] = "cpu"
    gradient_checkpointing: bool = False


class Row(Wire):
    """One example as the loop sees it."""

    ids: tuple[int, ...]
    letter: int
    mark: int


def rows(tokenizer: Any, posed: Sequence[Posed], candidates: int) -> list[Row]:
    tokens = answer_tokens(tokenizer, candidates)
    return [
        Row(ids=tuple(ids), letter=tokens.letters[p.answer[1]], mark=tokens.marks[p.answer[2]])
        for p, ids in zip(posed, prompt_ids(tokenizer, posed), strict=True)
    ]


def batches(data: Sequence[Row], size: int, epochs: int, seed: int) -> Iterator[list[Row]]:
    """Shuffle anew each epoch; rows of like length together, so that little is padding."""
    for epoch in range(epochs):
        chance = dice(f"{seed} {epoch}")
        order = list(data)
        chance.shuffle(order)
        chunk = size * 24
        made = []
        for start in range(0, len(order), chunk):
            alike = sorted(order[start : start + chunk], key=lambda row: len(row.ids))
            made += [alike[i : i + size] for i in range(0, len(alike), size)]
        chance.shuffle(made)
        yield from made


class Trainer:
    """The loop. Adapter weights compute in bf16 and are kept in float32 beside, where small steps are not lost."""

    def __init__(self, plan: Plan, model: Any, folder: Path, total_steps: int) -> None:
        import torch

        self._plan, self._model, self._folder, self._total = plan, model, folder, total_steps
        self._weights = [p for p in model.parameters() if p.requires_grad]
        self._exact = [p.detach().float().clone().requires_grad_(True) for p in self._weights]
        self._optimizer = torch.optim.AdamW(self._exact, lr=plan.learning_rate, weight_decay=0.0)
        self.step, self.used_seconds, self.losses = 0, 0.0, list[float]()

    def loss(self, batch: Sequence[Row]) -> Any:
        import torch
        import torch.nn.functional as functional

        longest = max(len(row.ids) for row in batch) + 1
        # Padding stands on the right: causal attention never looks there, so no mask is needed.
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        for i, row in enumerate(batch):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            ids[i, len(row.ids)] = row.letter
        at = torch.tensor([len(row.ids) - 1 for row in batch])
        decoder = self._model.base_model.model
        states = decoder.model(ids.to(self._plan.device), use_cache=False)[0]
        each = torch.arange(len(batch))
        # Two dimensions: a linear layer on a strided slice of three copies the whole output matrix for every row.
        letters = decoder.lm_head(states[each, at]).float()
        marks = decoder.lm_head(states[each, at + 1]).float()
        wanted_letters = torch.tensor([row.letter for row in batch], device=letters.device)
        wanted_marks = torch.tensor([row.mark for row in batch], device=letters.device)
        of_letters = functional.cross_entropy(letters, wanted_letters)
        return of_letters + self._plan.relation_weight * functional.cross_entropy(marks, wanted_marks), of_letters

    def update(self, batch: Sequence[Row]) -> None:
        import torch

        started = time.monotonic()
        total, of_letters = self.loss(batch)
        total.backward()
        for exact, weight in zip(self._exact, self._weights, strict=True):
            exact.grad = weight.grad.float()
            weight.grad = None
        torch.nn.utils.clip_grad_norm_(self._exact, self._plan.max_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self._plan.learning_rate * self._pace()
        self._optimizer.step()
        self._copy_back()
        self.step += 1
        self.losses.append(round(float(of_letters.detach()), 4))
        self.used_seconds += time.monotonic() - started

    def progress(self) -> float:
        return max(self.step / self._total, self.used_seconds / (60 * self._plan.minutes))

    def _pace(self) -> float:
        return min(1.0, (self.step + 1) / self._plan.warmup_steps) * max(0.02, 1 - self.progress())

    def _copy_back(self) -> None:
        import torch

        with torch.no_grad():
            for exact, weight in zip(self._exact, self._weights, strict=True):
                weight.copy_(exact)

    def save(self) -> None:
        import torch

        state = {"step": self.step, "used": self.used_seconds, "losses": self.losses, "exact": self._exact}
        part = self._folder / "checkpoint.part"
        torch.save(state | {"optimizer": self._optimizer.state_dict()}, part)
        part.replace(self._folder / "checkpoint.pt")

    def resume(self) -> None:
        import torch

        path = self._folder / "checkpoint.pt"
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        self.step, self.used_seconds, self.losses = state["step"], state["used"], state["losses"]
        with torch.no_grad():
            for exact, kept in zip(self._exact, state["exact"], strict=True):
                exact.copy_(kept)
        self._optimizer.load_state_dict(state["optimizer"])
        self._copy_back()

    def run(self, data: Sequence[Row]) -> None:
        saved = time.monotonic()
        for number, batch in enumerate(batches(data, self._plan.batch, self._plan.epochs, self._plan.seed)):
            if number < self.step:
                continue
            if self.progress() >= 1:
                break
            self.update(batch)
            if self.step % 10 == 0:
                left = self.used_seconds * (1 / self.progress() - 1)
                recent = sum(self.losses[-20:]) / len(self.losses[-20:])
                log.info("step %d of %d, loss %.3f, %.0f s left", self.step, self._total, recent, left)
            if time.monotonic() - saved > 60 * self._plan.checkpoint_minutes:
                self.save()
                saved = time.monotonic()


def fit(setting: Setting, plan: Plan, config: Path, folder: Path, target: Path, fold: str) -> Path:
    """Train on *fold*'s training families and write the adapter to *target*; checkpoints lie in *folder*.

    An interrupted run goes on where it was; one that has ended is not begun again.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    base = prepare() if plan.base == NAME else CACHE / plan.base
    tokenizer = AutoTokenizer.from_pretrained(base)
    data = rows(tokenizer, setting.training(fold, plan.recipe, plan.kind_told), setting.framing.candidates)
    setting.vectors_done()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).to(plan.device)
    lora = LoraConfig.from_pretrained(config)
    # Without autocast the adapter multiplies in bf16: on a CPU 1.4 times the speed; float32 copies are kept above.
    model = get_peft_model(model, lora, autocast_adapter_dtype=False)
    if plan.gradient_checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    steps = plan.epochs * -(-len(data) // plan.batch)
    trainer = Trainer(plan, model, folder, steps)
    trainer.resume()
    log.info("%d examples, %d tokens, %d steps", len(data), sum(len(r.ids) for r in data), steps)
    trainer.run(data)
    trainer.save()
    model.peft_config["default"].base_model_name_or_path = plan.base  # a name, not where it lay on this machine
    model.save_pretrained(target)
    (target / "README.md").unlink(missing_ok=True)  # peft's empty form
    record = {
        "base": plan.base,
        "base_sha256": digest(base) if plan.base == NAME else None,
        "prompt": PROMPT_VERSION,
        "data": DATA_VERSION,
        "fold": fold,
        "examples": len(data),
        "recipe": asdict(plan.recipe),
        "steps": trainer.step,
        "of_steps": steps,
        "seconds": round(trainer.used_seconds),
        "loss": trainer.losses[::10],
    }
    (target / "training_record.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return target


def read_plan(folder: Path) -> Plan:
    return Plan.model_validate_json((folder / "training.json").read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--fold", default="0")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--minutes", type=float)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    home = EXPERIMENTS / given.experiment
    changes = {k: getattr(given, k) for k in ("threads", "minutes") if getattr(given, k) is not None}
    plan = read_plan(home).model_copy(update=changes)
    folder = CACHE.parent / "training" / given.experiment / f"fold{given.fold}"
    folder.mkdir(parents=True, exist_ok=True)
    target = (home if given.fold == "all" else folder) / "adapter"
    adapter = fit(open_setting(), plan, home, folder, target, given.fold)
    log.info("wrote %s", adapter)


if __name__ == "__main__":
    main()
