"""Judge one content: admit, choose detectors, detect, map, decide, analyze, and tell the broker."""

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.events import DecisionTaken, FindingsMapped
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.identifiers import CorrelationId, DetectorId, RequestId, TenantId
from llama_mapper.contracts.mapping import Mapping, VendorFinding
from llama_mapper.contracts.orchestration import ContentType, OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import AllDetectorsUnavailable

from .choosing import choose, refused
from .conflicts import settle
from .coverage import cover
from .meaning import Meaning
from .parts import Parts
from .policies.log import note
from .ports import Policy, Selection
from .redaction.redactor import places
from .reports import or_none, outcomes, runs, stood_in_for
from .response_cache import Judgement
from .routing import Route
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
class Orchestrator(Parts):
    """The use case with its ports; one object for the process."""

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
            raise refused(
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

    async def choose(
        self, request: OrchestrateRequest, policy: Policy, tenant_id: TenantId
    ) -> tuple[tuple[Route, ...], Selection]:
        """Return what to run, and what the policy or the caller wants to have run."""
        return await choose(request, policy, tenant_id, await self.directory(), self.weights)

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
        seconds = min(self.deadlines.mapper_seconds, max(0.05, deadline - time.monotonic()))
        meaning = Meaning(self.mapper, self.vocabularies, self.vocabulary_versions)
        pairs, mappings = await meaning.of(reports, seconds, tenant_id, self.versions, degraded)
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

    def _named(self, detector: DetectorId) -> str:
        return f"detector.own.{detector}" if detector in self.joined else f"detector.{detector}"
