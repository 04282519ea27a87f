"""Judge one content: admit, choose detectors, detect, map, decide, analyze, and tell the broker."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.events import DecisionTaken, FindingsMapped
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.identifiers import CorrelationId, DetectorId, RequestId, TenantId
from llama_mapper.contracts.mapping import Mapping, VendorFinding, Versions
from llama_mapper.contracts.orchestration import (
    OrchestrateRequest,
    OrchestrateResponse,
)
from llama_mapper.contracts.problems import AllDetectorsUnavailable, FieldError, InvalidRequest

from .conflicts import settle
from .coverage import cover
from .ports import Analyze, Deadlines, Detect, Emit, Hash, Map, ModelServers, Policy, Selection
from .reports import found, one, or_none, outcomes, runs, several, unmapped
from .response_cache import Judgement, ResponseCache
from .routing import Directory, Route
from .shedding import Shedding

COVERAGE_FLOOR = 0.8
# Kept back from the detectors' time for mapping, deciding and answering.
RESERVE_SECONDS = 0.25


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
    http_detectors: tuple[DetectorInfo, ...] = ()
    """Those behind a vendor's API; ``model_servers`` asks them."""
    vocabularies: ReadOnly[DetectorId, DetectorId] = field(default_factory=dict)
    """Whose words a detector speaks, where that is not its own id."""
    load: Shedding = field(default_factory=Shedding)
    cache: ResponseCache | None = None

    async def judge(
        self,
        request: OrchestrateRequest,
        tenant_id: TenantId,
        correlation_id: CorrelationId,
        authenticated: bool = False,
    ) -> OrchestrateResponse:
        """Return the answer; its coverage tells whether that is a 200 or a 206.

        Raises:
            Unauthorized, InsufficientRbac: the tenant may not.
            InvalidRequest: a detector nobody knows, or a mode served elsewhere.
            AllDetectorsUnavailable: no detector answered.
            Unavailable: the policy or the broker (and its outbox) cannot be reached.
        """
        started = time.monotonic()
        if request.processing_mode == "async":
            raise _refused(
                "processing_mode",
                "async work is a job; this resource answers at once: use standard, fast or thorough",
            )
        policy = await self.policy.pinned(tenant_id)
        await policy.admit(tenant_id, len(request.content), authenticated)
        seconds = self.deadlines.of(request)
        degraded: list[str] = []
        with self.load.slot(tenant_id, request.priority, seconds):
            judgement, cached = await self._judged(request, policy, started + seconds, tenant_id, degraded)
            request_id = RequestId(uuid.uuid4().hex)
            event = self._event(request, request_id, judgement, tenant_id)
            if kept := await self.emit.mapped(event, tenant_id):
                degraded.append(kept)
        return OrchestrateResponse(
            request_id=request_id,
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            decision=judgement.decision,
            findings=judgement.findings,
            coverage=judgement.coverage,
            detectors=judgement.outcomes,
            analysis=judgement.analysis,
            cached=cached,
            degraded=tuple(degraded),
            versions=judgement.versions,
            latency_ms=round((time.monotonic() - started) * 1000, 1),
        )

    async def _judged(
        self, request: OrchestrateRequest, policy: Policy, deadline: float, tenant_id: TenantId, degraded: list[str]
    ) -> tuple[Judgement, bool]:
        """Return the judgement, and whether it was made before; only a whole one is kept."""
        routes, wanted = await self._choose(request, policy)
        if self.cache is None:
            return await self._judge(request, policy, routes, wanted, deadline, tenant_id, degraded), False
        circumstances: list[JsonValue] = [
            request.model_dump(mode="json", exclude={"content", "priority"}),
            [[route.detector, route.version, route.model_server] for route in routes],
            list(wanted.required),
            policy.version,
            self.versions.model_dump(mode="json"),
        ]
        name = self.cache.name(tenant_id, request.content, circumstances)
        if before := await self.cache.get(tenant_id, name):
            return before, True
        judgement = await self._judge(request, policy, routes, wanted, deadline, tenant_id, degraded)
        if not degraded:
            await self.cache.put(tenant_id, name, judgement)
        return judgement, False

    async def _judge(
        self,
        request: OrchestrateRequest,
        policy: Policy,
        routes: Sequence[Route],
        wanted: Selection,
        deadline: float,
        tenant_id: TenantId,
        degraded: list[str],
    ) -> Judgement:
        reports = await self._run(request, routes, deadline, tenant_id)
        answered = {r.detector for r in reports if r.status == "ok"}
        if routes and not answered:
            raise AllDetectorsUnavailable("none of the detectors answered", retry_after_seconds=1)
        coverage = cover(wanted.required, answered, wanted.method, wanted.weights, wanted.pillars)
        degraded += [f"detector.{r.detector}.{r.status}" for r in reports if r.status != "ok"]
        pairs, mappings = await self._map(reports, deadline, tenant_id, degraded)
        findings = merge(settle(pairs, request.content_type))
        decision = await policy.decide(findings, coverage, tenant_id)
        analysis = await or_none(
            self.analyze.analyze(findings, coverage.score, max(0.05, deadline - time.monotonic()), tenant_id),
            "analyze",
            degraded,
        )
        versions = next((mapping.versions for mapping in mappings), self.versions)
        return Judgement(
            findings=findings,
            mappings=tuple(mappings),
            coverage=coverage,
            decision=decision,
            runs=runs(reports),
            outcomes=outcomes(routes, reports),
            analysis=analysis,
            versions=versions.model_copy(update={"frameworks": analysis.frameworks_version if analysis else None}),
        )

    def _event(
        self, request: OrchestrateRequest, request_id: RequestId, judgement: Judgement, tenant_id: TenantId
    ) -> FindingsMapped:
        decision = judgement.decision
        return FindingsMapped(
            request_id=request_id,
            origin="orchestrate",
            content_type=request.content_type,
            content_hmac=self.hash(tenant_id, request.content),
            findings=judgement.findings,
            mappings=judgement.mappings,
            detectors=judgement.runs,
            coverage=judgement.coverage,
            decision=DecisionTaken(
                action=decision.action, reasons=decision.reasons, policy_version=decision.policy_version
            ),
            versions=judgement.versions,
        )

    def under(self, policy: Policy) -> "Orchestrator":
        """The same, judging under *policy*: what let a request in also decides it, whatever is loaded meanwhile."""
        return self if policy is self.policy else replace(self, policy=policy)

    def uncached(self) -> "Orchestrator":
        """The same, judging anew what was judged before."""
        return replace(self, cache=None)

    async def directory(self) -> Directory:
        return Directory(await self.detect.known(), self.model_server_names, self.stand_ins, self.http_detectors)

    async def _choose(self, request: OrchestrateRequest, policy: Policy) -> tuple[tuple[Route, ...], Selection]:
        """Return what to run, and what the policy or the caller wants to have run."""
        directory = await self.directory()
        excluded = {r.detector for r in directory.routes(request.excluded_detectors, "excluded_detectors")}
        must = directory.routes(request.required_detectors, "required_detectors")
        if request.detector_types:
            named = directory.routes(request.detector_types, "detector_types")
            wanted = Selection((), tuple(r.detector for r in named), "REQUIRED_SET")
        else:
            resolved = {
                "required_detectors": tuple(r.detector for r in must),
                "excluded_detectors": tuple(sorted(excluded)),
            }
            wanted = await policy.select(request.model_copy(update=resolved), directory.available)
            named = directory.routes([d for d in wanted.detectors if d in directory.available], "policy")
        routes = {r.detector: r for r in (*named, *must) if r.detector not in excluded}
        if not routes and excluded:
            raise _refused("excluded_detectors", "no detector is left to run")
        if not routes:
            raise AllDetectorsUnavailable("none of the detectors that the policy wants is there", retry_after_seconds=5)
        required = dict.fromkeys([*wanted.required, *(r.detector for r in must)])
        return tuple(routes.values()), replace(wanted, required=tuple(d for d in required if d not in excluded))

    async def _run(
        self, request: OrchestrateRequest, routes: Sequence[Route], deadline: float, tenant_id: TenantId
    ) -> list[DetectorReport]:
        seconds = min(self.deadlines.detector_seconds, deadline - time.monotonic() - RESERVE_SECONDS)
        calls: list[Awaitable[Sequence[DetectorReport]]] = [
            one(self.model_servers.detect(route.detector, request.content, seconds), route)
            for route in routes
            if route.model_server
        ]
        if embedded := [route for route in routes if not route.model_server]:
            names = [route.detector for route in embedded]
            calls.append(several(self.detect.detect(request.content, names, seconds, tenant_id), embedded))
        return [report for reports in await asyncio.gather(*calls) for report in reports]

    async def _map(
        self, reports: Sequence[DetectorReport], deadline: float, tenant_id: TenantId, degraded: list[str]
    ) -> tuple[list[tuple[VendorFinding, Mapping]], Sequence[Mapping]]:
        """Map each distinct vendor label once, then give every detection its label's mapping; return both."""
        findings = found(reports)
        distinct = {(f.detector, f.detector_version, f.label, f.severity): f for f in findings}
        words = [
            f.model_copy(
                update={"score": None, "span": None, "detector": self.vocabularies.get(f.detector, f.detector)}
            )
            for f in distinct.values()
        ]
        seconds = min(self.deadlines.mapper_seconds, max(0.05, deadline - time.monotonic()))
        mappings = await or_none(self.mapper.map(words, seconds, tenant_id), "mapper", degraded) if words else ()
        if mappings is None:  # fail closed: what nobody could map is unknown, and the policy sends it to a person
            mappings = [unmapped(word, self.versions) for word in words]
        by_word = dict(zip(distinct, mappings, strict=True))
        pairs = [(f, by_word[(f.detector, f.detector_version, f.label, f.severity)]) for f in findings]
        return pairs, mappings


def _refused(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"check: {name}", errors=(FieldError(field=name, message=message),))
