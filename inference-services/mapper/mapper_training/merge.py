"""Join base and adapter for engines that serve plain weights: ``python -m mapper_training.merge EXPERIMENT``.

On a CPU vLLM's LoRA costs two to three times a plain model, so there the merged weights are served, made once at
set-up; on a GPU the adapter is served as it is.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from .base_model import CACHE, BaseModelError, digest, locate, sha256
from .plan import read_plan
from .setting import EXPERIMENTS

WEIGHTS = "adapter_model.safetensors"


def merge(base: Path, adapter: Path, folder: Path) -> Path:
    """Write merged bf16 weights, configuration and tokenizer to *folder*, unless they lie there from the same two.

    Raises:
        BaseModelError: the adapter was trained on another base, or one of the files is missing.
    """
    if not (adapter / WEIGHTS).is_file():
        raise BaseModelError(f"no {WEIGHTS} in {adapter.name}")
    trained_on = json.loads((adapter / "training_record.json").read_text("utf-8"))["base_sha256"]
    origin = {"base_sha256": digest(base), "adapter_sha256": sha256(adapter / WEIGHTS)}
    if trained_on not in (None, origin["base_sha256"]):
        raise BaseModelError("the adapter was trained on another base")
    record = folder / "origin.json"
    if record.is_file():
        kept = json.loads(record.read_text("utf-8"))
        if origin.items() <= kept.items() and digest(folder) == kept["sha256"]:
            return folder
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Added up in float32 and rounded once: in bf16 an adapter's small steps would partly be lost.
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload().to(torch.bfloat16)
    merged.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    record.unlink(missing_ok=True)  # it is of what lay here before
    found = origin | {"sha256": digest(folder)}
    record.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    given = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    home = EXPERIMENTS / given.experiment
    plan = read_plan(home)
    folder = merge(locate(plan.base, plan.revision), home / "adapter", CACHE / given.experiment)
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
