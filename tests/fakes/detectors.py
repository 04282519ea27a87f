"""Detectors that say what a test wants them to say."""

import re
from collections.abc import Callable, Sequence
from threading import Event

from llama_mapper.contracts.detection import Detection, Family, Span


class WordDetector:
    """Finds every occurrence of its words, each with a span; counts its loads."""

    def __init__(self, name: str, *words: str, window_characters: int = 1_000) -> None:
        self.name = name
        self.version = "1.0"
        self.family: Family = "pii"
        self.window_characters = window_characters
        self.loads = 0
        self._words = words

    def load(self) -> None:
        self.loads += 1

    def detect(self, text: str) -> Sequence[Detection]:
        return [
            Detection(label="WORD", score=0.9, span=Span(start=m.start(), end=m.end()))
            for word in self._words
            for m in re.finditer(re.escape(word), text)
        ]


class SayingDetector(WordDetector):
    """Answers what *say* returns for the window."""

    def __init__(self, name: str, say: Callable[[str], Sequence[Detection]], *, window_characters: int = 1_000) -> None:
        super().__init__(name, window_characters=window_characters)
        self._say = say

    def detect(self, text: str) -> Sequence[Detection]:
        return self._say(text)


class FailingDetector(WordDetector):
    """Raises *error* with the text in its message, as careless libraries do."""

    def __init__(self, name: str, error: type[Exception] = RuntimeError, *, at_load: bool = False) -> None:
        super().__init__(name)
        self._error = error
        self._at_load = at_load

    def load(self) -> None:
        super().load()
        if self._at_load:
            raise self._error("cannot load")

    def detect(self, text: str) -> Sequence[Detection]:
        raise self._error(f"cannot judge {text}")


class BlockingDetector(WordDetector):
    """Stays in ``detect`` until ``release`` is set; ``entered`` is set when it is there."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.entered = Event()
        self.release = Event()

    def detect(self, text: str) -> Sequence[Detection]:
        self.entered.set()
        self.release.wait(timeout=30)
        return []
