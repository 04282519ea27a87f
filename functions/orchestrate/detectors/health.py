"""Probes every detector from time to time, and knows which of them are worth asking.

With Redis the replicas take turns and agree: who finds a probe due makes it, the others adopt what it found. Without
it, and while it is away, each replica probes for itself.
"""

import asyncio
from collections.abc import Mapping
from contextvars import Context
from datetime import UTC, datetime

import redis.asyncio
from redis.exceptions import RedisError

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger

from .condition import Condition, Pace
from .probes import Probe

log = get_logger(__name__)

PREFIX = "orchestrate:health:"
TURN_SHARE = 0.9
"""Of the wait between two probes, how long nobody else may make one."""
UNKNOWN = Condition()


class HealthMonitor:
    """*probes* by the detector's name; the task starts with the first question and ends with ``aclose``."""

    def __init__(self, probes: Mapping[str, Probe], pace: Pace | None = None, redis_url: str | None = None) -> None:
        self._probes, self._pace = probes, pace or Pace()
        self._redis = (
            redis.asyncio.Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)
            if redis_url
            else None
        )
        self._conditions: dict[str, Condition] = {}
        self._task: asyncio.Task[None] | None = None

    def condition(self, name: str) -> Condition:
        """What is known of *name*; nothing bad of one that is not probed."""
        return self._conditions.get(name, UNKNOWN)

    def in_rotation(self, name: str) -> bool:
        self.start()
        return not self.condition(name).out

    def start(self) -> None:
        """Begin to probe, if that has not begun. Must be called in a running loop."""
        if self._probes and (self._task is None or self._task.done()):
            # An empty context: probes must not bear the ids of the request that happens to be at hand.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._redis is not None:
            await self._redis.aclose()

    async def look(self, name: str) -> Condition:
        """Probe *name* once, or adopt what another replica just found."""
        before = self.condition(name)
        if self._redis is None:
            after = await self._probed(name, before)
        else:
            try:
                after = await self._in_turn(name, before, self._redis)
            except (RedisError, ValueError, TypeError):
                metrics.FALLBACKS.labels("health.own").inc()
                after = await self._probed(name, before)
        if after.status != before.status:
            log.warning("detector.health", extra={"detector": name, "status": after.status})
        self._conditions[name] = after
        metrics.IN_ROTATION.labels(name).set(0 if after.out else 1)
        return after

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name in self._probes:
                group.create_task(self._watch(name))

    async def _watch(self, name: str) -> None:
        while True:
            condition = await self.look(name)
            await asyncio.sleep(condition.wait_seconds(self._pace))

    async def _in_turn(self, name: str, before: Condition, store: "redis.asyncio.Redis") -> Condition:
        kept = await store.get(PREFIX + name)
        before = Condition.model_validate_json(kept) if kept else before
        turn_ms = max(1, round(before.wait_seconds(self._pace) * TURN_SHARE * 1000))
        if not await store.set(f"{PREFIX}{name}:turn", 1, nx=True, px=turn_ms):
            return before
        after = await self._probed(name, before)
        await store.set(PREFIX + name, after.model_dump_json(), px=round(self._pace.every_seconds * 10_000))
        return after

    async def _probed(self, name: str, before: Condition) -> Condition:
        error = await self._probes[name]()
        metrics.PROBES.labels(name, error or "ok").inc()
        return before.after(error, self._pace, datetime.now(UTC))
