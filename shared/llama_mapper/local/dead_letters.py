"""Events that no delivery could bring home: kept for a week, listed without their data, replayable, deletable."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import FastAPI, Path, Query, Response
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.events import EVENTS
from llama_mapper.contracts.problems import NotFound, Unprocessable

from .cloud_events import Event
from .delivery import Failed
from .streams import Entry, Queue, entries_of, pack
from .triggers import Trigger

log = get_logger(__name__)

LETTER_ID = r"^\d{1,19}-\d{1,19}$"
LetterId = Annotated[str, Path(pattern=LETTER_ID)]
MAX_LISTED = 1000
READ_AT_ONCE = 200
_OURS = {model.type: model for model in EVENTS}


class DeadLetter(BaseModel):
    """One dead letter; ``error_data`` is base64, as the event extension of that name in Knative."""

    id: str
    at: datetime
    trigger: str
    event_id: str
    event_source: str
    event_type: str
    error_code: int
    error_destination: str
    error_data: str
    deliveries: int


class DeadLetterDetail(DeadLetter):
    """One dead letter with whose it was; ``data_bytes`` is how much data is kept for a replay, never the data."""

    tenant_id: str | None
    correlation_id: str | None
    data_bytes: int


class DeadLetterList(BaseModel):
    dead_letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are asked for; None asks for any."""

    trigger: str | None = None
    """A Trigger's name, or ``namespace/broker/name``."""
    event_type: str | None = None
    error_code: int | None = None
    before: str | None = None
    """Older than the letter of this id."""

    def has(self, letter: DeadLetter) -> bool:
        return (
            self.trigger in (None, letter.trigger, letter.trigger.rpartition("/")[2])
            and self.event_type in (None, letter.event_type)
            and self.error_code in (None, letter.error_code)
        )


@dataclass(frozen=True, slots=True)
class Retention:
    """The oldest go first, by age and by number."""

    days: float
    count: int


class DeadLetters:
    """The stream of dead letters; its consumer group is who hands them to the sink."""

    def __init__(self, redis: Redis, key: str, retention: Retention) -> None:
        self._redis = redis
        self._retention = retention
        self.queue = Queue(redis, key, group="sink")

    async def open(self) -> None:
        await self.queue.open()
        await self._trim()

    async def _trim(self) -> None:
        oldest = datetime.now(UTC) - timedelta(days=self._retention.days)
        await self._redis.xtrim(self.queue.key, minid=int(oldest.timestamp() * 1000), approximate=False)

    def add(self, pipe: Pipeline, entry: Entry, trigger: Trigger, failed: Failed) -> None:
        fields = pack(
            without_foreign_data(entry.event),
            entry.hops,
            trigger=trigger.key,
            error_code=str(failed.code),
            error_destination=trigger.subscriber,
            error_data=failed.error_data,
            deliveries=str(failed.deliveries),
        )
        pipe.xadd(self.queue.key, fields, maxlen=self._retention.count, approximate=False)

    async def listed(self, limit: int, wanted: Wanted) -> list[DeadLetter]:
        """Return the newest *limit* of those *wanted*, newest first."""
        await self._trim()
        found: list[DeadLetter] = []
        newest = f"({wanted.before}" if wanted.before else "+"
        while len(found) < limit:
            page = entries_of(await self._redis.xrevrange(self.queue.key, max=newest, count=READ_AT_ONCE))
            if not page:
                break
            newest = f"({page[-1].id}"
            found += filter(wanted.has, map(_described, page))
        return found[:limit]

    async def find(self, letter_id: str) -> Entry:
        """Return a dead letter.

        Raises:
            NotFound: no such letter, or no longer.
        """
        found = await self.queue.find(letter_id)
        if found is None:
            raise NotFound("there is no such dead letter")
        return found

    async def replay(self, letter_id: str, queues: Mapping[str, Queue]) -> None:
        """Deliver the event again to the one Trigger that failed, and forget the letter.

        Raises:
            NotFound: no such letter.
            Unprocessable: its Trigger is no longer wired.
        """
        letter = await self.find(letter_id)
        queue = queues.get(letter.text("trigger"))
        if queue is None:
            raise Unprocessable("the Trigger of this dead letter is no longer wired")
        async with self._redis.pipeline(transaction=True) as pipe:
            queue.append(pipe, letter.event, letter.hops)
            self.queue.finish(pipe, letter.id)
            await pipe.execute()
        log.info("dead_letter.replayed", extra={"trigger": letter.text("trigger")})

    async def remove(self, letter_id: str) -> None:
        """Forget a dead letter.

        Raises:
            NotFound: no such letter.
        """
        letter = await self.find(letter_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            self.queue.finish(pipe, letter.id)
            await pipe.execute()
        log.info("dead_letter.removed", extra={"trigger": letter.text("trigger")})


def without_foreign_data(event: Event) -> Event:
    """Return *event* as it may be kept: without data that break the contract of its type.

    Such data may hold what must not be kept (a value where a label belongs) and no delivery can ever take them.
    """
    model = _OURS.get(event.attributes["type"])
    if model is None:
        return event
    try:
        model.model_validate_json(event.data)
    except ValidationError:
        log.warning("dead_letter.data_dropped", extra={"event_type": model.type})
        return replace(event, data=b"{}")
    return event


def for_sink(letter: Entry) -> Event:
    """Return the event with Knative's three error extensions."""
    return letter.event.having(
        knativeerrordest=letter.text("error_destination"),
        knativeerrorcode=letter.text("error_code"),
        knativeerrordata=letter.text("error_data"),
    )


def _described(letter: Entry) -> DeadLetter:
    attributes = letter.event.attributes
    return DeadLetter(
        id=letter.id,
        at=datetime.fromtimestamp(int(letter.id.partition("-")[0]) / 1000, UTC),
        trigger=letter.text("trigger"),
        event_id=attributes["id"],
        event_source=attributes["source"],
        event_type=attributes["type"],
        error_code=int(letter.text("error_code")),
        error_destination=letter.text("error_destination"),
        error_data=letter.text("error_data"),
        deliveries=int(letter.text("deliveries")),
    )


def _detailed(letter: Entry) -> DeadLetterDetail:
    event = letter.event
    return DeadLetterDetail(
        **_described(letter).model_dump(),
        tenant_id=event.attributes.get("tenantid"),
        correlation_id=event.attributes.get("correlationid"),
        data_bytes=len(event.data),
    )


def add_routes(app: FastAPI, letters: DeadLetters, queues: Mapping[str, Queue]) -> None:
    @app.get("/dead-letters", tags=["dead letters"])
    async def list_dead_letters(
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
        trigger: str | None = None,
        event_type: str | None = None,
        error_code: int | None = None,
        before: Annotated[str | None, Query(pattern=LETTER_ID)] = None,
    ) -> DeadLetterList:
        wanted = Wanted(trigger, event_type, error_code, before)
        return DeadLetterList(dead_letters=tuple(await letters.listed(limit, wanted)))

    @app.get("/dead-letters/{letter_id}", tags=["dead letters"])
    async def show_dead_letter(letter_id: LetterId) -> DeadLetterDetail:
        return _detailed(await letters.find(letter_id))

    @app.post("/dead-letters/{letter_id}/replay", tags=["dead letters"], status_code=202, response_class=Response)
    async def replay_dead_letter(letter_id: LetterId) -> None:
        await letters.replay(letter_id, queues)

    @app.delete("/dead-letters/{letter_id}", tags=["dead letters"], status_code=204)
    async def remove_dead_letter(letter_id: LetterId) -> None:
        await letters.remove(letter_id)
