from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import fakeredis
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import ApiKey, NewApiKey
from llama_mapper.contracts.problems import NotFound, Unauthorized, Unavailable
from llama_mapper.identity.key_stores import MemoryKeys, RedisKeys
from llama_mapper.identity.keys import OVERLAP, REFUSED, Keys, KeyStore

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
DEMO, OTHER = TenantId("demo"), TenantId("other")
NEW = NewApiKey(name="ci", scopes=("orchestrate:use", "jobs:use"), days=30)
PEPPER = b"p" * 32


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeyStore]:
    if request.param == "memory":
        yield MemoryKeys()
        return
    async with fakeredis.FakeAsyncRedis() as redis:
        yield RedisKeys(redis)


@pytest.fixture
def keys(store: KeyStore) -> Keys:
    return Keys(store, PEPPER)


async def test_a_key_says_whose_it_is_and_what_it_may(keys: Keys) -> None:
    key, presented = await keys.create(DEMO, NEW, NOW)
    principal = await keys.verify(presented, NOW)
    assert (principal.subject, principal.kind, principal.tenants) == (f"key:{key.id}", "key", (DEMO,))
    assert principal.scopes == NEW.scopes


async def test_no_store_holds_the_key(store: KeyStore, keys: Keys) -> None:
    key, presented = await keys.create(DEMO, NEW, NOW)
    stored = await store.get(key.id)
    assert stored is not None
    assert len(stored.digest) == 32
    assert presented.rsplit("_", 1)[-1].encode() not in stored.digest
    assert presented.split("_", 2)[2] not in str(stored)


def changed(presented: str) -> str:
    return presented[:-1] + ("A" if presented[-1] != "A" else "B")


ATTACKS: dict[str, Callable[[str, ApiKey], str]] = {
    "nothing": lambda presented, key: "",
    "the prefix alone": lambda presented, key: "lmk_",
    "the id without a secret": lambda presented, key: f"lmk_{key.id}_",
    "another secret": lambda presented, key: changed(presented),
    "an id that is not there": lambda presented, key: f"lmk_{'z' * 12}_{presented[17:]}",
    "a longer secret": lambda presented, key: presented + "A",
    "a line break behind it": lambda presented, key: presented + "\n",
    "letters that only look the same": lambda presented, key: presented.replace("lmk", "1mk"),
    "an id with a pattern": lambda presented, key: f"lmk_{'*' * 12}_{presented[17:]}",
    "the stored hash": lambda presented, key: f"lmk_{key.id}_{'00' * 21}0",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_is_not_the_key_is_refused_in_the_same_words(keys: Keys, attack: str) -> None:
    key, presented = await keys.create(DEMO, NEW, NOW)
    with pytest.raises(Unauthorized) as refused:
        await keys.verify(ATTACKS[attack](presented, key), NOW)
    assert refused.value.detail == REFUSED


async def test_a_key_of_another_pepper_is_refused(store: KeyStore, keys: Keys) -> None:
    _, presented = await Keys(store, b"q" * 32).create(DEMO, NEW, NOW)
    with pytest.raises(Unauthorized):
        await keys.verify(presented, NOW)


@pytest.mark.parametrize(
    ("later", "valid"),
    [
        (timedelta(days=30) - timedelta(seconds=1), True),
        (timedelta(days=30), False),
        (timedelta(seconds=-1), False),
    ],
)
async def test_a_key_lives_from_its_making_to_its_end(keys: Keys, later: timedelta, valid: bool) -> None:
    _, presented = await keys.create(DEMO, NEW, NOW)
    if valid:
        assert await keys.verify(presented, NOW + later)
    else:
        with pytest.raises(Unauthorized, match=REFUSED):
            await keys.verify(presented, NOW + later)


async def test_a_revoked_key_ends_at_once_and_once(keys: Keys) -> None:
    key, presented = await keys.create(DEMO, NEW, NOW)
    ended = await keys.revoke(key.id, DEMO, NOW)
    assert ended.revoked_at == NOW
    with pytest.raises(Unauthorized, match=REFUSED):
        await keys.verify(presented, NOW)
    assert (await keys.revoke(key.id, DEMO, NOW + timedelta(hours=1))).revoked_at == NOW


async def test_a_use_noted_late_does_not_bring_a_revoked_key_back(store: KeyStore, keys: Keys) -> None:
    key, presented = await keys.create(DEMO, NEW, NOW)
    await keys.revoke(key.id, DEMO, NOW)
    await store.change(key.id, {"last_used_at": NOW})  # a verification that began before the end
    with pytest.raises(Unauthorized, match=REFUSED):
        await keys.verify(presented, NOW)


async def test_after_a_rotation_both_work_for_a_day(keys: Keys) -> None:
    key, old = await keys.create(DEMO, NEW, NOW)
    successor, new = await keys.rotate(key.id, DEMO, NOW)
    for presented in (old, new):
        assert (await keys.verify(presented, NOW + OVERLAP - timedelta(seconds=1))).scopes == NEW.scopes
    with pytest.raises(Unauthorized):
        await keys.verify(old, NOW + OVERLAP)
    assert await keys.verify(new, NOW + OVERLAP)
    assert {k.id: k.replaced_by for k in await keys.of(DEMO)} == {key.id: successor.id, successor.id: None}


async def test_a_rotation_gives_no_key_a_longer_life(keys: Keys) -> None:
    key, old = await keys.create(DEMO, NEW, NOW)
    await keys.rotate(key.id, DEMO, key.expires_at - timedelta(hours=1))
    with pytest.raises(Unauthorized):
        await keys.verify(old, key.expires_at)


async def test_another_tenants_key_is_not_there(keys: Keys) -> None:
    key, presented = await keys.create(DEMO, NEW, NOW)
    for act in (keys.revoke, keys.rotate):
        with pytest.raises(NotFound):
            await act(key.id, OTHER, NOW)
    assert await keys.of(OTHER) == ()
    assert [k.id for k in await keys.of(DEMO)] == [key.id]
    assert await keys.verify(presented, NOW)


async def test_the_last_use_is_kept_to_the_hour(keys: Keys) -> None:
    _, presented = await keys.create(DEMO, NEW, NOW)
    await keys.verify(presented, NOW)
    await keys.verify(presented, NOW + timedelta(minutes=20))
    (key,) = await keys.of(DEMO)
    assert key.last_used_at == NOW.replace(minute=0)


async def test_without_the_store_nobody_is_let_in() -> None:
    server = fakeredis.FakeServer()
    async with fakeredis.FakeAsyncRedis(server=server) as redis:
        keys = Keys(RedisKeys(redis), PEPPER)
        _, presented = await keys.create(DEMO, NEW, NOW)
        server.connected = False
        with pytest.raises(Unavailable) as refused:
            await keys.verify(presented, NOW)
    assert isinstance(refused.value.__cause__, RedisConnectionError)


def test_a_short_pepper_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(MemoryKeys(), b"short")
