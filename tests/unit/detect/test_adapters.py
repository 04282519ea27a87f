import asyncio
import logging
from threading import Event

import pytest

from functions.detect.adapters import Runtime
from functions.detect.registry import Registry
from functions.detect.settings import Settings
from llama_mapper.contracts.detection import DetectRequest
from tests.fakes.detectors import BlockingDetector, FailingDetector, WordDetector


class Announcing(WordDetector):
    """Sets ``loaded`` at the end of ``load``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.loaded = Event()

    def load(self) -> None:
        super().load()
        self.loaded.set()


async def test_the_setting_cuts_a_longer_timeout() -> None:
    slow = BlockingDetector("slow")
    runtime = Runtime(Settings(max_timeout_seconds=0.1), Registry([slow]))
    request = DetectRequest.model_validate({"content": "text", "detectors": ["slow"], "timeout_seconds": 60})
    answer = await asyncio.wait_for(runtime.detect(request), timeout=20)
    slow.release.set()
    runtime.close()
    assert answer.reports[0].status == "timeout"


def test_warming_loads_the_preload_list_and_nothing_else() -> None:
    cats, dogs = Announcing("cats"), Announcing("dogs")
    runtime = Runtime(Settings(preload=("cats",)), Registry([cats, dogs]))
    runtime.warm()
    assert cats.loaded.wait(timeout=20)
    runtime.close()
    assert dogs.loads == 0


def test_a_preload_name_that_is_not_there_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    runtime = Runtime(Settings(), Registry([]))
    with caplog.at_level(logging.WARNING):
        runtime.warm(["horses"])
    runtime.close()
    assert [(r.getMessage(), r.__dict__["detector"]) for r in caplog.records] == [
        ("detector.preload_unknown", "horses")
    ]


def test_a_preload_that_fails_is_logged_by_type(caplog: pytest.LogCaptureFixture) -> None:
    logged = Event()
    handler = logging.Handler()
    handler.emit = lambda record: logged.set()  # type: ignore[method-assign]
    logger = logging.getLogger("functions.detect.adapters")
    logger.addHandler(handler)
    runtime = Runtime(Settings(), Registry([FailingDetector("broken", ModuleNotFoundError, at_load=True)]))
    runtime.warm(["broken"])
    assert logged.wait(timeout=20)
    logger.removeHandler(handler)
    runtime.close()
    assert [(r.getMessage(), r.__dict__["error"]) for r in caplog.records] == [
        ("detector.load_failed", "ModuleNotFoundError")
    ]
