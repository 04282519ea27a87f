"""record's HTTP face: events and dead letters in, a read API for one tenant at a time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import FastAPI, Header, Query, Request, Response
from pydantic import AwareDatetime
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mapper import __version__
from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.documents import attribute
from llama_mapper.chassis.events import add_consumer
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.costs import CostBy, Costs
from llama_mapper.contracts.events import (
    AnalysisCompleted,
    BudgetThresholdReached,
    CanaryStepped,
    EventContext,
    FindingsMapped,
)
from llama_mapper.contracts.experiments import Experiments
from llama_mapper.contracts.identifiers import (
    AnyCanonicalLabel,
    AnyCorrelationId,
    AnyDetectorId,
    AnyRequestId,
    AnyTenantId,
)
from llama_mapper.contracts.records import DeadLetters, RecordedDecisions, RecordedFindings, RecordedRequests, Summary
from llama_mapper.contracts.series import MAX_SERIES, Bucket, PairsAnswer, PairsQuery, SeriesAnswer, SeriesQuery
from llama_mapper.contracts.wire import Token

from . import comparing, reading, series, service
from .dead_letters import STRUCTURED, attributes, dead_letter

log = get_logger(__name__)

DEAD_LETTERS = "/dead-letters"
Tenant = Annotated[AnyTenantId, Header(alias="X-Tenant-ID")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Days = Annotated[int, Query(ge=1, le=366)]
Control = Annotated[Token | None, Query(description="An adapter version")]
From = Annotated[AwareDatetime, Query(alias="from")]
To = Annotated[AwareDatetime, Query(alias="to")]
Labels = Annotated[tuple[AnyCanonicalLabel, ...], Query(alias="label", max_length=200)]
Detectors = Annotated[tuple[AnyDetectorId, ...], Query(alias="detector", max_length=32)]
Names = Annotated[tuple[Token, ...], Query(alias="name", min_length=2, max_length=100)]


class Store(service.Rows, reading.Reader, Protocol):
    async def ready(self) -> bool: ...


def create_server(
    store: Store, *, max_bytes: int, log_level: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> FastAPI:
    """Return the application."""

    async def readiness() -> dict[str, bool]:
        return {"rows": await store.ready()}

    app = create_app("record", __version__, max_bytes=max_bytes, readiness=readiness, log_level=log_level)
    app.add_middleware(WithoutData, path=DEAD_LETTERS)
    _add_events(app, store, now)
    _add_reading(app, store, now)
    _add_counts(app, store)
    return app


def _add_events(app: FastAPI, store: Store, now: Callable[[], datetime]) -> None:
    async def on_findings(context: EventContext, event: FindingsMapped) -> None:
        new = await service.record_findings(context, event, store, correlation.current(), now())
        log.info("findings.recorded" if new else "findings.known", extra={"findings": len(event.findings)})

    async def on_analysis(context: EventContext, event: AnalysisCompleted) -> None:
        new = await service.record_analysis(context, event, store, correlation.current(), now())
        log.info("analysis.recorded" if new else "analysis.known", extra={"controls": len(event.controls)})

    async def on_budget(context: EventContext, event: BudgetThresholdReached) -> None:
        await service.record_budget_alert(context, event, store, now())
        log.warning("budget.passed", extra={"tenant": context.tenantid, "count": event.threshold_percent})

    async def on_canary(context: EventContext, event: CanaryStepped) -> None:
        await service.record_canary_step(context, event, store, now())
        log.info("canary.recorded", extra={"count": event.to_percent, "reason": event.reason})

    add_consumer(
        app,
        {
            FindingsMapped: on_findings,
            AnalysisCompleted: on_analysis,
            BudgetThresholdReached: on_budget,
            CanaryStepped: on_canary,
        },
        "/events",
    )

    needed = [attribute(name, {"type": "string", "minLength": 1}) for name in ("id", "source", "type")]

    @app.post(DEAD_LETTERS, tags=["events"], status_code=204, openapi_extra={"parameters": needed})
    async def keep_dead_letter(request: Request) -> Response:
        """Keep that a delivery failed for good: any CloudEvent with Knative's ``knativeerror*`` attributes."""
        row = dead_letter(attributes(request.headers, await request.body()), now())
        await store.append((row,))
        log.warning("dead_letter.kept", extra={"status": row.status, "error_code": row.error_code or "none"})
        return Response(status_code=204)


def _add_reading(app: FastAPI, store: Store, now: Callable[[], datetime]) -> None:
    @app.get("/api/v1/findings", tags=["read"])
    async def findings(
        tenant: Tenant,
        correlation_id: AnyCorrelationId | None = None,
        request_id: AnyRequestId | None = None,
        label: AnyCanonicalLabel | None = None,
        limit: Limit = 100,
    ) -> RecordedFindings:
        """Findings, newest first, and the analysis where one request or correlation is asked for."""
        return await reading.findings(
            store, tenant, request_id=request_id, correlation_id=correlation_id, label=label, limit=limit
        )

    @app.get("/api/v1/requests", tags=["read"])
    async def requests(tenant: Tenant, limit: Limit = 20) -> RecordedRequests:
        """Requests and third-party reports, newest first."""
        return await reading.requests(store, tenant, limit=limit)

    @app.get("/api/v1/decisions", tags=["read"])
    async def decisions(
        tenant: Tenant, request_id: AnyRequestId | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> RecordedDecisions:
        """Decisions and what they were taken on, newest first: what a changed policy is tried on."""
        return await reading.decisions(store, tenant, request_id=request_id, limit=limit)

    @app.get("/api/v1/summary", tags=["read"])
    async def summary(tenant: Tenant, days: Days = 30) -> Summary:
        """Counts by label, detector, decision, risk level and day."""
        return await reading.summary(store, tenant, days=days, now=now())

    @app.get("/api/v1/costs", tags=["read"])
    async def costs(tenant: Tenant, days: Days = 30, by: CostBy = "day", limit: Limit = 366) -> Costs:
        """What the model took and cost, and the budget thresholds that were passed."""
        return await reading.costs(store, tenant, days=days, by=by, limit=limit, now=now())

    @app.get("/api/v1/experiments", tags=["read"])
    async def experiments(tenant: Tenant, days: Days = 7, control: Control = None) -> Experiments:
        """The adapter versions that answered, side by side; the control is the oldest unless one is named."""
        return await comparing.experiments(store, tenant, days=days, control=control, now=now())

    @app.get("/api/v1/dead-letters", tags=["read"])
    async def dead_letters(tenant: Tenant, limit: Limit = 100) -> DeadLetters:
        """Events that could not be handled, newest first."""
        return await reading.dead_letters(store, tenant, limit=limit)


def _add_counts(app: FastAPI, store: Store) -> None:
    @app.get("/api/v1/series", tags=["read"])
    async def count_series(
        tenant: Tenant,
        start: From,
        end: To,
        query: SeriesQuery = "requests-with-source",
        bucket: Bucket = "hour",
        labels: Labels = (),
        detectors: Detectors = (),
        limit: Annotated[int, Query(ge=1, le=MAX_SERIES)] = MAX_SERIES,
    ) -> SeriesAnswer:
        """Requests over time by label and detector, the most frequent first."""
        span = {"start": start, "end": end}
        return await series.series(
            store, tenant, query, **span, bucket=bucket, labels=labels, detectors=detectors, limit=limit
        )

    @app.get("/api/v1/pairs", tags=["read"])
    async def count_pairs(
        tenant: Tenant, start: From, end: To, names: Names, query: PairsQuery = "requests-with-two-labels"
    ) -> PairsAnswer:
        """Requests that had two of the named labels or detectors at once."""
        return await series.pairs(store, tenant, query, start=start, end=end, names=names)


class WithoutData:
    """Throw away the data of events posted to *path*, before anything reads it.

    The data may be what killed the letter (no JSON, too large): the checks in front of a service would refuse it, and
    a refused dead letter is lost. In structured mode the attributes are in the body, which a broker made and is JSON.
    """

    _OF_DATA = frozenset({b"content-type", b"content-length", b"transfer-encoding"})

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        binary = not headers.get(b"content-type", b"").startswith(STRUCTURED.encode())
        if not (scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == self._path and binary):
            await self._app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        kept = [(name, value) for name, value in headers.items() if name not in self._OF_DATA]
        await self._app({**scope, "headers": [*kept, (b"content-type", b"application/octet-stream")]}, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
