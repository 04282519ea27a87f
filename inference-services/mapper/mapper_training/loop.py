"""The loop that fits a LoRA adapter: batches in a fixed order, one optimizer, checkpoints to go on from."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from llama_mapper.contracts.wire import Wire

from . import checkpoint, memory
from .checkpoint import Checkpoint
from .plan import Plan
from .progress import Kept, Stepped, Watch, silent
from .variation import dice

_SECONDS_BETWEEN_LINES = 2.0
_LOSSES_SHOWN = 20


class Row(Wire):
    """One example as the loop sees it."""

    ids: tuple[int, ...]
    letter: int
    mark: int


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


def count_steps(examples: int, plan: Plan) -> int:
    return plan.epochs * -(-examples // plan.batch)


class Trainer:
    """Adapter weights compute in bf16 and are kept in float32 beside, where small steps are not lost.

    The learning rate falls with the steps done or the minutes used, whichever is further, so a run that is out of time
    ends annealed; what such a run gives depends on the machine's speed.
    """

    def __init__(
        self, plan: Plan, model: Any, folder: Path, total_steps: int, fingerprint: str, watch: Watch = silent
    ) -> None:
        import torch

        self._plan, self._model, self._folder, self.of_steps = plan, model, folder, total_steps
        self._fingerprint, self._watch = fingerprint, watch
        self._weights = [p for p in model.parameters() if p.requires_grad]
        self._exact = [p.detach().float().clone().requires_grad_(True) for p in self._weights]
        self._optimizer = torch.optim.AdamW(self._exact, lr=plan.learning_rate, weight_decay=0.0)
        self.step, self.used_seconds, self.losses = 0, 0.0, list[float]()
        self.peak_memory_bytes = 0

    @property
    def trained_parameters(self) -> int:
        return sum(exact.numel() for exact in self._exact)

    def run(self, data: Sequence[Row], stop: Callable[[], bool] = lambda: False) -> bool:
        """Train to the end and return True; where *stop* says so, return False. A checkpoint is kept in both cases.

        A run that had come to its end is left as it is, so that its record stays the same.
        """
        if self.progress() >= 1:
            return True
        kept = said = time.monotonic()
        examples, since = 0, self.used_seconds
        order = batches(data, self._plan.batch, self._plan.epochs, self._plan.seed)
        for batch in islice(order, self.step, None):
            if self.progress() >= 1 or stop():
                break
            self.update(batch)
            examples += len(batch)
            now = time.monotonic()
            if now - said >= _SECONDS_BETWEEN_LINES or self.progress() >= 1:
                self._say(examples / (self.used_seconds - since))
                said, examples, since = now, 0, self.used_seconds
            if now - kept > 60 * self._plan.checkpoint_minutes:
                self.save()
                kept = now
        self.save()
        return self.progress() >= 1

    def update(self, batch: Sequence[Row]) -> None:
        """Take one optimizer step; the gradient is that of the batch's mean, however it is cut into micro-batches."""
        import torch

        started = time.monotonic()
        size, shown = self._plan.micro_batch or len(batch), 0.0
        for at in range(0, len(batch), size):
            part = batch[at : at + size]
            share = len(part) / len(batch)
            total, of_letters = self.loss(part)
            (total * share).backward()
            self._collect()
            shown += float(of_letters.detach()) * share
        torch.nn.utils.clip_grad_norm_(self._exact, self._plan.max_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self._plan.learning_rate * self._pace()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._copy_back()
        self.step += 1
        self.losses.append(round(shown, 4))
        self.used_seconds += time.monotonic() - started

    def loss(self, batch: Sequence[Row]) -> tuple[Any, Any]:
        """Return the loss to descend and, of it, that of the letters; both means over *batch*."""
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
        # Logits of the answer's two positions alone: of every position they would be the largest tensor of all.
        # Two dimensions: a linear layer on a strided slice of three copies the whole output matrix for every row.
        letters = decoder.lm_head(states[each, at]).float()
        marks = decoder.lm_head(states[each, at + 1]).float()
        wanted_letters = torch.tensor([row.letter for row in batch], device=letters.device)
        wanted_marks = torch.tensor([row.mark for row in batch], device=letters.device)
        of_letters = functional.cross_entropy(letters, wanted_letters)
        return of_letters + self._plan.relation_weight * functional.cross_entropy(marks, wanted_marks), of_letters

    def progress(self) -> float:
        """Return the share of the steps or of the minutes that is used, whichever is larger."""
        done = self.step / self.of_steps
        return done if self._plan.minutes is None else max(done, self.used_seconds / (60 * self._plan.minutes))

    def save(self) -> None:
        import torch

        self.peak_memory_bytes = max(self.peak_memory_bytes, memory.peak_bytes(self._plan.device))
        state = Checkpoint(
            fingerprint=self._fingerprint,
            step=self.step,
            ended=self.progress() >= 1,
            seconds=self.used_seconds,
            losses=self.losses,
            peak_memory_bytes=self.peak_memory_bytes,
            exact=[exact.detach() for exact in self._exact],
            optimizer=self._optimizer.state_dict(),
            chance=torch.get_rng_state(),
            cuda_chance=torch.cuda.get_rng_state_all() if self._plan.device == "cuda" else [],
        )
        checkpoint.write(self._folder, state)
        self._watch(Kept(step=self.step))

    def resume(self, state: Checkpoint) -> None:
        """Go on where *state* is."""
        import torch

        self.step, self.used_seconds, self.losses = state["step"], state["seconds"], state["losses"]
        self.peak_memory_bytes = state["peak_memory_bytes"]
        with torch.no_grad():
            for exact, kept in zip(self._exact, state["exact"], strict=True):
                exact.copy_(kept)
        self._optimizer.load_state_dict(state["optimizer"])
        self._copy_back()
        torch.set_rng_state(state["chance"])
        if self._plan.device == "cuda" and state["cuda_chance"]:
            torch.cuda.set_rng_state_all(state["cuda_chance"])

    def _say(self, examples_per_second: float) -> None:
        share, recent = self.progress(), self.losses[-_LOSSES_SHOWN:]
        self._watch(
            Stepped(
                step=self.step,
                of_steps=self.of_steps,
                share=min(share, 1.0),
                loss=sum(recent) / len(recent),
                examples_per_second=examples_per_second,
                seconds_left=max(0.0, self.used_seconds * (1 / share - 1)),
            )
        )

    def _pace(self) -> float:
        return min(1.0, (self.step + 1) / self._plan.warmup_steps) * max(0.02, 1 - self.progress())

    def _collect(self) -> None:
        """Add up the gradients in float32: bf16 has eight bits for a sum of many."""
        for exact, weight in zip(self._exact, self._weights, strict=True):
            found = weight.grad.float()
            exact.grad = found if exact.grad is None else exact.grad + found
            weight.grad = None

    def _copy_back(self) -> None:
        import torch

        with torch.no_grad():
            for exact, weight in zip(self._exact, self._weights, strict=True):
                weight.copy_(exact)
