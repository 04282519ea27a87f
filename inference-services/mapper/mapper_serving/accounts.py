"""What answers of the model cost whom: counted for Prometheus, charged to the tenant's budget, told to the broker."""

from llama_mapper.chassis import metrics
from llama_mapper.chassis.events import Outgoing, Sink
from llama_mapper.contracts.events import BudgetThresholdReached
from llama_mapper.contracts.identifiers import EventId, TenantId
from llama_mapper.contracts.mapping import Usage

from .budgets import Alert, BudgetAccounts
from .service import ANONYMOUS

SOURCE = "/inference-services/mapper"


class TenantAccounts:
    """Fills the port ``Accounts``. Where *tenants* are named, all others share one account: a caller that invents names
    gets neither a budget of its own for each nor a time series."""

    def __init__(self, tenants: frozenset[str], budgets: BudgetAccounts | None) -> None:
        self._tenants = tenants
        self._budgets = budgets

    async def may_ask(self, tenant_id: TenantId) -> bool:
        return self._budgets is None or await self._budgets.may_ask(self._account(tenant_id))

    def charge(self, tenant_id: TenantId, adapter: str, usage: Usage) -> None:
        tenant = label(tenant_id, self._tenants)
        metrics.TOKENS.labels(tenant, adapter, "prompt").inc(usage.prompt_tokens)
        metrics.TOKENS.labels(tenant, adapter, "completion").inc(usage.completion_tokens)
        metrics.COMPUTE.labels(tenant, adapter).inc(usage.compute_seconds)
        metrics.COST.labels(tenant, adapter).inc(usage.cost_microdollars)
        if self._budgets is not None:
            self._budgets.charge(self._account(tenant_id), usage)

    def _account(self, tenant_id: TenantId) -> TenantId:
        return account(tenant_id, self._tenants)


def account(tenant_id: TenantId, tenants: frozenset[str]) -> TenantId:
    """Under whose name *tenant_id* is kept: its own, unless *tenants* are named and it is none of them."""
    return tenant_id if not tenants or tenant_id in tenants else ANONYMOUS


def label(tenant_id: TenantId, tenants: frozenset[str]) -> str:
    """*tenant_id* as a metric's label: bounded by the settings."""
    return tenant_id if tenant_id in tenants else "other"


def alert_to(sink: Sink, tenants: frozenset[str]) -> Alert:
    """Return what tells the broker of a threshold. Its event id says what it is about, so that a second copy is known
    for one wherever it comes from."""

    async def alert(tenant_id: TenantId, event: BudgetThresholdReached) -> None:
        event_id = EventId(f"budget:{tenant_id}:{event.month}:{event.threshold_percent}")
        await sink.send(Outgoing(data=event, tenant_id=tenant_id, source=SOURCE, id=event_id))
        metrics.BUDGET_ALERTS.labels(label(tenant_id, tenants), str(event.threshold_percent)).inc()

    return alert
