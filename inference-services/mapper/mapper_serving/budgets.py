"""Monthly budgets of tenants for the model: who may still ask it, and when somebody must be told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol

import yaml
from pydantic import Field, ValidationError

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.events import BudgetThresholdReached
from llama_mapper.contracts.identifiers import AnyTenantId, TenantId
from llama_mapper.contracts.mapping import Usage
from llama_mapper.contracts.problems import InternalError, Unavailable
from llama_mapper.contracts.wire import Token, Wire

from .prices import MICRO

ALERT_PERCENTS = (80, 100, 120)

Alert = Callable[[TenantId, BudgetThresholdReached], Awaitable[None]]
"""Tells the broker.

Raises:
    Unavailable, InternalError: it was not told.
"""


class Budget(Wire):
    """What one tenant may spend in a calendar month (UTC); from ``emergency_percent`` on rules answer alone."""

    monthly_dollars: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    emergency_percent: int = Field(default=120, ge=1, le=10_000)

    @property
    def microdollars(self) -> float:
        return self.monthly_dollars * MICRO

    @property
    def limit_microdollars(self) -> float:
        return self.microdollars * self.emergency_percent / 100


class Budgets(Wire):
    """``MAPPER_BUDGETS``; a tenant without a budget of its own has ``default``, or none at all."""

    version: Token
    default: Budget | None = None
    tenants: Mapping[AnyTenantId, Budget] = {}

    def of(self, tenant_id: TenantId) -> Budget | None:
        return self.tenants.get(tenant_id, self.default)


def read_budgets(path: Path) -> Budgets:
    """Read the budgets.

    Raises:
        SettingsError: missing or wrong; the field is named.
    """
    try:
        return Budgets.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"MAPPER_BUDGETS: no readable budgets there ({type(error).__name__})") from error
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise SettingsError(f"MAPPER_BUDGETS: check {fields}") from error


class Account(NamedTuple):
    """One tenant's month: what is spent, and of which thresholds somebody was told."""

    microdollars: float
    told: frozenset[int]


class Ledger(Protocol):
    """The accounts, shared by all replicas.

    Raises:
        Unavailable: the store does not answer.
    """

    async def spent(self, tenant_id: TenantId, month: str) -> float: ...

    async def add(self, tenant_id: TenantId, month: str, microdollars: float) -> Account:
        """Return the account after adding."""

    async def claim(self, tenant_id: TenantId, month: str, percent: int) -> bool:
        """Say whether the caller is to tell: nobody else is about to. A claim ends after a minute."""

    async def told(self, tenant_id: TenantId, month: str, percent: int) -> None:
        """Keep that somebody was told."""


class BudgetAccounts:
    """Stops tenants at their limit and tells of each threshold once a month.

    A ledger that is down stops nobody who was not stopped before: answers matter more than the last dollar, and the
    fallback is counted. Charging goes on behind the answer, which must not wait for it.
    """

    def __init__(
        self,
        budgets: Budgets,
        ledger: Ledger,
        alert: Alert,
        on_fallback: Callable[[str], None] = lambda name: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._budgets = budgets
        self._ledger = ledger
        self._alert = alert
        self._on_fallback = on_fallback
        self._now = now
        self._charging: set[asyncio.Task[None]] = set()
        self._over: set[tuple[TenantId, str]] = set()  # spending only grows: who is over stays so for the month
        self._unsure: set[tuple[TenantId, str]] = set()  # over, and perhaps nobody was told yet

    async def may_ask(self, tenant_id: TenantId) -> bool:
        """Say whether *tenant_id* is below its limit; true without a budget."""
        budget, month = self._budgets.of(tenant_id), self._month()
        if budget is None:
            return True
        if (tenant_id, month) in self._over:
            if (tenant_id, month) in self._unsure:  # no answer will be charged that could tell
                self._spawn(self._charge(tenant_id, month, budget, 0.0))
            return False
        try:
            spent = await self._ledger.spent(tenant_id, month)
        except Unavailable:
            self._on_fallback("mapper.budget.down")
            return True
        return not self._is_over(tenant_id, month, budget, spent)

    def charge(self, tenant_id: TenantId, usage: Usage) -> None:
        """Add what an answer cost, and send the alerts that are due, in the background."""
        budget = self._budgets.of(tenant_id)
        if budget is None or not usage.cost_microdollars:
            return
        self._spawn(self._charge(tenant_id, self._month(), budget, usage.cost_microdollars))

    async def settled(self) -> None:
        """Wait until what was charged is booked and told."""
        await asyncio.gather(*self._charging)

    def _spawn(self, charging: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(charging)
        self._charging.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._charging.discard)

    async def _charge(self, tenant_id: TenantId, month: str, budget: Budget, microdollars: float) -> None:
        try:
            account = await self._ledger.add(tenant_id, month, microdollars)
        except Unavailable:
            self._on_fallback("mapper.budget.down")
            return
        self._is_over(tenant_id, month, budget, account.microdollars)
        passed = [percent for percent in ALERT_PERCENTS if account.microdollars >= budget.microdollars * percent / 100]
        untold = [percent for percent in passed if percent not in account.told]
        if not untold:
            self._unsure.discard((tenant_id, month))
        await self._tell(tenant_id, month, budget, account, untold)

    def _is_over(self, tenant_id: TenantId, month: str, budget: Budget, spent: float) -> bool:
        over = spent >= budget.limit_microdollars
        if over and (tenant_id, month) not in self._over:
            self._over.add((tenant_id, month))
            self._unsure.add((tenant_id, month))
        return over

    async def _tell(
        self, tenant_id: TenantId, month: str, budget: Budget, account: Account, percents: Sequence[int]
    ) -> None:
        for percent in percents:
            event = BudgetThresholdReached(
                month=month,
                threshold_percent=percent,
                emergency_percent=budget.emergency_percent,
                budget_microdollars=budget.microdollars,
                spent_microdollars=account.microdollars,
                budgets=self._budgets.version,
            )
            try:
                if await self._ledger.claim(tenant_id, month, percent):
                    await self._alert(tenant_id, event)
                    await self._ledger.told(tenant_id, month, percent)
            except (Unavailable, InternalError):  # the claim ends, and whoever asks next tries again
                self._on_fallback("mapper.budget.untold")

    def _month(self) -> str:
        return f"{self._now():%Y-%m}"
