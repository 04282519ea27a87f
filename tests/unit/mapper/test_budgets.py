"""Tenants stop at their limit, somebody is told once, and a ledger that is away stops nobody."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import InternalError, Problem, Unavailable
from mapper_serving.budgets import Budget, BudgetAccounts, Budgets, Ledger, read_budgets
from mapper_serving.ledger import CLAIM_SECONDS, MemoryLedger
from tests.fakes.alerts import LeavingLedger, ListedAlerts
from tests.fakes.mapping import CountedFallbacks, used

DEMO, OTHER, FREE = TenantId("demo"), TenantId("other"), TenantId("free")
# A dollar for demo, two with an early limit for others.
BUDGETS = Budgets(
    version="7",
    default=Budget(monthly_dollars=2, emergency_percent=100),
    tenants={DEMO: Budget(monthly_dollars=1)},
)
NOVEMBER, DECEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


class Tried:
    """Accounts on fakes, and the fakes; *now* and the ledger's *seconds* are a test's to set."""

    def __init__(self, budgets: Budgets = BUDGETS, ledger: Ledger | None = None) -> None:
        self.now, self.seconds = NOVEMBER, 0.0
        self.alerts, self.fallbacks = ListedAlerts(), CountedFallbacks()
        kept = ledger or MemoryLedger(lambda: self.seconds)
        self.accounts = BudgetAccounts(budgets, kept, self.alerts, self.fallbacks, lambda: self.now)

    async def spend(self, *cents: float, tenant_id: TenantId = DEMO) -> None:
        for amount in cents:
            self.accounts.charge(tenant_id, used(amount * 10_000))
            await self.accounts.settled()

    @property
    def percents(self) -> list[int]:
        return [percent for _, _, percent in self.alerts.told]


@pytest.mark.parametrize(
    ("cents", "told"),
    [([79.99], []), ([80], [80]), ([79.99, 0.01], [80]), ([99], [80]), ([100], [80, 100]), ([119.99], [80, 100]),
     ([120], [80, 100, 120]), ([80, 100, 120], [80, 100, 120]), ([50, 35, 1, 1, 1, 40], [80, 100, 120])],
)  # fmt: skip
async def test_each_threshold_is_told_once(cents: list[float], told: list[int]) -> None:
    tried = Tried()
    await tried.spend(*cents)
    assert tried.percents == told


async def test_what_is_told_says_how_much_of_how_much() -> None:
    tried = Tried()
    await tried.spend(85)
    (event,) = tried.alerts.events
    assert (event.month, event.threshold_percent, event.emergency_percent, event.budgets) == ("2026-11", 80, 120, "7")
    assert (event.budget_microdollars, event.spent_microdollars) == (1_000_000, 850_000)


@pytest.mark.parametrize(("cents", "may"), [(0, True), (100, True), (119.99, True), (120, False), (500, False)])
async def test_a_tenant_may_ask_below_its_emergency_limit(cents: float, may: bool) -> None:
    tried = Tried()
    await tried.spend(cents)
    assert await tried.accounts.may_ask(DEMO) is may


async def test_tenants_have_accounts_of_their_own_and_the_default_where_none_is_said() -> None:
    tried = Tried()
    await tried.spend(150)
    await tried.spend(199, tenant_id=OTHER)
    assert [await tried.accounts.may_ask(one) for one in (DEMO, OTHER, FREE)] == [False, True, True]
    await tried.spend(1, tenant_id=OTHER)
    assert not await tried.accounts.may_ask(OTHER)


async def test_a_new_month_begins_at_nothing_and_tells_anew() -> None:
    tried = Tried()
    await tried.spend(130)
    tried.now = DECEMBER
    assert await tried.accounts.may_ask(DEMO)
    await tried.spend(80)
    assert tried.alerts.told[-1] == (DEMO, "2026-12", 80)


async def test_without_a_budget_nobody_is_stopped_or_told_of() -> None:
    tried = Tried(Budgets(version="1", tenants={DEMO: Budget(monthly_dollars=1)}))
    await tried.spend(10_000, tenant_id=OTHER)
    assert await tried.accounts.may_ask(OTHER)
    assert tried.alerts.told == []


@pytest.mark.parametrize("problem", [Unavailable("no broker"), InternalError("refused")])
async def test_an_alert_that_was_not_sent_is_tried_again_after_a_while(problem: Problem) -> None:
    tried = Tried()
    tried.alerts.problem = problem
    await tried.spend(80)
    tried.alerts.problem = None
    await tried.spend(1)
    assert (tried.percents, tried.fallbacks.names) == ([], ["mapper.budget.untold"])
    tried.seconds += CLAIM_SECONDS
    await tried.spend(1)
    assert tried.percents == [80]


async def test_the_last_alert_is_tried_again_though_nothing_more_is_spent() -> None:
    tried = Tried()
    tried.alerts.problem = Unavailable("no broker")
    await tried.spend(130)
    tried.alerts.problem = None
    for seconds, told in ((0, []), (CLAIM_SECONDS, [80, 100, 120]), (1000, [80, 100, 120])):
        tried.seconds += seconds
        assert not await tried.accounts.may_ask(DEMO)
        await tried.accounts.settled()
        assert tried.percents == told


async def test_a_process_that_starts_over_tells_what_the_one_before_did_not() -> None:
    ledger = MemoryLedger()
    await ledger.add(DEMO, "2026-11", 1_300_000.0)
    tried = Tried(ledger=ledger)
    for _ in range(3):
        assert not await tried.accounts.may_ask(DEMO)
        await tried.accounts.settled()
    assert tried.percents == [80, 100, 120]


async def test_who_was_stopped_stays_so_while_the_ledger_is_away_and_into_no_other_month() -> None:
    ledger = LeavingLedger()
    tried = Tried(ledger=ledger)
    await tried.spend(120)
    ledger.away = True
    assert not await tried.accounts.may_ask(DEMO)
    assert tried.fallbacks.names == []
    tried.now = DECEMBER
    assert await tried.accounts.may_ask(DEMO)


async def test_a_ledger_that_is_away_stops_nobody_and_is_counted() -> None:
    ledger = LeavingLedger()
    ledger.away = True
    tried = Tried(ledger=ledger)
    assert await tried.accounts.may_ask(DEMO)
    await tried.spend(10_000)
    assert (tried.alerts.told, tried.fallbacks.names) == ([], ["mapper.budget.down"] * 2)


def test_budgets_are_read(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(
        'version: "7"\ndefault: {monthly_dollars: 2, emergency_percent: 100}\ntenants: {demo: {monthly_dollars: 1}}'
    )
    assert read_budgets(path) == BUDGETS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('version: "1"\ndefault: {monthly_dollars: 0}', "default.monthly_dollars"),
        ('version: "1"\ntenants: {Demo: {monthly_dollars: 1}}', "tenants.Demo"),
        ('version: "1"\ndefault: {monthly_dollars: 1, emergency_percent: 0}', "default.emergency_percent"),
        ('version: "1"\ndefault: {monthly_euros: 1}', "default.monthly"),
        ("[", "no readable budgets"),
    ],
)
def test_wrong_budgets_are_refused_with_their_field(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "budgets.yaml").write_text(text)
    with pytest.raises(SettingsError, match=f"MAPPER_BUDGETS.*{named}"):
        read_budgets(tmp_path / "budgets.yaml")
