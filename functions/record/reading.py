"""Answer questions about the rows of one tenant."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from llama_mapper.contracts.costs import BudgetAlert, Cost, CostBy, Costs
from llama_mapper.contracts.identifiers import CanonicalLabel, CorrelationId, RequestId, TenantId
from llama_mapper.contracts.records import (
    Count,
    DayCount,
    DeadLetter,
    DeadLetters,
    RecordedAnalysis,
    RecordedControl,
    RecordedDecision,
    RecordedDecisions,
    RecordedFinding,
    RecordedFindings,
    RecordedRequest,
    RecordedRequests,
    Summary,
)

from . import queries

TOP = 50
_SOURCE = ("detector", "detector_version", "vendor_label", "method", "relation", "score")


class Reader(Protocol):
    """Runs a query with bound parameters.

    Raises:
        Unavailable: the store does not answer.
    """

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]: ...


async def findings(
    reader: Reader,
    tenant: TenantId,
    *,
    request_id: RequestId | None,
    correlation_id: CorrelationId | None,
    label: CanonicalLabel | None,
    limit: int,
) -> RecordedFindings:
    """Findings of *tenant*, newest and worst first; *label* takes those below it in the tree too."""
    one = {"tenant": tenant, "request": request_id or "", "correlation": correlation_id or ""}
    found = await reader.query(queries.FINDINGS, one | {"label": label or "", "limit": limit})
    return RecordedFindings(
        findings=tuple(RecordedFinding.model_validate(row) for row in found),
        analysis=await _analysis(reader, one) if request_id or correlation_id else None,
    )


async def _analysis(reader: Reader, one: Mapping[str, str]) -> RecordedAnalysis | None:
    found = await reader.query(queries.ANALYSIS, one)
    if not found:
        return None
    controls = await reader.query(queries.CONTROLS, {"tenant": one["tenant"]} | found[0])
    return RecordedAnalysis(
        risk_score=found[0]["risk_score"],
        risk_level=found[0]["risk_level"],
        controls=tuple(RecordedControl.model_validate(row) for row in controls),
    )


async def requests(reader: Reader, tenant: TenantId, *, limit: int) -> RecordedRequests:
    """The newest requests of *tenant*."""
    found = await reader.query(queries.REQUESTS, {"tenant": tenant, "limit": limit})
    return RecordedRequests(requests=tuple(RecordedRequest.model_validate(row) for row in found))


async def decisions(reader: Reader, tenant: TenantId, *, request_id: RequestId | None, limit: int) -> RecordedDecisions:
    """The newest decisions of *tenant* with what they were taken on, so that other policies can decide again."""
    asked = {"tenant": tenant, "request": request_id or "", "limit": limit}
    return RecordedDecisions(decisions=tuple(_decision(row) for row in await reader.query(queries.DECISIONS, asked)))


def _decision(row: Mapping[str, Any]) -> RecordedDecision:
    findings: dict[str, dict[str, Any]] = {}
    for _, label, severity, confidence, *source in row["found"]:
        told = {"label": label, "severity": severity, "confidence": confidence, "sources": []}
        findings.setdefault(label, told)["sources"].append(dict(zip(_SOURCE, source, strict=True)))
    coverage = {"method": row["coverage_method"], "score": row["coverage"], "missing": row["coverage_missing"]}
    decision = {"action": row["decision"], "reasons": row["reasons"], "policy_version": row["policy_version"]}
    shared = {name: row[name] for name in ("request_id", "occurred_at", "content_type")}
    return RecordedDecision.model_validate(
        {**shared, "findings": list(findings.values()), "coverage": coverage | {"required": ()}, "decision": decision}
    )


async def summary(reader: Reader, tenant: TenantId, *, days: int, now: datetime) -> Summary:
    """Counts over the *days* before *now*."""
    parameters = {"tenant": tenant, "since": now - timedelta(days=days), "top": TOP}

    async def counts(sql: str) -> tuple[Count, ...]:
        return tuple(Count.model_validate(row) for row in await reader.query(sql, parameters))

    totals, dead, by_day = [
        await reader.query(sql, parameters) for sql in (queries.TOTALS, queries.DEAD_LETTER_TOTAL, queries.BY_DAY)
    ]
    return Summary(
        days=days,
        requests=totals[0]["requests"],
        findings=totals[0]["findings"],
        dead_letters=dead[0]["dead_letters"],
        labels=await counts(queries.BY_LABEL),
        detectors=await counts(queries.BY_DETECTOR),
        decisions=await counts(queries.BY_DECISION),
        risk_levels=await counts(queries.BY_RISK_LEVEL),
        by_day=tuple(DayCount.model_validate(row) for row in by_day),
    )


async def dead_letters(reader: Reader, tenant: TenantId, *, limit: int) -> DeadLetters:
    """The newest dead letters of *tenant*; those of no known tenant are the operators', in the table and the log."""
    found = await reader.query(queries.DEAD_LETTERS, {"tenant": tenant, "limit": limit})
    return DeadLetters(dead_letters=tuple(DeadLetter.model_validate(row) for row in found))


async def costs(reader: Reader, tenant: TenantId, *, days: int, by: CostBy, limit: int, now: datetime) -> Costs:
    """What the model cost over the *days* before *now*."""
    parameters = {"tenant": tenant, "since": now - timedelta(days=days), "limit": limit}
    rows, total, alerts = [
        await reader.query(sql, parameters)
        for sql in (queries.COSTS[by], queries.COSTS["tenant"], queries.BUDGET_ALERTS)
    ]
    nothing = dict.fromkeys(Cost.model_fields, 0) | {"name": tenant}
    return Costs(
        days=days,
        by=by,
        costs=tuple(Cost.model_validate(row) for row in rows),
        total=Cost.model_validate(total[0] if total else nothing),
        alerts=tuple(BudgetAlert.model_validate(row) for row in alerts),
    )
