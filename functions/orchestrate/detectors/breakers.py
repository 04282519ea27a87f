"""Where purgatory's breakers live: in Redis for all replicas, in this process without one and while it is away."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from purgatory import AsyncAbstractUnitOfWork, AsyncCircuitBreakerFactory
from purgatory.domain.messages import Message
from purgatory.domain.model import Context
from purgatory.service._async.repository import AsyncAbstractRepository
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger

log = get_logger(__name__)

PREFIX = "orchestrate:breaker:"
KEPT_SECONDS = 3600
"""How long a state outlives its last change: an open breaker that nobody asks is closed again after it."""
TRUSTED_SECONDS = 0.2
"""How long a closed breaker is not asked for again: a read of Redis for every call would be the dearest part of it."""
AWAY_SECONDS = 5.0
"""How long Redis is left alone after it failed, so that not every call waits for its timeout."""


@dataclass(slots=True)
class _Count:
    context: Context
    since: float = 0.0


class MemoryBreakers(AsyncAbstractRepository):
    """In this process; failures older than *window_seconds* do not count."""

    def __init__(self, window_seconds: float) -> None:
        self.messages: list[Message] = []
        self._window_seconds = window_seconds
        self._counts: dict[str, _Count] = {}

    async def get(self, name: str) -> Context | None:
        count = self._counts.get(name)
        if count is None:
            return None
        stale = time.monotonic() - count.since > self._window_seconds
        if stale and count.context.state == "closed" and count.context.failure_count:
            count.context.handle_end_request()  # as after a success: counted from nothing again
            count.context.messages.clear()
        return count.context

    async def register(self, context: Context) -> None:
        self._counts[context.name] = _Count(context)

    async def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        """The context holds it."""

    async def inc_failures(self, name: str, failure_count: int) -> None:
        if failure_count == 1 and name in self._counts:
            self._counts[name].since = time.monotonic()

    async def reset_failure(self, name: str) -> None:
        """The context holds it."""


class SharedBreakers(AsyncAbstractRepository):
    """In Redis: the state under one key, the failures under another that ends with the window.

    The state of an open breaker says when it opened, by the clock of who opened it. While Redis is away the breakers
    of this process count, and ``breakers.memory`` says so.
    """

    def __init__(self, url: str, window_seconds: float, threshold: int, rest_seconds: float) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=0.2, socket_connect_timeout=0.2)
        self._window_ms = max(1, round(window_seconds * 1000))
        self._threshold, self._rest_seconds = threshold, rest_seconds
        self._alone = MemoryBreakers(window_seconds)
        self._away_until = 0.0
        self._closed_until: dict[str, float] = {}
        self.messages: list[Message] = []

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def get(self, name: str) -> Context | None:
        if self._closed_until.get(name, 0.0) > time.monotonic():
            return self._made(name)
        kept = await self._asked(lambda: self._redis.mget(PREFIX + name, _failures(name)))
        if not isinstance(kept, list):  # away, or an answer of another shape
            return await self._from_memory(name)
        state, failures = _state(kept[0]), int(kept[1] or 0)
        if state["state"] == "closed" and not failures:
            self._closed_until[name] = time.monotonic() + TRUSTED_SECONDS
        return self._made(name, **state, failure_count=failures)

    async def register(self, context: Context) -> None:
        """Nothing to do: ``get`` makes what is not there."""

    async def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        self._closed_until.pop(name, None)
        kept = json.dumps({"state": state, "opened_at": opened_at})
        await self._asked(lambda: self._redis.set(PREFIX + name, kept, ex=KEPT_SECONDS))

    async def inc_failures(self, name: str, failure_count: int) -> None:
        self._closed_until.pop(name, None)
        pipeline = self._redis.pipeline()
        pipeline.set(_failures(name), 0, px=self._window_ms, nx=True)  # the window starts with its first failure
        pipeline.incr(_failures(name))
        if await self._asked(pipeline.execute) is None:
            await self._alone.inc_failures(name, failure_count)

    async def reset_failure(self, name: str) -> None:
        await self._asked(lambda: self._redis.delete(_failures(name)))

    async def _from_memory(self, name: str) -> Context:
        context = await self._alone.get(name)
        if context is None:
            context = self._made(name)
            await self._alone.register(context)
        return context

    def _made(self, name: str, **state: Any) -> Context:
        return Context(name, self._threshold, self._rest_seconds, **state)

    async def _asked(self, ask: Callable[[], Any]) -> Any:
        """Return Redis's answer; None where it gives none, or gave none a moment ago."""
        if time.monotonic() < self._away_until:
            metrics.FALLBACKS.labels("breakers.memory").inc()
            return None
        try:
            return await ask()
        except (RedisError, ValueError):
            self._away_until = time.monotonic() + AWAY_SECONDS
            metrics.FALLBACKS.labels("breakers.memory").inc()
            log.warning("breakers.memory", extra={"store": "breakers"})
            return None


class Breakers(AsyncAbstractUnitOfWork):
    """purgatory's unit of work around one of the two; every change is made at once, so there is nothing to commit."""

    def __init__(self, contexts: AsyncAbstractRepository) -> None:
        self.contexts = contexts

    async def commit(self) -> None:
        """Done already."""

    async def rollback(self) -> None:
        """Nothing to take back."""


def breakers(
    redis_url: str | None, failures: int = 5, window_seconds: float = 60.0, rest_seconds: float = 30.0
) -> AsyncCircuitBreakerFactory:
    """Breakers that open after *failures* in a row within *window_seconds*, for *rest_seconds*."""
    contexts = (
        SharedBreakers(redis_url, window_seconds, failures, rest_seconds)
        if redis_url
        else MemoryBreakers(window_seconds)
    )
    return AsyncCircuitBreakerFactory(failures, rest_seconds, uow=Breakers(contexts))


async def close(factory: AsyncCircuitBreakerFactory) -> None:
    contexts = factory.uow.contexts
    if isinstance(contexts, SharedBreakers):
        await contexts.aclose()


def _failures(name: str) -> str:
    return f"{PREFIX}{name}:failures"


def _state(kept: bytes | None) -> dict[str, Any]:
    state = json.loads(kept) if kept else {}
    opened = state.get("state") == "opened"
    return {"state": "opened" if opened else "closed", "opened_at": state.get("opened_at") if opened else None}
