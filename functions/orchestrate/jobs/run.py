"""One job, judged: by the orchestrator that answers requests, with more time, and with somebody watching how far it is.

A job's parts report as they answer; nobody else needs to know that it is a job.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import stamina

from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.identifiers import DetectorId, RequestId, TenantId
from llama_mapper.contracts.orchestration import OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import Problem

from ..ports import Detect, Emit, ModelServers
from ..service import Orchestrator
from .records import Record

DETECTED, DECIDED = 0.8, 0.95
"""How far a job is when that is done; before, by the share of its detectors that have answered."""
TRIES = 3
Commit = Callable[[], Awaitable[bool]]


class TooLate(Exception):
    """The job was cancelled, or another worker has it: its event must not go out from here."""


class Progress:
    """Never goes back, whatever is tried again."""

    def __init__(self) -> None:
        self.value = 0.0
        self._asked = 0
        self._answered = 0

    async def asked(self, detectors: int) -> None:
        """Count what is being asked; returns when whoever is asked at the same time is counted too."""
        self._asked += detectors
        await asyncio.sleep(0)

    def answered(self, detectors: int) -> None:
        self._answered += detectors
        self.reach(DETECTED * self._answered / self._asked)

    def reach(self, value: float) -> None:
        self.value = max(self.value, value)


class _Detect:
    def __init__(self, inner: Detect, progress: Progress) -> None:
        self._inner = inner
        self._progress = progress

    async def known(self) -> tuple[DetectorInfo, ...]:
        return await self._inner.known()

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]:
        await self._progress.asked(len(detectors))
        try:
            return await self._inner.detect(content, detectors, seconds, tenant_id)
        finally:
            self._progress.answered(len(detectors))


class _ModelServers:
    def __init__(self, inner: ModelServers, progress: Progress) -> None:
        self._inner = inner
        self._progress = progress

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        await self._progress.asked(1)
        try:
            return await self._inner.detect(detector, content, seconds)
        finally:
            self._progress.answered(1)


class _Emit:
    """The event has the job's id, however often the job is run: who records it can tell."""

    def __init__(self, inner: Emit, request_id: RequestId, progress: Progress, commit: Commit) -> None:
        self._inner = inner
        self._request_id = request_id
        self._progress = progress
        self._commit = commit

    async def mapped(self, event: FindingsMapped, tenant_id: TenantId) -> str | None:
        self._progress.reach(DECIDED)
        if not await self._commit():
            raise TooLate
        return await self._inner.mapped(event.model_copy(update={"request_id": self._request_id}), tenant_id)


async def judge(
    orchestrator: Orchestrator,
    record: Record,
    request: OrchestrateRequest,
    seconds: float,
    progress: Progress,
    commit: Commit,
) -> OrchestrateResponse:
    """Judge *request* within *seconds*, again where what went wrong may pass.

    Raises:
        Problem: it cannot be judged, or not in time.
        TooLate: *commit* said no.
    """
    request_id = RequestId(record.job.id)
    time = replace(orchestrator.deadlines, normal_seconds=seconds, critical_seconds=seconds, low_seconds=seconds)
    watched = replace(
        orchestrator,
        detect=_Detect(orchestrator.detect, progress),
        model_servers=_ModelServers(orchestrator.model_servers, progress),
        emit=_Emit(orchestrator.emit, request_id, progress, commit),
        deadlines=time,
    )
    if request.processing_mode == "async":
        request = request.model_copy(update={"processing_mode": "standard"})
    async for attempt in stamina.retry_context(on=_passing, attempts=TRIES, timeout=seconds, wait_initial=0.2):
        with attempt:
            answer = await watched.judge(request, record.tenant_id, record.correlation_id, record.authenticated)
            return answer.model_copy(update={"request_id": request_id})
    raise AssertionError("the last attempt returns or raises")


def _passing(error: Exception) -> bool | float:
    if not isinstance(error, Problem) or not error.retryable:
        return False
    return True if error.retry_after_seconds is None else float(error.retry_after_seconds)
