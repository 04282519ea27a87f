"""The services orchestrate calls, and the broker it tells."""

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence
from contextvars import Context
from copy import copy
from typing import Any, cast

import httpx
import redis.asyncio
from purgatory import AsyncCircuitBreakerFactory
from redis.exceptions import RedisError

from llama_mapper.chassis import correlation, metrics
from llama_mapper.chassis.calls import ServiceClient
from llama_mapper.chassis.events import Outgoing, Sink
from llama_mapper.chassis.hashing import content_hmac
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.analysis import Analysis, AnalyzeRequest, CanonicalFinding
from llama_mapper.contracts.detection import DetectorInfo, DetectorList, DetectorReport, DetectRequest, DetectResponse
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.identifiers import ContentHmac, CorrelationId, DetectorId, EventId, TenantId
from llama_mapper.contracts.mapping import MapBatchRequest, MapBatchResponse, Mapping, MapRequest, VendorFinding
from llama_mapper.contracts.problems import DetectorCommunicationFailed, InternalError, Unavailable
from llama_mapper.identity.reaching import once_more

from .detectors.slots import Slots
from .settings import Settings

log = get_logger(__name__)

SOURCE = "/functions/orchestrate"
KNOWN_FOR_SECONDS = 30.0
ASK_AGAIN_SECONDS = 5.0
BROKER_SECONDS = 0.5
WORDS_AT_ONCE = 50
"""The mapper takes 64 KB a request; a finding without its span is at most about one."""
OUTBOX = "orchestrate:outbox"
SET_ASIDE = "orchestrate:outbox:set-aside"


class DetectService:
    def __init__(
        self,
        settings: Settings,
        client: httpx.AsyncClient,
        breakers: AsyncCircuitBreakerFactory,
        known_for_seconds: float = KNOWN_FOR_SECONDS,
    ) -> None:
        self._known_for_seconds = known_for_seconds
        self._slots = Slots("detect", settings.detector_concurrency)
        self._attempts = settings.detector_attempts
        self._service = ServiceClient("detect", settings.detect_url, client, breakers, self._slots.taken)
        self._url = settings.detect_url.rstrip("/") + "/api/v1/detectors"
        self._client = client
        self._known: tuple[DetectorInfo, ...] = ()
        self._known_until = 0.0

    async def known(self) -> tuple[DetectorInfo, ...]:
        """The detectors detect offers, asked every 30 s; an old list is better than none.

        Raises:
            Unavailable: detect has never answered.
        """
        if time.monotonic() >= self._known_until:
            try:
                answer = await self._client.get(self._url, timeout=1.0)
                self._known = DetectorList.model_validate_json(answer.content).detectors
                self._known_until = time.monotonic() + self._known_for_seconds
            except (httpx.HTTPError, ValueError) as error:
                if not self._known:
                    raise Unavailable("detect does not answer", retry_after_seconds=1) from error
                # Every request waiting a second for a detect that hangs would eat all their deadlines.
                self._known_until = time.monotonic() + ASK_AGAIN_SECONDS
        return self._known

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]:
        seconds = max(0.05, seconds)
        request = DetectRequest(content=content, detectors=tuple(detectors), timeout_seconds=seconds)
        async with self._slots.admitted():
            answer = await self._service.post(
                "/api/v1/detect",
                request,
                DetectResponse,
                timeout_seconds=seconds + 0.1,
                tenant_id=tenant_id,
                attempts=self._attempts,
            )
        return answer.reports


class MapperService:
    def __init__(self, settings: Settings, client: httpx.AsyncClient, breakers: AsyncCircuitBreakerFactory) -> None:
        self._service = ServiceClient("mapper", settings.mapper_url, client, breakers)
        self._rules_only: bool | None = None

    def by_rules(self) -> "MapperService":
        """The same, that asks the mapper for rules and people's decisions alone."""
        other = copy(self)
        other._rules_only = True
        return other

    async def map(self, findings: Sequence[VendorFinding], seconds: float, tenant_id: TenantId) -> Sequence[Mapping]:
        """Map *findings* in their order, some at a time.

        Raises:
            Problem: the mapper did not answer all of them.
        """
        items = [MapRequest(**f.model_dump(), rules_only=self._rules_only) for f in findings]
        parts = [items[i : i + WORDS_AT_ONCE] for i in range(0, len(items), WORDS_AT_ONCE)]
        answers = await asyncio.gather(*(self._map(part, seconds, tenant_id) for part in parts))
        return [mapping for answer in answers for mapping in answer]

    async def _map(self, items: Sequence[MapRequest], seconds: float, tenant_id: TenantId) -> Sequence[Mapping]:
        answer = await self._service.post(
            "/api/v1/map/batch",
            MapBatchRequest(items=tuple(items)),
            MapBatchResponse,
            timeout_seconds=seconds,
            tenant_id=tenant_id,
        )
        mappings = [item.mapping for item in answer.results if item.mapping]
        if len(mappings) != len(items):
            raise DetectorCommunicationFailed("mapper did not answer every finding")
        return mappings


class AnalyzeService:
    def __init__(self, settings: Settings, client: httpx.AsyncClient, breakers: AsyncCircuitBreakerFactory) -> None:
        self._service = ServiceClient("analyze", settings.analyze_url, client, breakers)

    async def analyze(
        self, findings: Sequence[CanonicalFinding], coverage: float, seconds: float, tenant_id: TenantId
    ) -> Analysis:
        bare = tuple(finding.model_copy(update={"spans": ()}) for finding in findings)  # places do not matter there
        request = AnalyzeRequest(findings=bare, coverage=coverage)
        return await self._service.post(
            "/api/v1/analyze", request, Analysis, timeout_seconds=seconds, tenant_id=tenant_id
        )


class Hasher:
    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __call__(self, tenant_id: TenantId, content: str) -> ContentHmac | None:
        return content_hmac(self._key, tenant_id, content) if self._key else None


class Outbox:
    """Tells the broker; while the broker is away, keeps events in Redis and sends them when it is back."""

    def __init__(self, sink: Sink, redis_url: str | None, retry_seconds: float = 2.0) -> None:
        self._sink = sink
        self._retry_seconds = retry_seconds
        self._redis = (
            redis.asyncio.Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=once_more())
            if redis_url
            else None
        )
        self._draining: asyncio.Task[None] | None = None

    async def mapped(self, event: FindingsMapped, tenant_id: TenantId) -> str | None:
        outgoing = Outgoing(data=event, tenant_id=tenant_id, source=SOURCE, id=EventId(event.request_id))
        try:
            # With an outbox at hand a caller need not wait for a broker that hangs.
            await self._sink.send(outgoing, BROKER_SECONDS if self._redis else 2 * BROKER_SECONDS)
        except Unavailable:
            await self._keep(event, tenant_id)
            metrics.FALLBACKS.labels("event.deferred").inc()
            return "event.deferred"
        return None

    async def _keep(self, event: FindingsMapped, tenant_id: TenantId) -> None:
        if self._redis is None:
            raise Unavailable("the broker does not answer and there is no outbox", retry_after_seconds=5)
        kept = json.dumps([tenant_id, correlation.current(), event.model_dump(mode="json", exclude_none=True)])
        try:
            await self._redis.rpush(OUTBOX, kept)
        except RedisError as error:
            raise Unavailable("neither the broker nor the outbox answers", retry_after_seconds=5) from error
        self.start()

    def start(self) -> None:
        """Send what an earlier run left behind, and go on until the outbox is empty."""
        if self._redis is not None and (self._draining is None or self._draining.done()):
            # An empty context: kept events must not take over the ids of the request that happens to be at hand.
            self._draining = asyncio.get_running_loop().create_task(self._drain(), context=Context())

    async def aclose(self) -> None:
        """Stop sending; what is kept stays kept."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        if self._redis is not None:
            await self._redis.aclose()

    async def _drain(self) -> None:
        assert self._redis is not None
        while True:
            try:
                kept: Any = await cast(Awaitable[Any], self._redis.lindex(OUTBOX, 0))
                if kept is None:
                    return
                if not await self._sent(kept):
                    metrics.FALLBACKS.labels("outbox.set_aside").inc()
                    log.error("outbox.set_aside", extra={"store": "outbox"})
                    await cast(Awaitable[Any], self._redis.rpush(SET_ASIDE, kept))
                await cast(Awaitable[Any], self._redis.lrem(OUTBOX, 1, kept))
            except (Unavailable, RedisError):
                log.info("outbox.waiting", extra={"store": "broker"})
                await asyncio.sleep(self._retry_seconds)

    async def _sent(self, kept: bytes) -> bool:
        """Send a kept event; False where it cannot be read or will never be taken: it must not hold up the others."""
        outgoing = _outgoing(kept)
        if outgoing is None:
            return False
        try:
            await self._sink.send(outgoing)
        except InternalError:
            return False
        return True


def _outgoing(kept: bytes) -> Outgoing | None:
    """Read a kept event; None where this version cannot."""
    try:
        tenant_id, correlation_id, data = json.loads(kept)
        event = FindingsMapped.model_validate(data)
    except (ValueError, TypeError):
        return None
    return Outgoing(
        data=event,
        tenant_id=TenantId(tenant_id),
        source=SOURCE,
        id=EventId(event.request_id),
        correlation_id=CorrelationId(correlation_id),
    )
