"""The detectors of this process: found by name, loaded once, at their first use."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from llama_mapper.contracts.detection import Detector, DetectorInfo, DetectorList

MAX_OVERRUNNING = 2
"""Calls of one detector that may still run after their deadline before it is set aside; keeps the pool for others."""

# Loading is mostly importing, and numpy refuses to be imported from two threads at once ("cannot load module more than
# once per process"); one after the other is no slower, since imports hold the interpreter's lock.
_IMPORTING = Lock()


@dataclass(slots=True)
class Slot:
    """One detector and its state. ``overrunning`` counts calls given up on whose thread still runs."""

    detector: Detector
    loaded: bool = False
    overrunning: int = 0
    _loading: Lock = field(default_factory=Lock)
    _counting: Lock = field(default_factory=Lock)

    def ensure_loaded(self, wait_seconds: float) -> bool:
        """Load the detector unless it is; return False if another thread is still at it after *wait_seconds*.

        Raises whatever the detector raises; the next call tries again.
        """
        if self.loaded:
            return True
        if not self._loading.acquire(timeout=max(0.0, wait_seconds)):
            return False
        try:
            if not self.loaded:
                if not _IMPORTING.acquire(timeout=max(0.0, wait_seconds)):
                    return False
                try:
                    self.detector.load()
                finally:
                    _IMPORTING.release()
                self.loaded = True
        finally:
            self._loading.release()
        return True

    @property
    def set_aside(self) -> bool:
        return self.overrunning >= MAX_OVERRUNNING

    def abandon(self) -> None:
        with self._counting:
            self.overrunning += 1

    def recover(self) -> None:
        with self._counting:
            self.overrunning -= 1


class Registry:
    """Detectors by name, in the order given."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        """Take *detectors*; names must differ.

        Raises:
            ValueError: two detectors have one name.
        """
        self._slots: dict[str, Slot] = {}
        for detector in detectors:
            if detector.name in self._slots:
                raise ValueError(f"two detectors are named {detector.name}")
            self._slots[detector.name] = Slot(detector)

    def names(self) -> tuple[str, ...]:
        return tuple(self._slots)

    def slot(self, name: str) -> Slot | None:
        return self._slots.get(name)

    def detectors(self) -> tuple[Detector, ...]:
        return tuple(slot.detector for slot in self._slots.values())

    def list(self) -> DetectorList:
        """Describe all detectors for ``GET /api/v1/detectors``."""
        return DetectorList(
            detectors=tuple(
                DetectorInfo(
                    id=slot.detector.name,
                    version=slot.detector.version,
                    family=slot.detector.family,
                    loaded=slot.loaded,
                )
                for slot in self._slots.values()
            )
        )
