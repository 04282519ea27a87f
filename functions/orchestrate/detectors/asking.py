"""Ask the detectors of one request: those in rotation, in the version whose turn it is, or an alternative."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from llama_mapper.chassis import metrics
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.problems import Problem, Unavailable

from ..ports import Detect, ModelServers
from ..reports import lost, one, several
from ..routing import Route
from .condition import DETECT, Condition
from .versions import Versions

FIRST_SHARE = 0.6
"""Of the time, what the first has where another could still be asked after it."""
LEAST_SECONDS = 0.05
"""Nobody is asked for less."""
MOST_SHADOWS = 64
"""Comparisons at once; more are left out, for they must not take the place of answers."""


class Health(Protocol):
    def start(self) -> None:
        """Begin to probe, in a running loop."""

    def in_rotation(self, name: str) -> bool: ...

    def condition(self, name: str) -> Condition: ...

    async def aclose(self) -> None: ...


class Unwatched:
    """Nobody probes: everybody is worth asking."""

    def start(self) -> None:
        """Nothing to begin."""

    def in_rotation(self, name: str) -> bool:
        return True

    def condition(self, name: str) -> Condition:
        return Condition()

    async def aclose(self) -> None:
        """Nothing to end."""


class Asking:
    """*health* says who is worth asking, *versions* which version of a detector answers."""

    def __init__(self, health: Health | None = None, versions: Versions | None = None) -> None:
        self.health: Health = health or Unwatched()
        self._versions = versions or Versions({}, b"")
        self._shadows: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)
        await self.health.aclose()

    def assigned(self, routes: Iterable[Route], tenant_id: TenantId, content: str) -> tuple[Route, ...]:
        """*routes*, each with the candidate that *content* goes to; to be done once for all readings of a content."""
        return tuple(
            replace(
                route,
                candidate=self._versions.candidate(route.detector, tenant_id, content),
                shadow=self._versions.shadowed(route.detector),
            )
            for route in routes
        )

    async def run(
        self,
        detect: Detect,
        model_servers: ModelServers,
        content: str,
        routes: Sequence[Route],
        seconds: float,
        tenant_id: TenantId,
    ) -> list[DetectorReport]:
        """Return a report for each detector that was asked, the alternatives' after those of whom they stand in for."""
        async with asyncio.TaskGroup() as group:
            round_ = _Round(self, detect, model_servers, content, seconds, tenant_id, group)
            return await round_.all(routes)

    def compare(self, route: Route, report: DetectorReport, asked: "_Round", seconds: float) -> None:
        """Ask the shadow too, after the answer and beside whatever comes next."""
        if len(self._shadows) < MOST_SHADOWS:
            task = asyncio.get_running_loop().create_task(self._compared(route, report, asked, seconds))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    async def _compared(self, route: Route, report: DetectorReport, asked: "_Round", seconds: float) -> None:
        assert route.candidate is not None
        try:
            other = await asked.ask(route.candidate, seconds)
        except Problem:
            outcome = "failed"
        else:
            outcome = "agree" if _labels(other) == _labels(report) else "differ"
        metrics.VERSIONS.labels(route.detector, route.candidate, outcome).inc()


class _Round:
    """One content; each detector is asked once, however many want its answer."""

    def __init__(
        self,
        asking: Asking,
        detect: Detect,
        model_servers: ModelServers,
        content: str,
        seconds: float,
        tenant_id: TenantId,
        group: asyncio.TaskGroup,
    ) -> None:
        self._asking, self._detect, self._model_servers = asking, detect, model_servers
        self._content, self._tenant_id, self._group = content, tenant_id, group
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._tasks: dict[DetectorId, asyncio.Task[DetectorReport]] = {}

    async def all(self, routes: Sequence[Route]) -> list[DetectorReport]:
        for route in routes:
            if route.model_server:
                self._task(route, FIRST_SHARE if route.alternatives else 1.0)
        if embedded := [route for route in routes if not route.model_server]:
            together = self._group.create_task(self._embedded(embedded))
            for route in embedded:
                self._tasks[route.detector] = self._group.create_task(_picked(together, route.detector))
        await asyncio.gather(*(self._answered(route) for route in routes))
        return [task.result() for task in self._tasks.values() if task.done()]

    async def ask(self, detector: DetectorId, seconds: float) -> DetectorReport:
        return await self._model_servers.detect(detector, self._content, seconds)

    async def _answered(self, route: Route) -> None:
        """Wait for an answer, the detector's own or that of an alternative while there is time."""
        report = await self._tasks[route.detector]
        for alternative in route.alternatives:
            if report.status == "ok" or self._left() < LEAST_SECONDS:
                return
            metrics.FALLBACKS.labels("detector.alternative").inc()
            report = await self._task(alternative, 1.0)

    def _task(self, route: Route, share: float) -> "asyncio.Task[DetectorReport]":
        if route.detector not in self._tasks:
            asked = self._served(route, self._left() * share) if route.model_server else self._alone(route)
            self._tasks[route.detector] = self._group.create_task(asked)
        return self._tasks[route.detector]

    def _left(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    async def _embedded(self, routes: Sequence[Route]) -> Sequence[DetectorReport]:
        if not self._asking.health.in_rotation(DETECT):
            return lost(routes, Unavailable("detect is out of rotation", retry_after_seconds=5))
        names = [route.detector for route in routes]
        return await several(self._detect.detect(self._content, names, self._left(), self._tenant_id), routes)

    async def _alone(self, route: Route) -> DetectorReport:
        return (await self._embedded([route]))[0]

    async def _served(self, route: Route, seconds: float) -> DetectorReport:
        if route.candidate and not route.shadow and (report := await self._candidate(route, seconds)):
            return report
        if not self._asking.health.in_rotation(route.detector):
            return lost([route], Unavailable(f"{route.detector} is out of rotation", retry_after_seconds=5))[0]
        (report,) = await one(self.ask(route.detector, min(seconds, self._left())), route)
        if route.candidate and route.shadow and report.status == "ok":
            self._asking.compare(route, report, self, seconds)
        return report

    async def _candidate(self, route: Route, seconds: float) -> DetectorReport | None:
        """The candidate's report under the detector's name; None where the detector itself has to be asked."""
        assert route.candidate is not None
        report = None
        if self._asking.health.in_rotation(route.candidate):
            try:
                report = await self.ask(route.candidate, seconds * FIRST_SHARE)
            except Problem:
                metrics.FALLBACKS.labels("detector.candidate").inc()
        metrics.VERSIONS.labels(route.detector, route.candidate, "answered" if report else "failed").inc()
        return report and report.model_copy(update={"detector": route.detector})


async def _picked(together: "asyncio.Task[Sequence[DetectorReport]]", detector: DetectorId) -> DetectorReport:
    return next(report for report in await together if report.detector == detector)


def _labels(report: DetectorReport) -> frozenset[str]:
    return frozenset(detection.label for detection in report.detections)
