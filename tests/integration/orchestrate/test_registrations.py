"""Registrations on a real Valkey: sealed, counted, and one of many that come at once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from functions.orchestrate.registration.registrations import Kept, RedisRegistrations
from llama_mapper.chassis.sealing import Sealer, new_keyset, rotated
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.problems import Conflict, Unavailable
from tests.fakes.registered import registration

A, B = TenantId("a"), TenantId("b")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEYSET = new_keyset()
SECRET = "canary-key-77aa"
MINE = DetectorId("team-a.judge")


@pytest.fixture
def store(redis: Redis) -> RedisRegistrations:
    return RedisRegistrations(redis, Sealer(KEYSET))


def kept(**more: Any) -> Kept:
    said = registration("https://canary-host.example.org/detect", **more)
    return Kept.model_validate({"definition": said, "api_key": SECRET, "registered_at": NOW, "changed_at": NOW})


async def test_what_is_put_is_read_as_it_was(store: RedisRegistrations) -> None:
    await store.put(A, kept(), new=True)
    assert await store.of(A) == {MINE: kept()}
    assert await store.of(B) == {}


async def test_of_many_that_come_at_once_one_is_taken(store: RedisRegistrations) -> None:
    outcomes = await asyncio.gather(
        *(store.put(A, kept(weight=n + 1), new=True) for n in range(8)), return_exceptions=True
    )
    assert [type(one) for one in outcomes if one is not None] == [Conflict] * 7
    assert await store.generations([A, B]) == (1, 0)


async def test_every_change_is_counted(store: RedisRegistrations) -> None:
    await store.put(A, kept(), new=True)
    await store.put(A, kept(weight=2), new=False)
    assert await store.remove(A, MINE)
    assert not await store.remove(A, MINE)
    assert await store.generations([A, B]) == (4, 0)
    with pytest.raises(Conflict):
        await store.put(A, kept(), new=False)
    with pytest.raises(Conflict):
        await store.put(A, kept(vocabulary="presidio"), new=True)
    await store.put(A, kept(), new=True)


async def test_nothing_but_names_is_in_clear(store: RedisRegistrations, redis: Redis) -> None:
    await store.put(A, kept(), new=True)
    dumped = b"".join([name + (await redis.dump(name) or b"") async for name in redis.scan_iter()])
    assert b"team-a.judge" in dumped
    for text in (SECRET, "canary-host", "hatesonar"):
        assert text.encode() not in dumped


async def test_what_was_sealed_for_another_place_is_as_if_it_were_not_there(
    store: RedisRegistrations, redis: Redis
) -> None:
    await store.put(A, kept(), new=True)
    sealed = (await redis.hgetall("orchestrate:detectors:a:kept"))[MINE.encode()]
    await redis.hset("orchestrate:detectors:b:kept", MINE, sealed)
    await redis.hset("orchestrate:detectors:a:kept", "another", sealed)
    assert await store.of(B) == {}
    assert list(await store.of(A)) == [MINE]
    assert await RedisRegistrations(redis, Sealer(new_keyset())).of(A) == {}
    assert list(await RedisRegistrations(redis, Sealer(rotated(KEYSET))).of(A)) == [MINE]


async def test_a_store_that_is_away_is_said_so() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as away:
        store = RedisRegistrations(away, Sealer(KEYSET))
        for asked in (store.of(A), store.generations([A]), store.put(A, kept(), new=True), store.remove(A, MINE)):
            with pytest.raises(Unavailable):
                await asked
