"""What one training step of an experiment holds and computes, reckoned without its weights.

The model is built from the experiment's ``shape.json`` on torch's meta device, and one forward and backward pass runs
on tensors that have sizes and no contents (torch's FakeTensorMode). Every storage is counted from when it is made until
it is freed. What a GPU needs beside that: its context (about 0.5 GB), kernels' workspace and fragmentation.
"""

import argparse
import json
import weakref
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

EXPERIMENTS = Path(__file__).parents[2] / "inference-services" / "mapper" / "experiments"
# Of each trained number: bf16 weight and gradient, float32 copy, gradient and AdamW's two moments.
BYTES_A_TRAINED_NUMBER = 2 + 2 + 4 + 4 + 4 + 4


class Live(TorchDispatchMode):  # type: ignore[misc]  # types are checked where torch is not installed
    """Counts the bytes of storages that are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._held: dict[int, int] = {}

    def add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._held:
            self._held[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.now -= self._held.pop(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor)
        return out


def build(home: Path, recompute: bool) -> Any:
    shape = json.loads((home / "shape.json").read_text("utf-8"))
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**shape)).to(torch.bfloat16)
        model = get_peft_model(model, LoraConfig.from_pretrained(home), autocast_adapter_dtype=False)
    model = model.to(torch.bfloat16)
    if recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.base_model.model.disable_input_require_grads()
    return model.train()


def step(model: Any, rows: int, tokens: int) -> None:
    """As ``Trainer.loss`` does it: two positions of each row reach the output matrix."""
    decoder = model.base_model.model
    states = decoder.model(torch.zeros((rows, tokens), dtype=torch.long), use_cache=False)[0]
    each, at = torch.arange(rows), torch.zeros(rows, dtype=torch.long)
    logits = (decoder.lm_head(states[each, at]).float(), decoder.lm_head(states[each, at + 1]).float())
    sum(part.logsumexp(-1).sum() for part in logits).backward()


def reckon(home: Path, rows: int, tokens: int, recompute: bool) -> dict[str, float]:
    model = build(home, recompute)
    numbers = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = model.to_empty(device="cpu")
        live = Live()
        with live:
            for weight in (*model.parameters(), *model.buffers()):
                live.add(weight)
            weights = live.now
            step(model, rows, tokens)
        flops = FlopCounterMode(display=False)  # apart: it holds on to what checkpoints would free
        with flops:
            step(model, rows, tokens)
    return {
        "base_parameters": numbers - trained,
        "trained_parameters": trained,
        "adapter_mb": trained * 2 / 1e6,
        "weights_gb": weights / 1e9,
        "optimizer_gb": trained * (BYTES_A_TRAINED_NUMBER - 2) / 1e9,
        "activations_gb": (live.peak - weights) / 1e9,
        "together_gb": (live.peak + trained * (BYTES_A_TRAINED_NUMBER - 2)) / 1e9,
        "gflop_per_token": flops.get_total_flops() / (rows * tokens) / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="llama-3-8b")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=256)
    given = parser.parse_args()
    for recompute in (True, False):
        found = reckon(EXPERIMENTS / given.experiment, given.rows, given.tokens, recompute)
        print(f"{given.rows} rows of {given.tokens} tokens, activations {'recomputed' if recompute else 'kept'}")
        for name, value in found.items():
            print(f"  {name:20} {value:,.2f}")


if __name__ == "__main__":
    main()
