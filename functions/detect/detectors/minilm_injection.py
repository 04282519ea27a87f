"""Prompt injection and jailbreaks by a logistic head of ours on MiniLM embeddings, the highest of 32-token windows.

The weights, where they come from and what they reach lie in ``minilm_injection_head.json``, written by
``inference-services/injection``. It knows the wording of known attacks; an instruction hidden in a document that reads
like any request is mostly not found (see the README's table).
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from llama_mapper.contracts.detection import Detection, Detector, Family, Span

from ..minilm import MiniLM
from ..settings import Settings

HEAD = Path(__file__).with_name("minilm_injection_head.json")
LABEL = "INJECTION"


class MiniLMInjectionDetector:
    name = "minilm-injection"
    family: Family = "injection"
    # Cut again into windows of 32 tokens inside; this only bounds how long one call may run.
    window_characters = 4_000

    def __init__(self, threshold: float | None) -> None:
        head = json.loads(HEAD.read_text(encoding="utf-8"))
        self.version: str = head["version"]
        self._bias: float = head["bias"]
        self._weights: list[float] = head["weights"]
        self._threshold: float = head["threshold"] if threshold is None else threshold

    def load(self) -> None:
        self._model = MiniLM()

    def detect(self, text: str) -> Sequence[Detection]:
        """Return one finding, on the window that scored highest, if any reached the threshold."""
        best = self._best(text)
        if best is None or best[0] < self._threshold:
            return []
        score, span = best
        return [Detection(label=LABEL, score=score, span=span)]

    def scores(self, text: str) -> dict[str, float]:
        best = self._best(text)
        return {LABEL: 0.0 if best is None else best[0]}

    def _best(self, text: str) -> tuple[float, Span] | None:
        windows = self._model.windows(text)
        if not windows:
            return None
        logits = self._model.embed(windows) @ self._weights + self._bias
        top = int(logits.argmax())
        return 1 / (1 + math.exp(-float(logits[top]))), Span(start=windows[top].start, end=windows[top].end)


def build(settings: Settings) -> Detector:
    return MiniLMInjectionDetector(settings.injection_threshold)
