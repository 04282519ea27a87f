"""What detectors report, what is reported for those that could not, and how both are shown."""

from collections.abc import Awaitable, Collection, Iterable, Sequence
from typing import TypeVar

from llama_mapper.contracts.detection import DetectorReport, ReportStatus
from llama_mapper.contracts.events import DetectorRun
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.mapping import MappedLabel, Mapping, Provenance, VendorFinding, Versions
from llama_mapper.contracts.orchestration import DetectorOutcome
from llama_mapper.contracts.problems import DetectorCommunicationFailed, DetectorOverloaded, Problem, RequestTimeout

from .routing import Route

T = TypeVar("T")


async def or_none(call: Awaitable[T], name: str, degraded: list[str]) -> T | None:
    """Await *call*; where it fails, say so in *degraded* and go on without."""
    try:
        return await call
    except RequestTimeout:
        degraded.append(f"{name}.timeout")
    except Problem:
        degraded.append(f"{name}.unavailable")
    return None


async def one(call: Awaitable[DetectorReport], route: Route) -> Sequence[DetectorReport]:
    """Await the report of one model server; a failure is its report."""
    try:
        return [await call]
    except Problem as problem:
        return lost([route], problem)


async def several(call: Awaitable[Sequence[DetectorReport]], routes: Sequence[Route]) -> Sequence[DetectorReport]:
    """Await detect's reports; a failure, or a detector that detect forgot, is a report too."""
    try:
        reports = await call
    except Problem as problem:
        return lost(routes, problem)
    reported = {report.detector for report in reports}
    forgotten = [route for route in routes if route.detector not in reported]
    return [*reports, *lost(forgotten, DetectorCommunicationFailed("detect left a detector out"))]


def lost(routes: Iterable[Route], problem: Problem) -> list[DetectorReport]:
    """What is reported of *routes* that *problem* kept from answering."""
    status: ReportStatus = "unavailable"
    if isinstance(problem, RequestTimeout):
        status = "timeout"
    elif isinstance(problem, DetectorOverloaded):
        status = "overloaded"
    elif isinstance(problem, DetectorCommunicationFailed):
        status = "failed"
    return [DetectorReport(detector=r.detector, version=r.version, family=r.family, status=status) for r in routes]


def found(reports: Iterable[DetectorReport]) -> list[VendorFinding]:
    """Every detection as the mapper takes it."""
    return [
        VendorFinding(
            detector=report.detector,
            detector_version=report.version,
            label=detection.label,
            severity=detection.severity,
            score=detection.score,
            span=detection.span,
            reading=detection.reading,
        )
        for report in reports
        for detection in report.detections
    ]


def unmapped(finding: VendorFinding, versions: Versions) -> Mapping:
    """What stands in for a mapping nobody gave: nothing is claimed, and a person should look."""
    return Mapping(
        labels=(MappedLabel(label="OTHER.Unknown", relation="broader", confidence=0.0, severity=1),),
        method="fallback",
        review=True,
        provenance=Provenance(
            vendor=finding.detector,
            detector=finding.detector,
            detector_version=finding.detector_version,
            vendor_label=finding.label,
            vendor_severity=finding.severity,
        ),
        versions=versions,
    )


def runs(reports: Iterable[DetectorReport]) -> tuple[DetectorRun, ...]:
    return tuple(
        DetectorRun(detector=r.detector, detector_version=r.version, status=r.status, latency_ms=r.latency_ms)
        for r in reports
    )


def stood_in_for(routes: Iterable[Route], answered: Collection[str]) -> set[DetectorId]:
    """The detectors in whose place an alternative answered."""
    return {route.detector for route in routes if any(one.detector in answered for one in route.alternatives)}


def outcomes(routes: Iterable[Route], reports: Iterable[DetectorReport]) -> tuple[DetectorOutcome, ...]:
    """What became of each route, and after one that did not answer, of its alternatives."""
    by_id = {report.detector: report for report in reports}
    shown: list[DetectorOutcome] = []
    for route in routes:
        for asked in (route, *route.alternatives):
            report = by_id.get(asked.detector)
            if report:
                shown.append(_outcome(asked, report))
            if report and report.status == "ok":
                break
    return tuple(shown)


def _outcome(route: Route, report: DetectorReport) -> DetectorOutcome:
    return DetectorOutcome(
        asked=route.asked,
        detector=route.detector,
        version=report.version,
        family=report.family,
        status=report.status,
        stands_in=route.stands_in,
        findings=len(report.detections),
        latency_ms=report.latency_ms,
    )
