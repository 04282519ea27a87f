"""Who is told of budgets, and a ledger that can be away."""

from llama_mapper.contracts.events import BudgetThresholdReached
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import Problem, Unavailable
from mapper_serving.budgets import Account
from mapper_serving.ledger import MemoryLedger


class ListedAlerts:
    """Fails with *problem* as long as there is one."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, int]] = []
        self.events: list[BudgetThresholdReached] = []
        self.problem: Problem | None = None

    async def __call__(self, tenant_id: TenantId, event: BudgetThresholdReached) -> None:
        if self.problem:
            raise self.problem
        self.told.append((tenant_id, event.month, event.threshold_percent))
        self.events.append(event)


class LeavingLedger(MemoryLedger):
    """A ledger in memory that does not answer while it is *away*."""

    away = False

    async def spent(self, tenant_id: TenantId, month: str) -> float:
        self._check()
        return await super().spent(tenant_id, month)

    async def add(self, tenant_id: TenantId, month: str, microdollars: float) -> Account:
        self._check()
        return await super().add(tenant_id, month, microdollars)

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")
