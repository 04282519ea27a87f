"""Rows about candidates of the model: each step that one took."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import AwareDatetime, NonNegativeInt

from llama_mapper.contracts.canaries import KubernetesName, Mode, Percent, ReasonWord
from llama_mapper.contracts.events import CanaryStepped, EventContext
from llama_mapper.contracts.identifiers import AnyEventId, AnyTenantId

from .rows import EventSource, Row, believed


class CanaryStepRow(Row):
    """One step; (tenant, source, id) is its identity in the store."""

    table: ClassVar[str] = "canary_steps"

    tenant_id: AnyTenantId
    event_source: EventSource
    event_id: AnyEventId
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    canary: KubernetesName
    inference_service: KubernetesName
    step: NonNegativeInt
    from_percent: Percent
    to_percent: Percent
    decision: Literal["start", "promote", "rollback"]
    reason: ReasonWord
    mode: Mode
    stable_revision: KubernetesName | None
    candidate_revision: KubernetesName | None
    stable_calls: NonNegativeInt | None
    candidate_calls: NonNegativeInt | None

    @classmethod
    def of(cls, context: EventContext, event: CanaryStepped, now: datetime) -> "CanaryStepRow":
        return cls(
            tenant_id=context.tenantid,
            event_source=context.source,
            event_id=context.id,
            occurred_at=believed(context.time, now),
            recorded_at=now,
            **event.model_dump(),
        )
