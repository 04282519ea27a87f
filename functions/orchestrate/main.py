"""orchestrate: the front door. ``handle`` is the functions-framework target."""

import asyncio
from dataclasses import replace
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Header, Request, Response
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper import __version__
from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Sink
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.detection import DetectorHealth, DetectorList
from llama_mapper.contracts.orchestration import BatchRequest, BatchResponse, OrchestrateRequest, OrchestrateResponse

from .accounting import count
from .adapters import Outbox
from .answering import answered
from .batch import judge_batch
from .entrance import entrance
from .gate import Admitted
from .key_api import add_keys
from .moderations import add_moderations
from .response_cache import declined
from .service import COVERAGE_FLOOR, Orchestrator
from .settings import Settings
from .wiring import detector_health, detectors_of, wire

settings = load(Settings)
client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport())  # no proxy from the environment may see content
outbox = Outbox(Sink(settings.sink_url, client), settings.redis_url.get_secret_value() if settings.redis_url else None)
orchestrator = wire(settings, client, AsyncCircuitBreakerFactory(), outbox)
door = entrance(settings, orchestrator.policy, client)
orchestrator = replace(orchestrator, cache=door.cache)
use, look = Depends(door.gate.needs("orchestrate:use")), Depends(door.gate.needs("detectors:read"))
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=257)]


async def readiness() -> dict[str, bool]:
    outbox.start()
    return {"policy": await orchestrator.policy.ready(), "detect": bool(await orchestrator.detect.known())}


app: FastAPI = create_app(
    "orchestrate", __version__, max_bytes=settings.max_bytes, readiness=readiness, log_level=settings.log_level
)
handle = as_function(app)
slots = asyncio.Semaphore(settings.batch_concurrency)
if door.keys and door.audit:
    add_keys(app, door.gate, door.keys, door.audit, door.codes)
add_moderations(app, door.gate, orchestrator, slots, door.idempotency)


def asked_of(request: Request, admitted: Admitted) -> Orchestrator:
    """Who judges this request: under the policy that let it in, and anew where it says so."""
    judging = orchestrator.under(admitted.policy)
    return judging.uncached() if declined(request.headers.get("cache-control")) else judging


@app.post(
    "/api/v1/orchestrate",
    tags=["orchestrate"],
    response_model=OrchestrateResponse,
    responses={206: {"model": OrchestrateResponse}},
)
async def orchestrate(
    content: OrchestrateRequest, admitted: Annotated[Admitted, use], request: Request, key: Key = None
) -> Response:
    """Judge one content: findings, decision, risk and controls; 206 where coverage is below 0.8."""

    async def judge() -> tuple[int, OrchestrateResponse]:
        judging = asked_of(request, admitted)
        answer = await judging.judge(content, admitted.tenant_id, correlation.current(), admitted.authenticated)
        count(answer)
        return 200 if answer.coverage.score >= COVERAGE_FLOOR else 206, answer

    return await answered(door.idempotency, key, admitted.tenant_id, request, judge)


@app.post("/api/v1/orchestrate/batch", tags=["orchestrate"], response_model=BatchResponse)
async def orchestrate_batch(
    batch: BatchRequest, admitted: Annotated[Admitted, use], request: Request, key: Key = None
) -> Response:
    """Judge up to 100 contents; each is answered in its place with its own status."""

    async def judge() -> tuple[int, BatchResponse]:
        return 200, await judge_batch(
            asked_of(request, admitted), batch, admitted.tenant_id, slots, admitted.authenticated
        )

    return await answered(door.idempotency, key, admitted.tenant_id, request, judge)


@app.get("/api/v1/detectors", tags=["detectors"])
async def detectors(_: Annotated[Admitted, look]) -> DetectorList:
    return DetectorList(detectors=await detectors_of(orchestrator))


@app.get("/api/v1/detectors/{detector}/health", tags=["detectors"])
async def health_of(detector: str, _: Annotated[Admitted, look]) -> DetectorHealth:
    return await detector_health(orchestrator, detector)
