"""Detectors that a cluster holds: Services with the label ``llama-mapper.io/detector=true``, described by annotations.

A thread lists them, watches from there, and lists again when the watch ends: a lost event costs minutes, never more.
While the API server is away the last known stay. Who may label Services in the namespace runs the platform, so these
detectors are every tenant's; they are not tried first, as pods come and go: one that does not answer is a report.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from pydantic import ValidationError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.cluster.detectors import DetectorService
from llama_mapper.cluster.errors import ClusterError, Stale
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import Problem

from .registered_detector import RegisteredDetector, Workshop
from .registrations import Kept

log = get_logger(__name__)

WATCH_SECONDS = 300
PAUSE_SECONDS = 5.0
CLUSTER = "*"
"""Whose breakers they are."""
DESCRIBED = ("version", "family", "vocabulary", "vocabulary_version", "adapter", "health_path")


class Services(Protocol):
    """Raises (all methods): ClusterError."""

    def listed(self) -> tuple[tuple[DetectorService, ...], str]: ...

    def watch(self, since: str, seconds: int) -> Iterator[tuple[str, DetectorService]]: ...


class Discovery:
    """*connect* is called in the thread: the client for Kubernetes takes a second to import."""

    def __init__(
        self,
        connect: Callable[[], Services],
        workshop: Workshop,
        watch_seconds: int = WATCH_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._connect, self._workshop = connect, workshop
        self._watch_seconds, self._pause_seconds = watch_seconds, pause_seconds
        self._services: dict[str, DetectorService] = {}
        self._current: Mapping[DetectorId, RegisteredDetector] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> Mapping[DetectorId, RegisteredDetector]:
        """What the cluster holds now, as far as it is known."""
        return self._current

    def start(self) -> None:
        """Begin to look, if that has not begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="discovery", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more; a watch under way ends by itself."""
        self._ended.set()

    def _run(self) -> None:
        services: Services | None = None
        while not self._ended.is_set():
            try:
                services = services or self._connect()
                self._follow(services)
            except Stale:
                continue
            except ClusterError as error:
                metrics.FALLBACKS.labels("detectors.last_known").inc()
                log.warning("discovery.away", extra={"error": type(error).__name__})
                self._ended.wait(self._pause_seconds)

    def _follow(self, services: Services) -> None:
        found, version = services.listed()
        self._take({one.name: one for one in found})
        for kind, one in services.watch(version, self._watch_seconds):
            rest = {name: other for name, other in self._services.items() if name != one.name}
            self._take(rest if kind == "DELETED" else {**rest, one.name: one})
            if self._ended.is_set():
                return

    def _take(self, services: dict[str, DetectorService]) -> None:
        """Where two Services claim one id, the one that was there first has it."""
        made: dict[DetectorId, RegisteredDetector] = {}
        for service in sorted(services.values(), key=lambda one: (one.created, one.name)):
            detector = self._made(service)
            if detector is None or detector.info.id in made:
                metrics.FALLBACKS.labels("detectors.unfit").inc()
                log.warning("detector.unfit", extra={"reason": "taken" if detector else "description"})
                continue
            known = self._current.get(detector.info.id)
            made[detector.info.id] = known if known and known.kept == detector.kept else detector
        self._services, self._current = services, made

    def _made(self, service: DetectorService) -> RegisteredDetector | None:
        try:
            return self._workshop.make(described(service), "discovered", CLUSTER)
        except (Problem, ValidationError, ValueError):
            return None


def described(service: DetectorService) -> Kept:
    """The registration that the annotations of *service* amount to.

    Raises:
        ValueError: they are incomplete or wrong.
    """
    if service.kind == "ExternalName" or not service.ports:
        raise ValueError("leads outside the cluster, or nowhere")
    said = service.said
    port, path = (
        said.get("port", str(service.ports[0])),
        said.get("path", "" if said.get("adapter") else "/api/v1/detect"),
    )
    definition = {
        "id": said.get("id", service.name),
        "url": f"http://{service.name}.{service.namespace}.svc.cluster.local:{port}{path}",
        "options": json.loads(said.get("options", "{}")),
        **{name: said[name] for name in DESCRIBED if name in said},
    }
    return Kept.model_validate(
        {"definition": definition, "registered_at": service.created, "changed_at": service.created}
    )
