"""Judge one content: admit, choose detectors, detect, map, decide, analyze, and tell the broker."""

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field, replace
from typing import get_args

from pydantic import JsonValue

from llama_mapper.contracts.detection import DetectorInfo, DetectorReport, Family
from llama_mapper.contracts.events import DecisionTaken, FindingsMapped
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.flags import FLAG_NAMES
from llama_mapper.contracts.identifiers import CorrelationId, DetectorId, RequestId, TenantId
from llama_mapper.contracts.mapping import Mapping, VendorFinding, Versions
from llama_mapper.contracts.orchestration import (
    ContentType,
    OrchestrateRequest,
    OrchestrateResponse,
    Priority,
)
from llama_mapper.contracts.problems import AllDetectorsUnavailable, FieldError, InvalidRequest

from .conflicts import settle
from .coverage import cover
from .detectors.asking import Asking
from .policies.log import note
from .ports import (
    Analyze,
    Circumstances,
    Deadlines,
    Detect,
    Emit,
    Hash,
    Joining,
    Map,
    ModelServers,
    Policies,
    Policy,
    Selection,
)
from .redaction.redactor import Redactor, places
from .reports import found, or_none, outcomes, runs, stood_in_for, unmapped
from .response_cache import Judgement, ResponseCache
from .routing import Beside, Directory, Route
from .shedding import Shedding
from .switches import AllOn, Roomy, Switches
from .views.views import DETECTOR as VIEWS
from .views.views import lost, read, readable, signalled, together

COVERAGE_FLOOR = 0.8
# Kept back from the detectors' time for mapping, deciding and answering.
RESERVE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Seen:
    """What the detectors said of one content, and what their words mean."""

    reports: tuple[DetectorReport, ...]
    pairs: tuple[tuple[VendorFinding, Mapping], ...]
    mappings: tuple[Mapping, ...]


def answering(reports: Iterable[DetectorReport]) -> set[DetectorId]:
    """The detectors that answered; what a view shows of itself is no detector's word."""
    return {report.detector for report in reports if report.status == "ok"} - {VIEWS}


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """The use case with its ports; one object for the process."""

    policy: Policies
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
    alternatives: ReadOnly[str, Sequence[str]] = field(default_factory=dict)
    asking: Asking = field(default_factory=Asking)
    vocabulary_versions: ReadOnly[DetectorId, str] = field(default_factory=dict)
    """Which edition of it, where that is not the detector's own version."""
    weights: ReadOnly[str, float] = field(default_factory=dict)
    """In WEIGHTED coverage, of those that the policy gives none."""
    joining: Joining | None = None
    reserved: frozenset[str] = frozenset()
    """Names of ours that no detector answers to by itself: candidates."""
    joined: frozenset[str] = frozenset()
    """Whose names are a tenant's and not ours: ``degraded`` marks them, so that metrics leave them out."""
    switches: Switches = field(default_factory=AllOn)
    unhedged: ModelServers | None = None
    """``model_servers`` without second askings."""
    load: Shedding = field(default_factory=Shedding)
    cache: ResponseCache | None = None
    redactor: Redactor = field(default_factory=Redactor)

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
        priority = await policy.admit(tenant_id, len(request.content), authenticated, request.priority)
        capped = [] if priority == request.priority else ["priority.capped"]
        request = request.model_copy(update={"priority": priority})
        await self.redactor.permitted(request.redaction, policy, tenant_id)  # before the work is done, not after
        seconds = self.deadlines.of(request)
        degraded: list[str] = []
        judging = await self.switched(tenant_id, request.priority).of_tenant(tenant_id)
        with judging.load.slot(tenant_id, request.priority, seconds):
            judgement, cached = await judging._judged(request, policy, started + seconds, tenant_id, degraded)
            request_id = RequestId(uuid.uuid4().hex)
            event = self.event(request_id, request.content_type, request.content, judgement, tenant_id)
            if kept := await self.emit.mapped(event, tenant_id):
                degraded.append(kept)
            redaction = await self.redactor.answer(request, policy, judgement, tenant_id)
        return OrchestrateResponse(
            request_id=request_id,
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            decision=judgement.decision,
            findings=judgement.findings,
            coverage=judgement.coverage,
            detectors=judgement.outcomes,
            analysis=judgement.analysis,
            redaction=redaction,
            cached=cached,
            degraded=(*capped, *degraded),
            versions=judgement.versions,
            latency_ms=round((time.monotonic() - started) * 1000, 1),
        )

    async def _judged(
        self, request: OrchestrateRequest, policy: Policy, deadline: float, tenant_id: TenantId, degraded: list[str]
    ) -> tuple[Judgement, bool]:
        """Return the judgement, and whether it was made before; only a whole one is kept."""
        routes, wanted = await self.choose(request, policy, tenant_id)
        routes = self.asking.assigned(routes, tenant_id, request.content)
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
        seen = await self.look(request, routes, deadline, tenant_id, degraded)
        return await self.conclude(seen, request.content_type, policy, routes, wanted, deadline, tenant_id, degraded)

    async def look(
        self,
        request: OrchestrateRequest,
        routes: Sequence[Route],
        deadline: float,
        tenant_id: TenantId,
        degraded: list[str],
    ) -> Seen:
        """Run the detectors over the content, and map what they say.

        Raises:
            AllDetectorsUnavailable: none answered.
        """
        reports = await self._read(request, routes, deadline, tenant_id, degraded)
        if routes and not answering(reports):
            raise AllDetectorsUnavailable("none of the detectors answered", retry_after_seconds=1)
        degraded += [f"{self._named(r.detector)}.{r.status}" for r in reports if r.status != "ok"]
        pairs, mappings = await self._map(reports, deadline, tenant_id, degraded)
        return Seen(tuple(reports), tuple(pairs), tuple(mappings))

    async def conclude(
        self,
        seen: Seen,
        content_type: ContentType,
        policy: Policy,
        routes: Sequence[Route],
        wanted: Selection,
        deadline: float,
        tenant_id: TenantId,
        degraded: list[str],
    ) -> Judgement:
        """Decide by all that was seen, and ask what it means."""
        reports, mappings = seen.reports, seen.mappings
        answered = answering(reports)
        answered |= stood_in_for(routes, answered)
        coverage = cover(wanted.required, answered, wanted.method, wanted.weights, wanted.pillars)
        findings = merge(settle(seen.pairs, content_type))
        asked = time.monotonic()
        decision = await policy.decide(findings, coverage, tenant_id, wanted.circumstances)
        decision_ms = (time.monotonic() - asked) * 1000
        analysis = await or_none(
            self.analyze.analyze(findings, coverage.score, max(0.05, deadline - time.monotonic()), tenant_id),
            "analyze",
            degraded,
        )
        versions = next((mapping.versions for mapping in mappings), self.versions)
        return Judgement(
            findings=findings,
            places=places(seen.pairs),
            mappings=mappings,
            coverage=coverage,
            decision=decision,
            decision_ms=decision_ms,
            runs=runs(reports),
            outcomes=outcomes(routes, reports),
            analysis=analysis,
            versions=versions.model_copy(update={"frameworks": analysis.frameworks_version if analysis else None}),
        )

    def event(
        self,
        request_id: RequestId,
        content_type: ContentType,
        content: str,
        judgement: Judgement,
        tenant_id: TenantId,
    ) -> FindingsMapped:
        """What the broker is told, and the decision log: of the content, its hash."""
        decision = judgement.decision
        note(request_id, tenant_id, judgement.findings, judgement.coverage, decision, judgement.decision_ms)
        return FindingsMapped(
            request_id=request_id,
            origin="orchestrate",
            content_type=content_type,
            content_hmac=self.hash(tenant_id, content),
            findings=judgement.findings,
            mappings=judgement.mappings,
            detectors=judgement.runs,
            coverage=judgement.coverage,
            decision=DecisionTaken(
                action=decision.action,
                reasons=decision.reasons,
                policy_version=decision.policy_version,
                retention_days=decision.retention_days,
            ),
            versions=judgement.versions,
        )

    def under(self, policy: Policy) -> "Orchestrator":
        """The same, judging under *policy*: what let a request in also decides it, whatever is loaded meanwhile."""
        return self if policy is self.policy else replace(self, policy=policy)

    def uncached(self) -> "Orchestrator":
        """The same, judging anew what was judged before."""
        return replace(self, cache=None)

    def switched(self, tenant_id: TenantId, priority: Priority) -> "Orchestrator":
        """The same, without what the feature flags switch off for *tenant_id*."""
        off = {name for name in FLAG_NAMES if not self.switches.on(name, tenant_id, "orchestrate", priority)}
        if not off:
            return self
        return replace(
            self,
            cache=None if "response-cache" in off else self.cache,
            model_servers=self.unhedged if "hedging" in off and self.unhedged else self.model_servers,
            load=Roomy() if "load-shedding" in off else self.load,
            mapper=self.mapper.by_rules() if "model-mapper" in off else self.mapper,
            asking=Asking(self.asking.health) if "detector-candidates" in off else self.asking,
        )

    async def of_tenant(self, tenant_id: TenantId) -> "Orchestrator":
        """The same, with the detectors that *tenant_id* has beside the configured ones."""
        if self.joining is None:
            return self
        own = (await self.joining.of(tenant_id)).without(await self.taken())
        if not own.infos:
            return self
        return replace(
            self,
            joining=None,
            http_detectors=(*self.http_detectors, *own.infos),
            vocabularies={**self.vocabularies, **own.vocabularies},
            vocabulary_versions={**self.vocabulary_versions, **own.vocabulary_versions},
            weights={**self.weights, **own.weights},
            joined=frozenset(info.id for info in own.infos),
            model_servers=Beside(self.model_servers, own),
        )

    def _named(self, detector: DetectorId) -> str:
        return f"detector.own.{detector}" if detector in self.joined else f"detector.{detector}"

    async def taken(self) -> frozenset[str]:
        """The names that the installation gives to detectors and families; nobody else's detector may have one."""
        configured = {info.id for info in (*await self.detect.known(), *self.http_detectors)}
        return self.reserved | {*configured, *self.model_server_names, *self.stand_ins, *get_args(Family)}

    async def directory(self) -> Directory:
        return Directory(
            await self.detect.known(), self.model_server_names, self.stand_ins, self.http_detectors, self.alternatives
        )

    async def choose(
        self, request: OrchestrateRequest, policy: Policy, tenant_id: TenantId
    ) -> tuple[tuple[Route, ...], Selection]:
        """Return what to run, and what the policy or the caller wants to have run; the policy has the last word."""
        directory = await self.directory()
        excluded = {r.detector for r in directory.routes(request.excluded_detectors, "excluded_detectors")}
        named = directory.routes(request.detector_types or (), "detector_types")
        must = directory.routes(request.required_detectors, "required_detectors")
        resolved = {
            "detector_types": tuple(r.detector for r in named) or None,
            "required_detectors": tuple(r.detector for r in must),
            "excluded_detectors": tuple(sorted(excluded)),
        }
        wanted = await policy.select(request.model_copy(update=resolved), directory.available, tenant_id)
        chosen = directory.routes([d for d in wanted.detectors if d in directory.available], "policy")
        called = {r.detector: r for r in (*named, *must) if r.detector not in excluded}  # as the caller called them
        routes = {r.detector: r.without(excluded) for r in ({r.detector: r for r in chosen} | called).values()}
        if not routes and excluded:
            raise _refused("excluded_detectors", "no detector is left to run")
        if not routes:
            raise AllDetectorsUnavailable("none of the detectors that the policy wants is there", retry_after_seconds=5)
        required = dict.fromkeys([*wanted.required, *(r.detector for r in must if r.detector not in excluded)])
        return tuple(routes.values()), replace(
            wanted,
            required=tuple(required),
            weights={**self.weights, **wanted.weights},
            circumstances=Circumstances.of(request),
        )

    async def _read(
        self,
        request: OrchestrateRequest,
        routes: Sequence[Route],
        deadline: float,
        tenant_id: TenantId,
        degraded: list[str],
    ) -> list[DetectorReport]:
        """Ask about the content, and at the same time about its other readings, where it has any."""
        found = await read(request.content)
        asked = readable(routes) if found.views else ()
        requests = [request.model_copy(update={"content": view.text}) for view in found.views if asked]
        about, *viewed = await asyncio.gather(
            self._run(request, routes, deadline, tenant_id),
            *(self._run(one, asked, deadline, tenant_id) for one in requests),
        )
        pairs = list(zip(found.views, viewed, strict=False))
        degraded += lost(pairs)
        return [*together(about, pairs), *signalled(routes, found)]

    async def _run(
        self, request: OrchestrateRequest, routes: Sequence[Route], deadline: float, tenant_id: TenantId
    ) -> list[DetectorReport]:
        seconds = min(self.deadlines.detector_seconds, deadline - time.monotonic() - RESERVE_SECONDS)
        return await self.asking.run(self.detect, self.model_servers, request.content, routes, seconds, tenant_id)

    async def _map(
        self, reports: Sequence[DetectorReport], deadline: float, tenant_id: TenantId, degraded: list[str]
    ) -> tuple[list[tuple[VendorFinding, Mapping]], Sequence[Mapping]]:
        """Map each distinct vendor label once, then give every detection its label's mapping; return both."""
        findings = found(reports)
        distinct = {(f.detector, f.detector_version, f.label, f.severity): f for f in findings}
        words = [
            f.model_copy(
                update={
                    "score": None,
                    "span": None,
                    "detector": self.vocabularies.get(f.detector, f.detector),
                    "detector_version": self.vocabulary_versions.get(f.detector, f.detector_version),
                }
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
