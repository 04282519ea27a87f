"""The sample events of the contracts, as record receives them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llama_mapper.contracts.events import (
    AnalysisCompleted,
    BudgetThresholdReached,
    CanaryStepped,
    EventContext,
    FindingsMapped,
)
from llama_mapper.contracts.identifiers import CorrelationId

EVENTS = Path(__file__).parents[2] / "contracts" / "events"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CORRELATION = CorrelationId("corr-fallback")


def event(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return document


def findings(name: str = "orchestrate", **changed: Any) -> tuple[EventContext, FindingsMapped]:
    document = event(f"findings.mapped.v1.{name}")
    return EventContext.model_validate(document), FindingsMapped.model_validate(document["data"] | changed)


def analysis(name: str = "controls") -> tuple[EventContext, AnalysisCompleted]:
    document = event(f"analysis.completed.v1.{name}")
    return EventContext.model_validate(document), AnalysisCompleted.model_validate(document["data"])


def budget(name: str = "warning") -> tuple[EventContext, BudgetThresholdReached]:
    document = event(f"budget.threshold-reached.v1.{name}")
    return EventContext.model_validate(document), BudgetThresholdReached.model_validate(document["data"])


def canary(name: str = "promoted") -> tuple[EventContext, CanaryStepped]:
    document = event(f"canary.stepped.v1.{name}")
    return EventContext.model_validate(document), CanaryStepped.model_validate(document["data"])
