"""What answers cost is counted by tenant as far as tenants are known, and charged to budgets where there are any."""

import httpx
import pytest

from llama_mapper.chassis import metrics
from llama_mapper.chassis.events import Sink
from llama_mapper.contracts.events import BudgetThresholdReached
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Unavailable
from mapper_serving.accounts import TenantAccounts, alert_to
from mapper_serving.budgets import Budget, BudgetAccounts, Budgets
from mapper_serving.ledger import MemoryLedger
from tests.fakes.alerts import ListedAlerts
from tests.fakes.mapping import used

DEMO, OTHER, THIRD = TenantId("demo"), TenantId("other"), TenantId("third")
KNOWN = frozenset({"demo"})
PASSED = BudgetThresholdReached(
    month="2026-11",
    threshold_percent=80,
    emergency_percent=120,
    budget_microdollars=100.0,
    spent_microdollars=80.0,
    budgets="1",
)


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"llama_mapper_{name}_total", labels) or 0.0


def budgets(alerts: ListedAlerts) -> BudgetAccounts:
    one_cent = Budget(monthly_dollars=0.01, emergency_percent=100)
    return BudgetAccounts(Budgets(version="1", default=one_cent), MemoryLedger(), alerts)


@pytest.mark.parametrize(
    ("tenants", "label"), [(KNOWN, "demo"), (frozenset(), "other"), (frozenset({"somebody"}), "other")]
)
async def test_only_tenants_that_the_settings_name_have_a_series(tenants: frozenset[str], label: str) -> None:
    names = (("model_tokens", "kind", "prompt"), ("model_tokens", "kind", "completion"), ("model_cost_microdollars",))

    def seen() -> list[float]:
        return [counted(name, tenant=label, adapter="count.1", **dict([rest] if rest else [])) for name, *rest in names]

    before = seen()
    TenantAccounts(tenants, None).charge(DEMO, "count.1", used(40.0))
    assert [after - earlier for after, earlier in zip(seen(), before, strict=True)] == [80.0, 2.0, 40.0]


async def test_without_budgets_everybody_may_ask() -> None:
    accounts = TenantAccounts(frozenset(), None)
    accounts.charge(DEMO, "a.1", used(1e12))
    assert await accounts.may_ask(DEMO)


async def test_tenants_that_are_not_named_share_one_account() -> None:
    alerts = ListedAlerts()
    spending = budgets(alerts)
    accounts = TenantAccounts(KNOWN, spending)
    for tenant_id in (OTHER, THIRD):
        accounts.charge(tenant_id, "a.1", used(5_000))
    await spending.settled()
    assert [await accounts.may_ask(one) for one in (DEMO, OTHER, THIRD, TenantId("new"))] == [True] + [False] * 3
    assert {tenant for tenant, _, _ in alerts.told} == {"anonymous"}


async def test_where_no_tenants_are_named_each_has_an_account() -> None:
    spending = budgets(ListedAlerts())
    accounts = TenantAccounts(frozenset(), spending)
    accounts.charge(OTHER, "a.1", used(10_000))
    await spending.settled()
    assert [await accounts.may_ask(one) for one in (OTHER, THIRD)] == [False, True]


async def test_an_alert_goes_to_the_broker_under_an_id_that_says_what_it_is_about() -> None:
    asked: list[httpx.Request] = []

    def broker(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202)

    before = counted("budget_alerts", tenant="demo", threshold="80")
    async with httpx.AsyncClient(transport=httpx.MockTransport(broker)) as client:
        await alert_to(Sink("http://broker/ns/default", client), KNOWN)(DEMO, PASSED)
    (request,) = asked
    assert request.headers["ce-id"] == "budget:demo:2026-11:80"
    assert request.headers["ce-type"] == "io.llama-mapper.budget.threshold-reached.v1"
    assert (request.headers["ce-tenantid"], request.headers["ce-source"]) == ("demo", "/inference-services/mapper")
    assert counted("budget_alerts", tenant="demo", threshold="80") - before == 1


async def test_an_alert_that_the_broker_does_not_take_is_not_counted_as_sent() -> None:
    before = counted("budget_alerts", tenant="demo", threshold="80")
    transport = httpx.MockTransport(lambda _: httpx.Response(503))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(Unavailable):
            await alert_to(Sink("http://broker/ns/default", client), KNOWN)(DEMO, PASSED)
    assert counted("budget_alerts", tenant="demo", threshold="80") == before
