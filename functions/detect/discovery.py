"""Find the detectors of this process: the files of ``detectors/`` and the plug-ins of other distributions.

A plug-in is an entry point of group ``llama_mapper.detectors`` that names a factory without arguments. One that
cannot be had is reported by name and left out: a broken plug-in must not take the others with it.
"""

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint, entry_points

from llama_mapper.contracts.detection import Detector, DetectorInfo

from . import detectors as builtin_folder
from .settings import Settings

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "llama_mapper.detectors"


def builtin(settings: Settings) -> Iterator[Detector]:
    """Build one detector from each file of ``detectors/``; loads no model and imports no third party of theirs."""
    for module in sorted(pkgutil.iter_modules(builtin_folder.__path__), key=lambda m: m.name):
        build: Callable[[Settings], Detector] = importlib.import_module(
            f"{builtin_folder.__name__}.{module.name}"
        ).build
        yield build(settings)


def plugins(points: Iterable[EntryPoint] | None = None) -> Iterator[Detector]:
    """Make the detector of each entry point, by default of all installed ones; what fails is logged and left out."""
    found = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
    # A plug-in may raise anything. In a worker that ends in the future's exception and nowhere else.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="plugin") as worker:
        for point in sorted(found, key=lambda p: p.name):
            future = worker.submit(_make, point)
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                log.warning("detector.plugin_failed", extra={"detector": point.name, "error": type(error).__name__})


def _make(point: EntryPoint) -> Detector:
    factory: Callable[[], Detector] = point.load()
    detector = factory()
    _check(detector)
    return detector


def _check(detector: Detector) -> None:
    """Refuse what would fail later, in a request.

    Raises:
        TypeError: it is no detector.
        ValidationError: its name, version or family would not pass the contract.
    """
    if not callable(getattr(detector, "load", None)) or not callable(getattr(detector, "detect", None)):
        raise TypeError("a detector has load() and detect()")
    DetectorInfo(id=detector.name, version=detector.version, family=detector.family, loaded=False)
    if not isinstance(detector.window_characters, int) or detector.window_characters < 1:
        raise TypeError("window_characters is a number of at least 1")


def unique(detectors: Iterable[Detector]) -> Iterator[Detector]:
    """Pass on the first detector of each name; a later one is logged and left out."""
    seen: set[str] = set()
    for detector in detectors:
        if detector.name in seen:
            log.warning("detector.name_taken", extra={"detector": detector.name})
            continue
        seen.add(detector.name)
        yield detector


def discover(settings: Settings) -> tuple[Detector, ...]:
    """Return all detectors, built-in ones first, so that no plug-in can take the name of one."""

    def everything() -> Iterator[Detector]:
        yield from builtin(settings)
        if settings.plugins_enabled:
            yield from plugins()

    return tuple(unique(everything()))
