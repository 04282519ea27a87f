"""Judge a content while it is still being written: window by window, with one decision and one event on the whole."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.detection import DetectorReport, Span
from llama_mapper.contracts.findings import merge
from llama_mapper.contracts.identifiers import CanonicalLabel, CorrelationId, RequestId, TenantId
from llama_mapper.contracts.mapping import Mapping
from llama_mapper.contracts.orchestration import Action, Coverage, Decision
from llama_mapper.contracts.problems import ContentTooLarge, InvalidRequest, Problem
from llama_mapper.contracts.redaction import Redaction
from llama_mapper.contracts.streams import (
    StreamChunk,
    StreamFinal,
    StreamLine,
    StreamProblem,
    StreamRequest,
    StreamVerdict,
)

from ..conflicts import settle
from ..coverage import cover
from ..ports import Policy, Selection
from ..redaction.redactor import Place, places, sensitive
from ..reports import stood_in_for
from ..response_cache import Judgement
from ..routing import Route
from ..service import Orchestrator, Seen, answering
from .sums import joined, stricter, together, with_findings
from .windows import Cutter, Findings, Sizes, Window, moved

log = get_logger(__name__)

SHOWN: frozenset[Action] = frozenset({"allow", "flag", "redact"})
"""Under these, judged text may be shown (with ``redact``: without what was found in it)."""


RECORD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Asker:
    tenant_id: TenantId
    correlation_id: CorrelationId
    authenticated: bool


@dataclass(frozen=True, slots=True)
class StreamLimits:
    sizes: Sizes = field(default_factory=Sizes)
    max_characters: int = 200_000


class Stream:
    """One stream; ``opened`` makes it."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        request: StreamRequest,
        asker: Asker,
        limits: StreamLimits,
        policy: Policy,
        routes: tuple[Route, ...],
        wanted: Selection,
        degraded: Iterable[str] = (),
    ) -> None:
        self._orchestrator = orchestrator
        self._request = request
        self._asker = asker
        self._limits = limits
        self._policy = policy
        self._routes = routes
        self._wanted = wanted
        self._started = time.monotonic()
        self._cutter = Cutter(limits.sizes)
        self._content: list[str] = []
        self._findings = Findings()
        self._reports: dict[str, DetectorReport] = {}
        self._mappings: dict[tuple[object, ...], Mapping] = {}
        self._places: list[Place] = []
        self._known: dict[CanonicalLabel, CanonicalFinding] = {}
        self._degraded: dict[str, None] = dict.fromkeys(degraded)
        self._decision: Decision | None = None
        self._windows = 0
        self._told = False

    async def lines(self, chunks: AsyncIterator[StreamChunk]) -> AsyncGenerator[StreamLine, None]:
        """Judge what *chunks* bring; the last line is a final one, or a problem.

        Whatever way it ends, what was judged is recorded: also where the caller goes away.
        """
        try:
            async with aclosing(self._lines(chunks)) as lines:
                async for line in lines:
                    yield line
        except Problem as problem:
            document = problem.document(self._asker.correlation_id)
            yield StreamProblem(problem=document, hold_back=self._cutter.released)
        finally:
            if self._windows and not self._told:
                await self._record()

    async def _lines(self, chunks: AsyncIterator[StreamChunk]) -> AsyncGenerator[StreamLine, None]:
        async for line in chunks:
            if line.chunk is not None:
                await self._add(line.chunk)
            ended = line.end is True
            while window := self._cutter.take(ended):
                verdict = await self._verdict(window)
                yield verdict
                if verdict.decision.action == "block" and self._request.fail_fast:
                    yield await self._final(blocked=True)
                    return
            if ended:
                yield await self._final(blocked=False)
                return
        raise InvalidRequest('the body ended without {"end": true}; what came after the last verdict is not judged')

    async def _add(self, text: str) -> None:
        """Raises ContentTooLarge, InsufficientRbac: more than the service, or the tenant, takes in one stream."""
        characters = self._cutter.received + len(text)
        if characters > self._limits.max_characters:
            raise ContentTooLarge(f"a stream may have at most {self._limits.max_characters} characters")
        await self._policy.admit(self._asker.tenant_id, characters, self._asker.authenticated)
        self._content.append(text)
        self._cutter.add(text)

    async def _verdict(self, window: Window) -> StreamVerdict:
        tenant_id, request = self._asker.tenant_id, self._request.about(window.text)
        seconds = self._orchestrator.deadlines.of(request)
        degraded: list[str] = []
        with self._orchestrator.load.slot(tenant_id, request.priority, seconds):
            seen = await self._orchestrator.look(request, self._routes, time.monotonic() + seconds, tenant_id, degraded)
        pairs = moved(seen.pairs, window)
        self._keep(seen, degraded)
        self._findings.add(pairs, window)
        here = merge(settle(pairs, request.content_type))
        self._known = joined(self._known, here)
        coverage = self._coverage()
        decision = await self._policy.decide(
            tuple(self._known.values()), coverage, tenant_id, self._wanted.circumstances
        )
        self._decision = decision = stricter(self._decision, decision)
        self._places += places(pairs)
        redaction = await self._released(window, decision, coverage)
        return StreamVerdict(
            window=self._windows,
            span=Span(start=window.start, end=window.end),
            decision=decision,
            findings=here,
            coverage=coverage,
            degraded=tuple(degraded),
            hold_back=self._cutter.released,
            redaction=redaction,
        )

    def _keep(self, seen: Seen, degraded: Sequence[str]) -> None:
        self._windows += 1
        self._degraded |= dict.fromkeys(degraded)
        for report in seen.reports:
            before = self._reports.get(report.detector)
            self._reports[report.detector] = together(before, report) if before else report
        for finding, mapping in seen.pairs:
            key = (finding.detector, finding.detector_version, finding.label, finding.severity)
            if key not in self._mappings or self._mappings[key].method == "fallback":
                self._mappings[key] = mapping

    def _coverage(self) -> Coverage:
        wanted = self._wanted
        answered = answering(self._reports.values())
        answered |= stood_in_for(self._routes, answered)
        return cover(wanted.required, answered, wanted.method, wanted.weights, wanted.pillars)

    async def _released(self, window: Window, decision: Decision, coverage: Coverage) -> Redaction | None:
        """Let go of what no later window reaches, but cut no finding; redacted, where that is asked for or obliged."""
        if decision.action not in SHOWN:
            return None
        before = self._cutter.released
        up_to = self._findings.straddling(window.next_start, before)
        if up_to == before:
            return None
        text = self._cutter.release(up_to)
        if self._request.redaction is None and not decision.obligations:
            return None
        rule = await self._policy.redact(self._asker.tenant_id, self._request.redaction, decision.obligations)
        if rule.operator is None:
            return None
        found = [
            place if place.start is None or place.end is None else _placed(place, place.start, place.end, before)
            for place in sensitive(self._places, rule)
            if place.start is None or before <= place.start < up_to
        ]
        self._places = [place for place in self._places if place.start is None or place.start >= up_to]
        seen = not coverage.missing and all(report.status == "ok" for report in self._reports.values())
        return await asyncio.to_thread(
            self._orchestrator.redactor.redact, text, found, rule.operator, self._asker.tenant_id, seen
        )

    async def _final(self, blocked: bool) -> StreamFinal:
        if not self._windows:
            raise InvalidRequest("the stream held no content")
        degraded = list(self._degraded)
        request_id, judgement = await self._concluded(degraded)
        return StreamFinal(
            ended_by="block" if blocked else "end",
            windows=self._windows,
            characters=self._cutter.judged,
            hold_back=self._cutter.released,
            request_id=request_id,
            tenant_id=self._asker.tenant_id,
            correlation_id=self._asker.correlation_id,
            decision=judgement.decision,
            findings=judgement.findings,
            coverage=judgement.coverage,
            detectors=judgement.outcomes,
            analysis=judgement.analysis,
            degraded=tuple(degraded),
            versions=judgement.versions,
            latency_ms=round((time.monotonic() - self._started) * 1000, 1),
        )

    async def _concluded(self, degraded: list[str]) -> tuple[RequestId, Judgement]:
        """Decide on the whole, and tell the broker: once, whatever comes of it."""
        self._told = True
        orchestrator, request, tenant_id = self._orchestrator, self._request.about("-"), self._asker.tenant_id
        pairs = self._findings.pairs()
        reports = tuple(with_findings(report, pairs) for report in self._reports.values())
        judgement = await orchestrator.conclude(
            Seen(reports, pairs, tuple(self._mappings.values())),
            request.content_type,
            self._policy,
            self._routes,
            self._wanted,
            time.monotonic() + orchestrator.deadlines.of(request),
            tenant_id,
            degraded,
        )
        judgement = judgement.model_copy(update={"decision": stricter(self._decision, judgement.decision)})
        request_id = RequestId(uuid.uuid4().hex)
        judged = "".join(self._content)[: self._cutter.judged]
        event = orchestrator.event(request_id, request.content_type, judged, judgement, tenant_id)
        if kept := await orchestrator.emit.mapped(event, tenant_id):
            degraded.append(kept)
        return request_id, judgement

    async def _record(self) -> None:
        """For a stream that broke off: nobody is there to be told of a problem."""
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._concluded(list(self._degraded))
        except (Problem, TimeoutError):
            log.warning("stream.unrecorded", extra={"count": self._windows})


async def opened(orchestrator: Orchestrator, request: StreamRequest, asker: Asker, limits: StreamLimits) -> Stream:
    """Let a stream begin.

    Raises:
        Unauthorized, InsufficientRbac, InvalidRequest, AllDetectorsUnavailable, Unavailable: as ``Orchestrator.judge``.
    """
    policy = await orchestrator.policy.pinned(asker.tenant_id)
    priority = await policy.admit(asker.tenant_id, 0, asker.authenticated, request.priority)
    capped = () if priority == request.priority else ("priority.capped",)
    request = request.model_copy(update={"priority": priority})
    await orchestrator.redactor.permitted(request.redaction, policy, asker.tenant_id)
    orchestrator = await orchestrator.switched(asker.tenant_id, request.priority).of_tenant(asker.tenant_id)
    routes, wanted = await orchestrator.choose(request.about("-"), policy, asker.tenant_id)
    # One version of a detector for the whole stream, whose content is not known yet.
    routes = orchestrator.asking.assigned(routes, asker.tenant_id, asker.correlation_id)
    return Stream(orchestrator, request, asker, limits, policy, routes, wanted, capped)


def _placed(place: Place, start: int, end: int, by: int) -> Place:
    return place.model_copy(update={"start": start - by, "end": end - by})
