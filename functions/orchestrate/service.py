"""Judge one content: admit, choose detectors, detect, map, decide, analyze, and tell the broker."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from llama_mapper.contracts.analysis import Analysis, CanonicalFinding
from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.events import DecisionTaken, DetectorRun, FindingsMapped
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.identifiers import ContentHmac, CorrelationId, DetectorId, RequestId, TenantId
from llama_mapper.contracts.mapping import MappedLabel, Mapping, Provenance, VendorFinding, Versions
from llama_mapper.contracts.orchestration import (
    Coverage,
    CoverageMethod,
    Decision,
    DetectorOutcome,
    OrchestrateRequest,
    OrchestrateResponse,
)
from llama_mapper.contracts.problems import (
    AllDetectorsUnavailable,
    FieldError,
    InvalidRequest,
    Problem,
    RequestTimeout,
    Unavailable,
)

from .conflicts import settle
from .coverage import cover
from .routing import Directory, Route

COVERAGE_FLOOR = 0.8
# Kept back from the detectors' time for mapping, deciding and answering.
RESERVE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Selection:
    """What the policy wants to run, and to have run."""

    detectors: tuple[DetectorId, ...]
    required: tuple[DetectorId, ...]
    method: CoverageMethod


class Policy(Protocol):
    """The Rego policies.

    Raises (all methods):
        Unavailable: the policy cannot be evaluated; nothing is let through.
    """

    def admit(self, tenant_id: TenantId, content_characters: int) -> None:
        """Raises Unauthorized or InsufficientRbac where the tenant may not."""

    def select(self, request: OrchestrateRequest, available: Sequence[str]) -> Selection: ...

    def decide(self, findings: Sequence[CanonicalFinding], coverage: Coverage, tenant_id: TenantId) -> Decision: ...


class Detect(Protocol):
    async def known(self) -> tuple[DetectorInfo, ...]: ...

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]: ...


class ModelServers(Protocol):
    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport: ...


class Map(Protocol):
    async def map(
        self, findings: Sequence[VendorFinding], seconds: float, tenant_id: TenantId
    ) -> Sequence[Mapping]: ...


class Analyze(Protocol):
    async def analyze(
        self, findings: Sequence[CanonicalFinding], coverage: float, seconds: float, tenant_id: TenantId
    ) -> Analysis: ...


class Emit(Protocol):
    async def mapped(self, event: FindingsMapped, tenant_id: TenantId) -> str | None:
        """Hand the event to the broker, or keep it for later and return the name of that fallback.

        Raises:
            Unavailable: neither worked; an answer nobody can prove is not given.
        """


class Hash(Protocol):
    def __call__(self, tenant_id: TenantId, content: str) -> ContentHmac | None: ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    normal_seconds: float = 2.0
    critical_seconds: float = 1.0
    low_seconds: float = 5.0
    mapper_seconds: float = 0.5
    detector_seconds: float = 5.0

    def of(self, request: OrchestrateRequest) -> float:
        return {"critical": self.critical_seconds, "low": self.low_seconds}.get(request.priority, self.normal_seconds)


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """The use case with its ports; one object for the process."""

    policy: Policy
    detect: Detect
    model_servers: ModelServers
    mapper: Map
    analyze: Analyze
    emit: Emit
    hash: Hash
    deadlines: Deadlines
    model_server_names: frozenset[str]
    stand_ins: dict[str, str]
    versions: Versions

    async def judge(
        self, request: OrchestrateRequest, tenant_id: TenantId, correlation_id: CorrelationId
    ) -> OrchestrateResponse:
        """Return the answer; its coverage tells whether that is a 200 or a 206.

        Raises:
            Unauthorized, InsufficientRbac: the tenant may not.
            InvalidRequest: a detector nobody knows, or a mode served elsewhere.
            AllDetectorsUnavailable: no detector answered.
            Unavailable: the policy or the broker (and its outbox) cannot be reached.
        """
        started = time.monotonic()
        deadline = started + self.deadlines.of(request)
        if request.processing_mode == "async":
            message = "async work is a job; this resource answers at once: use standard, fast or thorough"
            raise InvalidRequest(
                "check: processing_mode", errors=(FieldError(field="processing_mode", message=message),)
            )
        self.policy.admit(tenant_id, len(request.content))
        routes, required, method = await self._choose(request)
        reports = await self._run(request, routes, deadline, tenant_id)
        answered = {r.detector for r in reports if r.status == "ok"}
        if routes and not answered:
            raise AllDetectorsUnavailable("none of the detectors answered", retry_after_seconds=1)
        coverage = cover(required, answered, method)
        degraded: list[str] = [f"detector.{r.detector}.{r.status}" for r in reports if r.status != "ok"]
        pairs, mapper_versions = await self._map(reports, deadline, tenant_id, degraded)
        findings = merge(settle(pairs, request.content_type))
        decision = self.policy.decide(findings, coverage, tenant_id)
        analysis = await _or_none(
            self.analyze.analyze(findings, coverage.score, max(0.05, deadline - time.monotonic()), tenant_id),
            "analyze",
            degraded,
        )
        versions = mapper_versions.model_copy(update={"frameworks": analysis.frameworks_version if analysis else None})
        request_id = RequestId(uuid.uuid4().hex)
        event = FindingsMapped(
            request_id=request_id,
            origin="orchestrate",
            content_type=request.content_type,
            content_hmac=self.hash(tenant_id, request.content),
            findings=findings,
            detectors=_runs(reports),
            coverage=coverage,
            decision=DecisionTaken(
                action=decision.action, reasons=decision.reasons, policy_version=decision.policy_version
            ),
            versions=versions,
        )
        if kept := await self.emit.mapped(event, tenant_id):
            degraded.append(kept)
        return OrchestrateResponse(
            request_id=request_id,
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            decision=decision,
            findings=findings,
            coverage=coverage,
            detectors=_outcomes(routes, reports),
            analysis=analysis,
            degraded=tuple(degraded),
            versions=versions,
            latency_ms=round((time.monotonic() - started) * 1000, 1),
        )

    async def directory(self) -> Directory:
        return Directory(await self.detect.known(), self.model_server_names, self.stand_ins)

    async def _choose(self, request: OrchestrateRequest) -> tuple[tuple[Route, ...], list[DetectorId], CoverageMethod]:
        directory = await self.directory()
        excluded = {r.detector for r in directory.routes(request.excluded_detectors, "excluded_detectors")}
        must = directory.routes(request.required_detectors, "required_detectors")
        if request.detector_types:
            named = directory.routes(request.detector_types, "detector_types")
            required = [r.detector for r in (*named, *must)]
            method: CoverageMethod = "REQUIRED_SET"
        else:
            selection = self.policy.select(request, directory.available)
            named = directory.routes([d for d in selection.detectors if d in directory.available], "policy")
            required = [*selection.required, *(r.detector for r in must)]
            method = selection.method
        routes = {r.detector: r for r in (*named, *must) if r.detector not in excluded}
        if not routes:
            raise InvalidRequest("check: no detector is left to run after excluded_detectors")
        return tuple(routes.values()), [d for d in dict.fromkeys(required) if d not in excluded], method

    async def _run(
        self, request: OrchestrateRequest, routes: Sequence[Route], deadline: float, tenant_id: TenantId
    ) -> list[DetectorReport]:
        seconds = min(self.deadlines.detector_seconds, deadline - time.monotonic() - RESERVE_SECONDS)
        embedded = [r.detector for r in routes if not r.model_server]
        served = [r.detector for r in routes if r.model_server]
        calls: list[Awaitable[Sequence[DetectorReport]]] = [
            _one(self.model_servers.detect(detector, request.content, seconds), detector) for detector in served
        ]
        if embedded:
            calls.append(_all(self.detect.detect(request.content, embedded, seconds, tenant_id), embedded))
        return [report for reports in await asyncio.gather(*calls) for report in reports]

    async def _map(
        self, reports: Iterable[DetectorReport], deadline: float, tenant_id: TenantId, degraded: list[str]
    ) -> tuple[list[tuple[VendorFinding, Mapping]], Versions]:
        """Map each distinct vendor label once, then give every detection its label's mapping."""
        findings = [
            VendorFinding(
                detector=report.detector,
                detector_version=report.version,
                label=detection.label,
                severity=detection.severity,
                score=detection.score,
                span=detection.span,
            )
            for report in reports
            for detection in report.detections
        ]
        distinct = {(f.detector, f.detector_version, f.label, f.severity): f for f in findings}
        words = [f.model_copy(update={"score": None, "span": None}) for f in distinct.values()]
        seconds = min(self.deadlines.mapper_seconds, max(0.05, deadline - time.monotonic()))
        mappings = await _or_none(self.mapper.map(words, seconds, tenant_id), "mapper", degraded) if words else ()
        if mappings is None:  # fail closed: what nobody could map is unknown, and the policy sends it to a person
            mappings = [_unmapped(word, self.versions) for word in words]
        by_word = dict(zip(distinct, mappings, strict=True))
        pairs = [(f, by_word[(f.detector, f.detector_version, f.label, f.severity)]) for f in findings]
        return pairs, next((m.versions for m in mappings), self.versions)


T = TypeVar("T")


async def _or_none(call: Awaitable[T], name: str, degraded: list[str]) -> T | None:
    """Await *call*; where it fails, say so in *degraded* and go on without."""
    try:
        return await call
    except RequestTimeout:
        degraded.append(f"{name}.timeout")
    except Problem:
        degraded.append(f"{name}.unavailable")
    return None


async def _one(call: Awaitable[DetectorReport], detector: DetectorId) -> Sequence[DetectorReport]:
    try:
        return [await call]
    except RequestTimeout:
        return [DetectorReport(detector=detector, version="unknown", family="classifiers", status="timeout")]
    except Problem:
        return [DetectorReport(detector=detector, version="unknown", family="classifiers", status="unavailable")]


async def _all(call: Awaitable[Sequence[DetectorReport]], detectors: Sequence[DetectorId]) -> Sequence[DetectorReport]:
    try:
        return await call
    except Unavailable:
        status = "unavailable"
    except RequestTimeout:
        status = "timeout"
    return [
        DetectorReport(
            detector=d, version="unknown", family="pii", status="timeout" if status == "timeout" else "unavailable"
        )
        for d in detectors
    ]


def _unmapped(finding: VendorFinding, versions: Versions) -> Mapping:
    return Mapping(
        labels=(MappedLabel(label="OTHER.Unknown", relation="broader", confidence=0.0, severity=1),),
        method="fallback",
        review=True,
        provenance=Provenance(
            vendor=finding.detector,
            detector=finding.detector,
            detector_version=finding.detector_version,
            vendor_label=finding.label,
        ),
        versions=versions,
    )


def _runs(reports: Iterable[DetectorReport]) -> tuple[DetectorRun, ...]:
    return tuple(
        DetectorRun(detector=r.detector, detector_version=r.version, status=r.status, latency_ms=r.latency_ms)
        for r in reports
    )


def _outcomes(routes: Iterable[Route], reports: Iterable[DetectorReport]) -> tuple[DetectorOutcome, ...]:
    by_id = {report.detector: report for report in reports}
    return tuple(
        DetectorOutcome(
            asked=route.asked,
            detector=route.detector,
            version=report.version,
            family=report.family,
            status=report.status,
            stands_in=route.stands_in,
            findings=len(report.detections),
            latency_ms=report.latency_ms,
        )
        for route in routes
        if (report := by_id.get(route.detector))
    )
