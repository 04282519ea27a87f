"""Rows about mapping itself: each vendor label with what the model took for it, and each budget threshold passed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field, NonNegativeInt

from llama_mapper.contracts.events import BudgetThresholdReached, EventContext, FindingsMapped
from llama_mapper.contracts.identifiers import AnyCanonicalLabel, AnyDetectorId, AnyEventId, AnyTenantId
from llama_mapper.contracts.mapping import Method, Relation, Usage
from llama_mapper.contracts.wire import Confidence, Microdollars, Milliseconds, Token, VendorLabel

from .rows import EventRow, EventSource, Row, Stamp, believed


class MappingRow(EventRow):
    """One vendor label that was mapped; the columns from ``prompt_tokens`` to ``prices`` where the model was asked."""

    table: ClassVar[str] = "mappings"

    position: NonNegativeInt
    vendor: Token
    detector: AnyDetectorId
    detector_version: Token
    vendor_label: VendorLabel
    label: AnyCanonicalLabel
    labels: tuple[AnyCanonicalLabel, ...]
    relation: Relation
    confidence: Confidence
    method: Method
    negative: bool
    review: bool
    vocabulary: Token | None
    model: Token | None
    adapter: Token | None
    prompt: Token | None
    prompt_tokens: NonNegativeInt | None
    completion_tokens: NonNegativeInt | None
    compute_seconds: float | None = Field(ge=0, allow_inf_nan=False)
    latency_ms: Milliseconds | None
    cost_microdollars: Microdollars | None
    prices: Token | None
    taxonomy_version: Token
    mapper_version: Token

    @classmethod
    def all_of(cls, event: FindingsMapped, shared: Stamp) -> "Iterator[MappingRow]":
        """One row for each mapping; ``label`` and its confidence are the surest."""
        for position, mapping in enumerate(event.mappings):
            said, surest = mapping.provenance, max(mapping.labels, key=lambda label: label.confidence)
            yield cls(
                **shared,
                **_took(mapping.usage),
                position=position,
                vendor=said.vendor,
                detector=said.detector,
                detector_version=said.detector_version,
                vendor_label=said.vendor_label,
                label=surest.label,
                labels=tuple(label.label for label in mapping.labels),
                relation=surest.relation,
                confidence=surest.confidence,
                method=mapping.method,
                negative=mapping.negative,
                review=mapping.review,
                vocabulary=said.vocabulary,
                model=said.model,
                adapter=said.adapter,
                prompt=said.prompt,
                taxonomy_version=mapping.versions.taxonomy,
                mapper_version=mapping.versions.mapper,
            )


def _took(usage: Usage | None) -> dict[str, Any]:
    return usage.model_dump() if usage else dict.fromkeys(Usage.model_fields)


class BudgetAlertRow(Row):
    """That a tenant's spending passed a share of its budget; (tenant, source, id) is its identity in the store."""

    table: ClassVar[str] = "budget_alerts"

    tenant_id: AnyTenantId
    event_source: EventSource
    event_id: AnyEventId
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    month: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}$")
    threshold_percent: NonNegativeInt
    emergency_percent: NonNegativeInt
    budget_microdollars: Microdollars
    spent_microdollars: Microdollars
    budgets: Token

    @classmethod
    def of(cls, context: EventContext, event: BudgetThresholdReached, now: datetime) -> "BudgetAlertRow":
        return cls(
            tenant_id=context.tenantid,
            event_source=context.source,
            event_id=context.id,
            occurred_at=believed(context.time, now),
            recorded_at=now,
            **event.model_dump(),
        )
