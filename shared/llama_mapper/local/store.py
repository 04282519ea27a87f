"""The Redis server behind the broker: the client, transactions that are made sure of, and its tidying up."""

import asyncio
from collections.abc import Callable

import stamina
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as StoreUnreachable
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as StoreTimeout

from llama_mapper.chassis.logs import get_logger

from .streams import BLOCK_MILLISECONDS

log = get_logger(__name__)

SOCKET_SECONDS = 4 * BLOCK_MILLISECONDS / 1000  # longer than a blocking read
COMPACTION_SECONDS, COMPACTION_POLL_SECONDS = 3.0, 0.05


def connect(url: str) -> Redis:
    """Return a client that connects when first used."""
    return Redis.from_url(
        url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=1.0,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), retries=2),
    )


async def transact(redis: Redis, fill: Callable[[Pipeline], None]) -> None:
    """Run what *fill* puts into a transaction, however long the store is away.

    An outcome must not be lost to a restart of the store: the event would be delivered once more than needed.
    """
    async for attempt in stamina.retry_context(
        on=(StoreUnreachable, StoreTimeout), attempts=None, timeout=None, wait_initial=0.1, wait_max=2.0
    ):
        with attempt:
            async with redis.pipeline(transaction=True) as pipe:
                fill(pipe)
                await pipe.execute()


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
