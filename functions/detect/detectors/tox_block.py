"""Toxicity by the BiLSTM of tox-block: its published weights and vocabulary, computed in numpy.

The package itself needs TensorFlow and logs every text it judges; neither happens here, its code is never imported.
Known weakness: it reads words, not meaning, and is near chance on sets built to tell hate from talk about hate.
"""

import json
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_mapper.contracts.detection import Detection, Detector, Family

from ..packages import folder, installed_version, keep
from ..settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")

# The lowest and highest output seen by the authors for each label (config.RESCALE_PROBA); their scores are rescaled
# to it by default, so ours are.
_RANGES = (
    (0.002116, 0.999858),
    (0.000011, 0.648682),
    (0.000347, 0.997533),
    (0.000040, 0.918887),
    (0.000373, 0.986303),
    (0.000074, 0.901117),
)
_VOCABULARY_WORDS = 20_000
_STEPS = 100
_UNITS = 50
# What the Keras tokenizer the model was trained with removes.
_PUNCTUATION = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))


class _Record:
    """Stands for the two classes in the pickle; holds their fields and can do nothing."""


class _VocabularyUnpickler(pickle.Unpickler):
    """Knows the five names the file needs, and refuses every other."""

    _ALLOWED: Mapping[tuple[str, str], type] = {
        ("tox_block.data_processing.preprocessors", "TokenSequencer"): _Record,
        ("keras_preprocessing.text", "Tokenizer"): _Record,
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): defaultdict,
        ("builtins", "int"): int,
    }

    def find_class(self, module_name: str, global_name: str) -> type:
        try:
            return self._ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError("the vocabulary names a class it has no use for") from None


def read_pickled_vocabulary(file: BufferedReader) -> dict[str, int]:
    """Return word -> row of the embedding, most frequent words first.

    Raises:
        pickle.UnpicklingError: the file wants anything but plain containers.
    """
    sequencer: Any = _VocabularyUnpickler(file).load()
    index: dict[str, int] = sequencer.tokenizer.word_index
    return {word: row for word, row in index.items() if row < _VOCABULARY_WORDS}


class ToxBlockDetector:
    name = "tox-block"
    family: Family = "classifiers"
    # The model sees the last 100 words it knows; this is about as many.
    window_characters = 450

    def __init__(self, threshold: float, cache: Path) -> None:
        self.version = installed_version("tox-block")
        self._threshold = threshold
        self._cache = cache

    def load(self) -> None:
        import h5py

        models = folder("tox_block") / "trained_models"
        self._vocabulary = self._read_vocabulary(models / f"encoder_{self.version}.pkl")
        with h5py.File(models / f"lstm_model_{self.version}.h5") as file:
            weights = file["model_weights"]
            self._embedding: Floats = weights["embedding/embedding/embeddings:0"][:]
            lstm = weights["bidirectional/bidirectional"]
            self._forward = _read_lstm(lstm["forward_lstm"])
            self._backward = _read_lstm(lstm["backward_lstm"])
            self._hidden: tuple[Floats, Floats] = _read_dense(weights["dense/dense"])
            self._output: tuple[Floats, Floats] = _read_dense(weights["dense_1/dense_1"])

    def detect(self, text: str) -> Sequence[Detection]:
        return [
            Detection(label=label, score=score)
            for label, score in self.scores(text).items()
            if score >= self._threshold
        ]

    def scores(self, text: str) -> dict[str, float]:
        """Return the score of every label, also of those below the threshold."""
        import numpy as np

        rows = [self._vocabulary[w] for w in text.lower().translate(_PUNCTUATION).split() if w in self._vocabulary]
        padded = np.zeros(_STEPS, dtype=np.int64)  # Padding comes first and is not masked: the model learnt it so.
        if rows:
            padded[-min(len(rows), _STEPS) :] = rows[-_STEPS:]
        embedded = self._embedding[padded]  # (100, 50)
        states = np.concatenate(
            [_run_lstm(embedded, *self._forward), _run_lstm(embedded[::-1], *self._backward)[::-1]], axis=1
        )  # (100, 100)
        hidden = np.maximum(states.max(axis=0) @ self._hidden[0] + self._hidden[1], 0)
        raw = 1 / (1 + np.exp(-(hidden @ self._output[0] + self._output[1])))
        return {
            label: min(1.0, abs(float(p) - low) / (high - low))
            for label, p, (low, high) in zip(LABELS, raw, _RANGES, strict=True)
        }

    def _read_vocabulary(self, pickled: Path) -> dict[str, int]:
        kept = self._cache / f"tox-block-{self.version}-vocabulary.json"
        try:
            vocabulary: dict[str, int] = json.loads(kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            with pickled.open("rb") as file:
                vocabulary = read_pickled_vocabulary(file)
            keep(kept, json.dumps(vocabulary, ensure_ascii=False))
        return vocabulary


def _read_lstm(group: Any) -> "tuple[Floats, Floats, Floats]":
    return group["kernel:0"][:], group["recurrent_kernel:0"][:], group["bias:0"][:]


def _read_dense(group: Any) -> "tuple[Floats, Floats]":
    return group["kernel:0"][:], group["bias:0"][:]


def _run_lstm(steps: "Floats", kernel: "Floats", recurrent: "Floats", bias: "Floats") -> "Floats":
    """Return the state after each step, (100, 50). Gates lie in the order input, forget, cell, output."""
    import numpy as np

    driven = steps @ kernel + bias  # (100, 200)
    state = np.zeros(_UNITS, dtype=np.float32)
    cell = np.zeros(_UNITS, dtype=np.float32)
    states = np.empty((_STEPS, _UNITS), dtype=np.float32)
    for step in range(_STEPS):
        gates = driven[step] + state @ recurrent
        opened = np.clip(gates * 0.2 + 0.5, 0, 1)  # Keras 2's hard sigmoid
        cell = opened[_UNITS : 2 * _UNITS] * cell + opened[:_UNITS] * np.tanh(gates[2 * _UNITS : 3 * _UNITS])
        state = opened[3 * _UNITS :] * np.tanh(cell)
        states[step] = state
    return states


def build(settings: Settings) -> Detector:
    return ToxBlockDetector(settings.toxicity_threshold, settings.cache())
