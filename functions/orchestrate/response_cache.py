"""Judgements kept for minutes: the same content, asked the same way, under the same policies and detectors.

A name is an HMAC over the tenant, the content and everything else that could change the judgement, so that a new
policy, taxonomy or detector finds nothing: there is no other invalidation. What is kept is sealed.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.sealing import Sealer, Unsealable
from llama_mapper.contracts.analysis import Analysis, CanonicalFinding
from llama_mapper.contracts.events import DetectorRun
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import Mapping, Versions
from llama_mapper.contracts.orchestration import Coverage, Decision, DetectorOutcome
from llama_mapper.contracts.wire import Milliseconds, Wire

from .redaction.redactor import Place

KEPT_SECONDS = 300
WAIT_SECONDS = 0.1
"""A cache that is slower than that is no help."""


def declined(cache_control: str | None) -> bool:
    """Whether a request's ``Cache-Control`` asks for a fresh answer (RFC 9111 section 5.2.1)."""
    directives = {part.strip().lower() for part in (cache_control or "").split(",")}
    return not directives.isdisjoint({"no-cache", "no-store"})


class Judgement(Wire):
    """What does not depend on which request asked."""

    findings: tuple[CanonicalFinding, ...]
    places: tuple[Place, ...]
    mappings: tuple[Mapping, ...]
    coverage: Coverage
    decision: Decision
    decision_ms: Milliseconds = 0.0
    runs: tuple[DetectorRun, ...]
    outcomes: tuple[DetectorOutcome, ...]
    analysis: Analysis | None
    versions: Versions


class ResponseCache:
    """In Redis; while that is away, or slow, everything is judged anew."""

    def __init__(self, redis: "Redis", sealer: Sealer, secret: bytes, seconds: int = KEPT_SECONDS) -> None:
        self._redis = redis
        self._sealer = sealer
        self._secret = secret
        self._seconds = seconds

    def name(self, tenant_id: TenantId, content: str, circumstances: Sequence[JsonValue]) -> str:
        """Return what a judgement is kept under; *circumstances* are the rest of what it depends on."""
        whole = json.dumps([tenant_id, content, circumstances], ensure_ascii=True, separators=(",", ":"))
        digest = hmac.new(self._secret, b"judgement\n" + whole.encode(), hashlib.sha256).hexdigest()
        return f"orchestrate:judgement:{tenant_id}:{digest}"

    async def get(self, tenant_id: TenantId, name: str) -> Judgement | None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                sealed: Any = await self._redis.get(name)
        except (RedisError, TimeoutError):
            metrics.FALLBACKS.labels("cache.off").inc()
            return None
        if sealed is None:
            return None
        try:
            return Judgement.model_validate_json(self._sealer.open(sealed, tenant_id, "judgement", name))
        except (Unsealable, ValidationError):  # of another keyset or another release: as if it were not there
            return None

    async def put(self, tenant_id: TenantId, name: str, judgement: Judgement) -> None:
        sealed = self._sealer.seal(judgement.model_dump_json().encode(), tenant_id, "judgement", name)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._redis.set(name, sealed, ex=self._seconds)
        except (RedisError, TimeoutError):
            metrics.FALLBACKS.labels("cache.off").inc()
