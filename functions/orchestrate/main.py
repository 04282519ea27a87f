"""orchestrate: the front door. ``handle`` is the functions-framework target."""

import asyncio
from typing import Annotated

import httpx
from fastapi import FastAPI, Header, Response
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper import __version__
from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Sink
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.detection import DetectorHealth, DetectorList
from llama_mapper.contracts.identifiers import AnyTenantId
from llama_mapper.contracts.orchestration import BatchRequest, BatchResponse, OrchestrateRequest, OrchestrateResponse

from .accounting import count
from .adapters import Outbox
from .batch import judge_batch
from .service import COVERAGE_FLOOR
from .settings import Settings
from .wiring import detector_health, wire

settings = load(Settings)
client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport())  # no proxy from the environment may see content
outbox = Outbox(Sink(settings.sink_url, client), settings.redis_url.get_secret_value() if settings.redis_url else None)
orchestrator = wire(settings, client, AsyncCircuitBreakerFactory(), outbox)
Tenant = Annotated[AnyTenantId, Header(alias="X-Tenant-ID")]


async def readiness() -> dict[str, bool]:
    outbox.start()
    return {"policy": True, "detect": bool(await orchestrator.detect.known())}


app: FastAPI = create_app(
    "orchestrate", __version__, max_bytes=settings.max_bytes, readiness=readiness, log_level=settings.log_level
)
handle = as_function(app)
slots = asyncio.Semaphore(settings.batch_concurrency)


@app.post("/api/v1/orchestrate", tags=["orchestrate"], responses={206: {"model": OrchestrateResponse}})
async def orchestrate(request: OrchestrateRequest, tenant: Tenant, response: Response) -> OrchestrateResponse:
    """Judge one content: findings, decision, risk and controls; 206 where coverage is below 0.8."""
    answer = await orchestrator.judge(request, tenant, correlation.current())
    count(answer)
    response.status_code = 200 if answer.coverage.score >= COVERAGE_FLOOR else 206
    return answer


@app.post("/api/v1/orchestrate/batch", tags=["orchestrate"])
async def orchestrate_batch(request: BatchRequest, tenant: Tenant) -> BatchResponse:
    """Judge up to 100 contents; each is answered in its place with its own status."""
    return await judge_batch(orchestrator, request, tenant, slots)


@app.get("/api/v1/detectors", tags=["detectors"])
async def detectors() -> DetectorList:
    return DetectorList(detectors=await orchestrator.detect.known())


@app.get("/api/v1/detectors/{detector}/health", tags=["detectors"])
async def health_of(detector: str) -> DetectorHealth:
    return await detector_health(orchestrator, detector)
