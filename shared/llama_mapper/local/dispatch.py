"""From the ingress to an outcome: every event ends as delivered, replied to or dead-lettered, and then is gone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from llama_mapper.chassis import correlation, metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.events import EVENTS
from llama_mapper.contracts.problems import Unavailable

from . import store
from .broker_settings import BrokerSettings
from .cloud_events import Event
from .dead_letters import DeadLetters, Retention, for_sink
from .delivery import Delivered, Deliverer, Failed, Stopped
from .lanes import Lane, Work, no_key
from .sending import Sender
from .streams import Entry, Queue
from .triggers import Trigger, Wiring

log = get_logger(__name__)

_COUNTED_TYPES = frozenset(event.type for event in EVENTS)


class Dispatcher:
    """Owns the queues of every Trigger in *wiring* and works them off."""

    def __init__(self, redis: Redis, wiring: Wiring, settings: BrokerSettings) -> None:
        self._redis = redis
        self._sender = Sender()
        self._writer = store.Writer(redis)
        self._settings = settings
        self._wiring = wiring
        self._stopping = asyncio.Event()
        prefix = settings.key_prefix
        self.triggers = {trigger.key: trigger for triggers in wiring.values() for trigger in triggers}
        self.queues = {key: Queue(redis, f"{prefix}:queue:{key}") for key in self.triggers}
        self.letters = DeadLetters(
            redis, f"{prefix}:dead-letters", Retention(settings.dead_letter_days, settings.max_dead_letters)
        )
        self._lanes = [self._lane(trigger) for trigger in self.triggers.values()]
        self._lanes.append(
            Lane("dead-letters", self.letters.queue, self._to_sink(self._deliverer()), backlog=settings.backlog)
        )

    def _deliverer(self) -> Deliverer:
        return Deliverer(
            self._sender,
            self._stopping,
            in_flight=self._settings.in_flight,
            timeout_seconds=self._settings.delivery_timeout_seconds,
            max_backoff_seconds=self._settings.max_backoff_seconds,
        )

    def _lane(self, trigger: Trigger) -> Lane:
        work = self._to_subscriber(trigger, self._deliverer())
        key_of = partition_key if trigger.ordered else no_key
        return Lane(trigger.name, self.queues[trigger.key], work, self._settings.backlog, key_of)

    async def start(self) -> None:
        await self._sender.open()
        await self.letters.open()
        for queue in self.queues.values():
            await queue.open()
        await store.discard(self._redis, f"{self._settings.key_prefix}:queue:*", {q.key for q in self.queues.values()})
        for lane in self._lanes:
            lane.start()

    async def stop(self) -> None:
        """Finish what is being delivered; what waits for a retry stays in its queue for the next start."""
        self._stopping.set()
        left = await asyncio.gather(*(lane.stop(self._settings.drain_seconds) for lane in self._lanes))
        await self._writer.stop()
        await self._sender.close()
        log.info("broker.drained", extra={"count": sum(left)})
        await store.compact(self._redis)

    async def publish(self, triggers: Sequence[Trigger], events: Sequence[Event]) -> None:
        """Store every event for each Trigger it matches, all or none; when this returns they are safe.

        Raises:
            Unavailable: too many events wait.
            RedisError: the store is away; the application answers 503.
        """
        if await self._pending(triggers) + len(events) > self._settings.max_pending:
            raise Unavailable("too many events wait for delivery", retry_after_seconds=1)
        async with self._redis.pipeline(transaction=True) as pipe:
            for event in events:
                self._enqueue(pipe, triggers, event, self._settings.max_hops)
            await pipe.execute()

    async def _pending(self, triggers: Sequence[Trigger]) -> int:
        async with self._redis.pipeline(transaction=False) as pipe:
            for trigger in triggers:
                pipe.xlen(self.queues[trigger.key].key)
            return sum(await pipe.execute())

    def _enqueue(self, pipe: Pipeline, triggers: Sequence[Trigger], event: Event, hops: int) -> None:
        arrived = event.having(knativearrivaltime=datetime.now(UTC).isoformat().replace("+00:00", "Z"))
        matching = [trigger for trigger in triggers if trigger.matches(arrived.attributes)]
        for trigger in matching:
            self.queues[trigger.key].append(pipe, arrived, hops)
        _count(event, "accepted" if matching else "unmatched")

    def _to_subscriber(self, trigger: Trigger, deliverer: Deliverer) -> Work:
        siblings = self._wiring[trigger.namespace, trigger.broker]
        queue = self.queues[trigger.key]
        headers = {"prefer": "reply", "kn-namespace": trigger.namespace}

        async def work(entry: Entry) -> None:
            event = entry.event
            correlation.adopt(event.attributes.get("correlationid"), event.attributes.get("traceparent"))
            try:
                outcome = await deliverer.deliver(event, trigger.subscriber, trigger.delivery, headers, replies=True)
            except Stopped:
                return

            def settle(pipe: Pipeline) -> None:
                if isinstance(outcome, Failed):
                    self.letters.add(pipe, entry, trigger, outcome)
                elif outcome.reply and entry.hops > 0:
                    self._enqueue(pipe, siblings, outcome.reply, entry.hops - 1)
                queue.finish(pipe, entry.id)

            await self._writer.write(settle)
            _report(trigger, entry, outcome)

        return work

    def _to_sink(self, deliverer: Deliverer) -> Work:
        async def work(letter: Entry) -> None:
            correlation.adopt(letter.event.attributes.get("correlationid"))
            trigger = self.triggers.get(letter.text("trigger"))
            if trigger and trigger.dead_letter_sink:
                headers = {"kn-namespace": trigger.namespace}
                try:
                    outcome = await deliverer.deliver(
                        for_sink(letter), trigger.dead_letter_sink, trigger.delivery, headers, replies=False
                    )
                except Stopped:
                    return
                if isinstance(outcome, Failed):
                    log.error("dead_letter.unsent", extra={"trigger": trigger.name, "status": outcome.code})
            await self._writer.write(lambda pipe: self.letters.queue.finish(pipe, letter.id, keep=True))

        return work


def partition_key(entry: Entry) -> str | None:
    """Return what the event's order is kept by (CloudEvents partitioning extension); without it there is none."""
    return entry.event.attributes.get("partitionkey") or None


def _count(event: Event, outcome: str) -> None:
    """Count under the event's type if it is one of ours; a stranger's type is no label of a metric."""
    event_type = event.attributes["type"]
    metrics.EVENTS.labels(event_type if event_type in _COUNTED_TYPES else "other", outcome).inc()


def _report(trigger: Trigger, entry: Entry, outcome: Delivered | Failed) -> None:
    if isinstance(outcome, Failed):
        _count(entry.event, "dead_lettered")
        log.error(
            "dead_letter.kept",
            extra={"trigger": trigger.name, "status": outcome.code, "attempts": outcome.deliveries},
        )
    elif outcome.reply and entry.hops <= 0:
        _count(outcome.reply, "looped")
        log.error("reply.looped", extra={"trigger": trigger.name})
    else:
        _count(entry.event, "delivered")
