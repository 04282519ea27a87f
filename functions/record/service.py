"""Keep the rows of each event once, however often it is delivered."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llama_mapper.contracts.events import (
    AnalysisCompleted,
    BudgetThresholdReached,
    CanaryStepped,
    EventContext,
    FindingsMapped,
)
from llama_mapper.contracts.identifiers import CorrelationId

from .canary_rows import CanaryStepRow
from .mapping_rows import BudgetAlertRow, MappingRow
from .rows import AnalysisRow, ControlRow, EventRow, FindingRow, RequestRow, Row, stamp


class Rows(Protocol):
    """The row store.

    Raises:
        Unavailable: the store did not take or give the rows; the broker delivers again.
    """

    async def holds(self, row: EventRow) -> bool:
        """Say whether the table of *row* has a row of the same event."""

    async def append(self, rows: Sequence[Row]) -> None:
        """Return once *rows*, all of one table, are stored; a row with the same identity is replaced."""


async def record_findings(
    context: EventContext, event: FindingsMapped, rows: Rows, correlation_id: CorrelationId, now: datetime
) -> bool:
    """Keep what was found; False where the event was kept before.

    Raises:
        Unavailable: the store refused; nothing is lost, since the sender delivers again.
    """
    shared = stamp(context, event.request_id, correlation_id, now)
    found, mapped = tuple(FindingRow.all_of(event, shared)), tuple(MappingRow.all_of(event, shared))
    return await _keep(RequestRow.of(event, shared), (found, mapped), rows)


async def record_analysis(
    context: EventContext, event: AnalysisCompleted, rows: Rows, correlation_id: CorrelationId, now: datetime
) -> bool:
    """Keep risk and controls; False where the event was kept before.

    Raises:
        Unavailable: the store refused; nothing is lost, since the sender delivers again.
    """
    shared = stamp(context, event.request_id, correlation_id, now)
    return await _keep(AnalysisRow.of(event, shared), (tuple(ControlRow.all_of(event, shared)),), rows)


async def record_budget_alert(context: EventContext, event: BudgetThresholdReached, rows: Rows, now: datetime) -> None:
    """Keep that a budget's threshold was passed; the same event again replaces its row.

    Raises:
        Unavailable: the store refused; nothing is lost, since the sender delivers again.
    """
    await rows.append((BudgetAlertRow.of(context, event, now),))


async def record_canary_step(context: EventContext, event: CanaryStepped, rows: Rows, now: datetime) -> None:
    """Keep that a candidate of the model took a step; the same event again replaces its row.

    Raises:
        Unavailable: the store refused; nothing is lost, since the sender delivers again.
    """
    await rows.append((CanaryStepRow.of(context, event, now),))


async def _keep(head: EventRow, details: Sequence[Sequence[EventRow]], rows: Rows) -> bool:
    # The head is written last and says that the event is kept whole. A delivery that broke off before it is written
    # again in full, and the store's identity of a row lets the second copy replace the first.
    if await rows.holds(head):
        return False
    await asyncio.gather(*(rows.append(table) for table in details if table))
    await rows.append((head,))
    return True
