"""record's read API on what the model cost one tenant."""

from typing import Literal

from pydantic import AwareDatetime, Field, NonNegativeInt

from .wire import Microdollars, Token, Wire

CostBy = Literal["tenant", "vendor", "day", "request"]


class Cost(Wire):
    """``name`` is the tenant, vendor, day or request; ``asked`` are the mappings for which the model was asked."""

    name: Token
    mappings: NonNegativeInt
    asked: NonNegativeInt
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt
    compute_seconds: float = Field(ge=0)
    cost_microdollars: Microdollars


class BudgetAlert(Wire):
    """That spending passed a share of the month's budget; from ``emergency_percent`` on rules answer alone."""

    month: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}$")
    threshold_percent: NonNegativeInt
    emergency_percent: NonNegativeInt
    budget_microdollars: Microdollars
    spent_microdollars: Microdollars
    occurred_at: AwareDatetime


class Costs(Wire):
    """GET /api/v1/costs: one tenant's last *days*; days newest first, else the dearest first.

    ``total`` is of all, also of what ``limit`` left out of ``costs``.
    """

    days: int
    by: CostBy
    costs: tuple[Cost, ...]
    total: Cost
    alerts: tuple[BudgetAlert, ...]
