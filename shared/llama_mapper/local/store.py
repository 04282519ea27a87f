"""The Redis server behind the broker: the client, transactions that are made sure of, and its tidying up."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import stamina
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as StoreUnreachable
from redis.exceptions import ExecAbortError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as StoreTimeout

from llama_mapper.chassis.logs import get_logger

from .streams import BLOCK_MILLISECONDS

log = get_logger(__name__)

SOCKET_SECONDS = 4 * BLOCK_MILLISECONDS / 1000  # longer than a blocking read
MOST_AT_ONCE = 128
COMPACTION_SECONDS, COMPACTION_POLL_SECONDS = 3.0, 0.05

Fill = Callable[[Pipeline], None]
"""Puts the commands of one outcome into a transaction; called again where the transaction is tried again."""


def connect(url: str) -> Redis:
    """Return a client that connects when first used."""
    return Redis.from_url(
        url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=1.0,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), retries=2),
    )


async def transact(redis: Redis, fill: Fill) -> None:
    """Run what *fill* puts into a transaction, however long the store is away.

    An outcome must not be lost to a restart of the store: the event would be delivered once more than needed.
    """
    async for attempt in stamina.retry_context(on=_passes, attempts=None, timeout=None, wait_initial=0.1, wait_max=2.0):
        with attempt:
            async with redis.pipeline(transaction=True) as pipe:
                fill(pipe)
                await pipe.execute()


def _passes(error: Exception) -> bool:
    """Say whether the transaction was refused as a whole, for a reason that passes or that a person mends."""
    refused = (StoreUnreachable, StoreTimeout, OutOfMemoryError, ReadOnlyError, ExecAbortError)
    return isinstance(error, refused) or str(error).startswith("MISCONF")  # the disk is full


class Writer:
    """Puts what several tasks write at the same time into one transaction, one after the other.

    A transaction costs the same round trip and nearly the same work for one event as for fifty.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[tuple[Fill, asyncio.Future[None]]] = []
        self._round: asyncio.Task[None] | None = None

    async def write(self, fill: Fill) -> None:
        """Return when what *fill* puts into a transaction is written, however long the store is away.

        Raises:
            RedisError: the store is there and will never take it, or something written with it.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((fill, written))
        if self._round is None:
            self._round = asyncio.create_task(self._until_none_waits())
        await written

    async def stop(self) -> None:
        """Give up on what a store that is away has not taken."""
        if self._round:
            self._round.cancel()
            await asyncio.wait([self._round])

    async def _until_none_waits(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                outcome: RedisError | None = None
                try:
                    await transact(self._redis, partial(_fill_all, [fill for fill, _ in batch]))
                except RedisError as error:
                    outcome = error
                except asyncio.CancelledError:
                    for _, written in (*batch, *self._waiting):
                        written.cancel()
                    raise
                for _, written in batch:
                    if not written.done():
                        written.set_exception(outcome) if outcome else written.set_result(None)
        finally:
            self._round = None


def _fill_all(fills: Sequence[Fill], pipe: Pipeline) -> None:
    for fill in fills:
        fill(pipe)


async def discard(redis: Redis, pattern: str, wired: set[str]) -> None:
    """Drop the queues that match *pattern* and belong to no Trigger any more, as a cluster does with a deleted one."""
    async for key in redis.scan_iter(match=pattern):
        if key.decode() not in wired:
            await redis.delete(key)
            log.warning("queue.discarded", extra={"reason": "its Trigger is no longer wired"})


async def compact(redis: Redis) -> None:
    """Rewrite the append-only file, so that the events which are gone are gone from the disk as well."""
    try:
        if (await redis.config_get("appendonly")).get("appendonly") != "yes":
            return
        await redis.bgrewriteaof()
        async with asyncio.timeout(COMPACTION_SECONDS):
            while (await redis.info("persistence")).get("aof_rewrite_in_progress"):  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(COMPACTION_POLL_SECONDS)
    except (RedisError, TimeoutError) as error:
        log.warning("store.uncompacted", extra={"reason": type(error).__name__})
