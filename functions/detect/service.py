"""Run the detectors a request names over its content, side by side, each with the deadline of the request.

A thread cannot be stopped: a detector past its deadline is answered as ``timeout`` and its thread runs on to the end
of the window it is in. The executor's threads bound how many there can be, and a detector with
``registry.MAX_OVERRUNNING`` such calls is answered as ``unavailable`` until one of them ends.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

from llama_mapper.contracts.detection import (
    Detection,
    Detector,
    DetectorReport,
    DetectRequest,
    DetectResponse,
    ReportStatus,
)
from llama_mapper.contracts.problems import FieldError, Unprocessable

from .registry import Registry, Slot
from .windows import merge, split

log = logging.getLogger(__name__)

Clock = Callable[[], float]
Judged = tuple[tuple[Detection, ...], int]

# The detector's package or model is not in this deployment: asking again cannot help until something is installed.
NOT_HERE = (ImportError, FileNotFoundError)


async def detect(
    request: DetectRequest, registry: Registry, executor: Executor, clock: Clock = time.monotonic
) -> DetectResponse:
    """Ask every named detector; the reports come in the order of the request, one for each distinct name.

    Raises:
        Unprocessable: a named detector is not known here.
    """
    slots = _slots(request, registry)
    deadline = clock() + request.timeout_seconds
    reports = await asyncio.gather(*(_report(slot, request.content, deadline, executor, clock) for slot in slots))
    return DetectResponse(reports=tuple(reports))


def judge(detector: Detector, content: str, go_on: Callable[[], bool] = lambda: True) -> Judged | None:
    """Run a loaded *detector* over the windows of *content*; None if *go_on* said no before a window.

    Raises:
        ValueError: the detector gave a span outside the window it was given.
    """
    windows = split(content, detector.window_characters)
    said: list[Sequence[Detection]] = []
    for window in windows:
        if not go_on():
            return None
        # White space alone is no text to judge; some classifiers are certain about it all the same.
        found = detector.detect(window.text) if window.text.strip() else ()
        if any(d.span is not None and d.span.end > len(window.text) for d in found):
            raise ValueError("a span ends after its window")
        said.append(found)
    return merge(windows, said), len(windows)


def _slots(request: DetectRequest, registry: Registry) -> list[Slot]:
    slots, errors = [], []
    for name in dict.fromkeys(request.detectors):
        slot = registry.slot(name)
        if slot is None:
            position = request.detectors.index(name)
            errors.append(FieldError(field=f"detectors[{position}]", message="no detector of this name is here"))
        else:
            slots.append(slot)
    if errors:
        raise Unprocessable("The request names a detector that this function does not have.", errors=tuple(errors))
    return slots


async def _report(slot: Slot, content: str, deadline: float, executor: Executor, clock: Clock) -> DetectorReport:
    started = clock()
    if slot.set_aside:
        log.warning("detector.set_aside", extra={"detector": slot.detector.name})
        return _answer(slot, "unavailable", 0.0)

    def work() -> Judged | None:
        if not slot.ensure_loaded(deadline - clock()):
            return None
        return judge(slot.detector, content, lambda: clock() < deadline)

    future = executor.submit(work)
    # Every way out takes the wrapper's exception or cancels it: asyncio would print one that nobody took, and the
    # text of a library's error may quote the content.
    waiting = asyncio.wrap_future(future)
    try:
        await asyncio.wait([waiting], timeout=max(0.0, deadline - started))
    finally:
        in_time = waiting.done()
        if not in_time:
            _give_up(slot, future)
            waiting.cancel()
    elapsed_ms = (clock() - started) * 1000
    error = waiting.exception() if in_time else None
    if error is not None:
        status: ReportStatus = "unavailable" if isinstance(error, NOT_HERE) else "failed"
        log.warning(f"detector.{status}", extra={"detector": slot.detector.name, "error": type(error).__name__})
        return _answer(slot, status, elapsed_ms)
    judged = waiting.result() if in_time else None
    if judged is None:
        log.warning("detector.timeout", extra={"detector": slot.detector.name})
        return _answer(slot, "timeout", elapsed_ms)
    detections, windows = judged
    return _answer(slot, "ok", elapsed_ms, detections, windows)


def _give_up(slot: Slot, future: Future[Judged | None]) -> None:
    if not future.cancel():
        slot.abandon()
        future.add_done_callback(lambda _: slot.recover())


def _answer(
    slot: Slot, status: ReportStatus, elapsed_ms: float, detections: tuple[Detection, ...] = (), windows: int = 0
) -> DetectorReport:
    return DetectorReport(
        detector=slot.detector.name,
        version=slot.detector.version,
        family=slot.detector.family,
        status=status,
        detections=detections,
        windows=windows,
        latency_ms=elapsed_ms,
    )
