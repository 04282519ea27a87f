import asyncio

import pytest

from functions.orchestrate.tenants.store import LATE_SECONDS, LOOK_EVERY_SECONDS, Changes, KnownTenants
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.tenants import MemoryTenants, version

ACME, OTHER = TenantId("acme"), TenantId("other")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store() -> MemoryTenants:
    store = MemoryTenants()
    await store.append(version("acme"))
    return store


async def test_what_is_configured_is_known_and_what_is_not_is_none(store: MemoryTenants, clock: Clock) -> None:
    known = KnownTenants(store, clock)
    assert await known.of(ACME) == version("acme")
    assert await known.of(OTHER) is None


async def test_the_store_is_looked_at_once_a_second_for_all_tenants(store: MemoryTenants, clock: Clock) -> None:
    known = KnownTenants(store, clock)
    for tenant in (ACME, OTHER, TenantId("third")) * 5:
        await known.of(tenant)
    assert store.asked == 1
    clock.now += LOOK_EVERY_SECONDS
    await known.of(ACME)
    assert store.asked == 2


async def test_a_change_is_seen_at_the_next_look(store: MemoryTenants, clock: Clock) -> None:
    known = KnownTenants(store, clock)
    await known.of(ACME)
    await store.append(version("acme", 2))
    await store.append(version("other"))
    assert await known.of(ACME) == version("acme")
    clock.now += LOOK_EVERY_SECONDS
    assert (await known.of(ACME), await known.of(OTHER)) == (version("acme", 2), version("other"))


async def test_ones_own_change_is_seen_at_once(store: MemoryTenants, clock: Clock) -> None:
    known = KnownTenants(store, clock)
    await known.of(ACME)
    await store.append(version("acme", 2))
    await known.refresh()
    assert await known.of(ACME) == version("acme", 2)


async def test_while_the_store_is_away_the_last_that_was_known_goes_on(store: MemoryTenants, clock: Clock) -> None:
    known = KnownTenants(store, clock)
    await known.of(ACME)
    store.away = True
    clock.now += 3600
    assert await known.of(ACME) == version("acme")
    assert known.told
    store.away = False
    await store.append(version("acme", 2))
    clock.now += LOOK_EVERY_SECONDS
    assert await known.of(ACME) == version("acme", 2)


async def test_a_store_that_never_answered_has_told_nothing(store: MemoryTenants, clock: Clock) -> None:
    store.away = True
    known = KnownTenants(store, clock)
    assert await known.of(ACME) is None
    assert not known.told
    await known.of(ACME)
    assert store.asked == 1  # not at each request: each would wait for the store


async def test_without_a_store_everything_is_known_at_once() -> None:
    known = KnownTenants(None)
    assert (await known.of(ACME), known.told) == (None, True)


async def test_a_store_that_was_emptied_is_believed(store: MemoryTenants, clock: Clock) -> None:
    known = KnownTenants(store, clock)
    await known.of(ACME)
    store.forget()
    clock.now += LOOK_EVERY_SECONDS
    assert await known.of(ACME) is None


async def test_a_version_that_nobody_can_read_is_no_missing_one(store: MemoryTenants, clock: Clock) -> None:
    store.unread.add(ACME)
    known = KnownTenants(store, clock)
    with pytest.raises(Unavailable, match="another release"):
        await known.of(ACME)
    assert await known.of(OTHER) is None


class SlowTenants(MemoryTenants):
    """Answers once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def since(self, counter: int | None) -> Changes:
        await self.let.wait()
        return await super().since(counter)


async def test_while_one_request_looks_others_go_on_with_what_is_young(clock: Clock) -> None:
    store = SlowTenants()
    store.let.set()
    await store.append(version("acme"))
    known = KnownTenants(store, clock)
    await known.of(ACME)
    store.let.clear()
    clock.now += LOOK_EVERY_SECONDS
    looking = asyncio.create_task(known.of(ACME))
    await asyncio.sleep(0)
    assert await known.of(ACME) == version("acme")
    store.let.set()
    await looking
    assert store.asked == 2


async def test_and_wait_where_what_is_known_is_old(clock: Clock) -> None:
    store = SlowTenants()
    store.let.set()
    await store.append(version("acme"))
    known = KnownTenants(store, clock)
    await known.of(ACME)
    store.let.clear()
    await store.append(version("acme", 2))
    clock.now += LATE_SECONDS
    waiting = [asyncio.create_task(known.of(ACME)) for _ in range(3)]
    await asyncio.sleep(0)
    store.let.set()
    assert [one.version for one in await asyncio.gather(*waiting) if one] == [2, 2, 2]
    assert store.asked == 2
