import pytest
from throttled.asyncio import MemoryStore, RedisStore

from functions.orchestrate.entrance.limits import Limits, Quotas, Standing, headers, per_day, per_minute
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import Principal
from llama_mapper.identity.authentication import OPEN

DEMO, OTHER = TenantId("demo"), TenantId("other")


def key(letter: str) -> Principal:
    return Principal(subject=f"key:{letter * 12}", kind="key", tenants=(DEMO,))


async def taken(limits: Limits, principal: Principal, address: str = "a", tenant_id: TenantId = DEMO) -> Standing:
    return (await limits.take(principal, tenant_id, address))[-1]


async def test_a_fifth_of_a_minutes_requests_may_come_at_once() -> None:
    limits = Limits(MemoryStore(), identity=10, address=10)
    assert [(await taken(limits, key("a"))).refused for _ in range(3)] == [False, False, True]


async def test_each_identity_has_its_own_limit() -> None:
    limits = Limits(MemoryStore(), identity=5, address=5)
    assert not (await taken(limits, key("a"))).refused
    assert (await taken(limits, key("a"))).refused
    assert not (await taken(limits, key("b"))).refused


async def test_who_says_not_who_they_are_is_counted_by_address_and_tenant() -> None:
    limits = Limits(MemoryStore(), identity=10, address=5)
    assert not (await taken(limits, OPEN, "a")).refused
    second = await taken(limits, OPEN, "a")
    assert (second.refused, second.limit.name) == (True, "address")
    assert not (await taken(limits, OPEN, "b")).refused
    third = await taken(limits, OPEN, "c")
    assert (third.refused, third.limit.name) == (True, "identity"), "many addresses of one tenant"
    assert not (await taken(limits, OPEN, "d", OTHER)).refused


async def test_a_tenants_day_is_a_limit_of_its_own() -> None:
    limits = Limits(MemoryStore(), identity=1000, address=1000, daily=2)
    results = [await taken(limits, key(letter)) for letter in "abc"]
    assert [(one.refused, one.limit.name) for one in results] == [
        (False, "tenant-day"),
        (False, "tenant-day"),
        (True, "tenant-day"),
    ]


async def test_a_batch_costs_its_items() -> None:
    limits = Limits(MemoryStore(), identity=100, address=100)
    (standing,) = await limits.take(key("a"), DEMO, "a", cost=20)
    assert (standing.refused, standing.remaining) == (False, 0)


async def test_while_the_store_is_away_each_pod_counts_for_itself() -> None:
    nobody_there = RedisStore(server="redis://127.0.0.1:1/0")
    limits = Limits(nobody_there, identity=5, address=5)
    assert [(await taken(limits, key("a"))).refused for _ in range(2)] == [False, True]


def test_headers_name_every_limit_and_the_tightest_in_the_old_way() -> None:
    minute, day = per_minute("identity", 600), per_day("tenant-day", 10_000)
    assert headers([Standing(minute, 119, 0.1, 0.0, False), Standing(day, 4_000, 51_840.2, 0.0, False)]) == {
        "RateLimit-Policy": '"identity";q=600;w=60, "tenant-day";q=10000;w=86400',
        "RateLimit": '"identity";r=119;t=1, "tenant-day";r=4000;t=51841',
        "X-RateLimit-Limit": "10000",
        "X-RateLimit-Remaining": "4000",
        "X-RateLimit-Reset": "51841",
    }


@pytest.mark.parametrize(("seconds", "said"), [(0.02, "1"), (1.0, "1"), (2.3, "3")])
def test_a_refusal_says_when_to_come_again(seconds: float, said: str) -> None:
    assert headers([Standing(per_minute("identity", 600), 0, 12.0, seconds, True)])["Retry-After"] == said


async def test_a_tenants_quota_counts_all_its_callers_and_leaves_other_tenants_alone() -> None:
    limits = Limits(MemoryStore(), identity=1000, address=1000)
    few = Quotas(minute=10)
    taken_by = [(await limits.take(key(letter), DEMO, "a", quotas=few))[-1] for letter in "abc"]
    assert [(one.refused, one.limit.name) for one in taken_by] == [
        (False, "tenant"),
        (False, "tenant"),
        (True, "tenant"),
    ]
    assert not (await limits.take(key("d"), OTHER, "a", quotas=few))[-1].refused


@pytest.mark.parametrize(("platform", "own", "most"), [(None, 3, 3), (5, 3, 3), (3, 5, 3), (5, None, 5)])
async def test_of_two_quotas_for_the_day_the_smaller_holds(platform: int | None, own: int | None, most: int) -> None:
    limits = Limits(MemoryStore(), identity=1000, address=1000, daily=platform)
    standings = await limits.take(key("a"), DEMO, "a", quotas=Quotas(day=own))
    assert (standings[-1].limit.name, standings[-1].limit.most) == ("tenant-day", most)
