"""What detect needs from its process: installed packages, threads, and all of it held together for ``main.py``."""

import logging
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from llama_mapper.contracts.detection import DetectorList, DetectRequest, DetectResponse

from .discovery import discover
from .registry import Registry, Slot
from .service import detect
from .settings import Settings

log = logging.getLogger(__name__)


class Runtime:
    """The registry and the threads of one process."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self._executor = ThreadPoolExecutor(settings.executor_threads, thread_name_prefix="detect")

    async def detect(self, request: DetectRequest) -> DetectResponse:
        """Answer *request*; its timeout is cut to ``max_timeout_seconds``.

        Raises:
            Unprocessable: a named detector is not known here.
        """
        if request.timeout_seconds > self.settings.max_timeout_seconds:
            request = request.model_copy(update={"timeout_seconds": self.settings.max_timeout_seconds})
        return await detect(request, self.registry, self._executor)

    def list(self) -> DetectorList:
        return self.registry.list()

    def warm(self, names: Iterable[str] | None = None) -> None:
        """Begin to load the named detectors (by default the setting's) in the background and return at once."""
        for name in self.settings.preload if names is None else names:
            slot = self.registry.slot(name)
            if slot is None:
                log.warning("detector.preload_unknown", extra={"detector": name})
                continue
            future = self._executor.submit(_load_and_run, slot, self.settings.max_timeout_seconds)
            future.add_done_callback(partial(_report_loading, name))

    def close(self) -> None:
        """Take no more work; does not wait for a thread that is past its deadline."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _load_and_run(slot: Slot, wait_seconds: float) -> bool:
    """Load and judge once: models set up buffers and caches at their first text, which took a request 1.2 s."""
    if not slot.ensure_loaded(wait_seconds):
        return False
    slot.detector.detect("Warming up.")
    return True


def _report_loading(name: str, done: Future[bool]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is None:
        log.info("detector.loaded", extra={"detector": name})
    else:
        log.warning("detector.load_failed", extra={"detector": name, "error": type(error).__name__})


def open_runtime(settings: Settings) -> Runtime:
    """Discover the detectors and start the threads; no model is loaded before ``warm`` or the first request."""
    return Runtime(settings, Registry(discover(settings)))
