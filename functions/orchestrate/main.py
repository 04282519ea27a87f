"""orchestrate: the front door. ``handle`` is the functions-framework target."""

import asyncio
from dataclasses import replace
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Request, Response

from llama_mapper import __version__
from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Sink
from llama_mapper.chassis.flags import Flags
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.jobs import Job
from llama_mapper.contracts.orchestration import BatchRequest, BatchResponse, OrchestrateRequest, OrchestrateResponse

from .accounting import count
from .adapters import Outbox
from .batch import judge_batch
from .detectors.breakers import close as close_breakers
from .detectors.wiring import breakers_of
from .entrance.answering import IdempotencyKey, answered
from .entrance.entrance import entrance
from .entrance.gate import Admitted
from .entrance.key_api import add_keys
from .jobs.api import CallbackHeader, Submission, add_jobs
from .jobs.wiring import wire_jobs
from .moderations.api import add_moderations
from .policies.rego import RegoPolicy
from .policies.wiring import live_policy, serve_policies
from .redaction.api import add_detokenization
from .registration.api import add_detectors
from .registration.joining import wire_joining
from .response_cache import declined
from .service import COVERAGE_FLOOR, Orchestrator
from .settings import Settings
from .streams.api import add_streams, max_bytes
from .tenants.api import add_tenants
from .tenants.policy import TenantPolicies
from .webhooks.api import add_webhooks
from .wiring import wire

settings = load(Settings)
client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport())  # no proxy from the environment may see content
outbox = Outbox(Sink(settings.sink_url, client), settings.redis_url.get_secret_value() if settings.redis_url else None)
live = live_policy(settings)
breakers = breakers_of(settings)
orchestrator = wire(settings, client, breakers, outbox, live)
door = entrance(settings, orchestrator.policy, client)
reserved = frozenset({*settings.http_detectors, *settings.model_servers})
orchestrator = replace(orchestrator, policy=door.policies, reserved=reserved)
joining = wire_joining(settings, orchestrator, door.redis, breakers)
flags = Flags(settings.flags)
orchestrator = replace(orchestrator, cache=door.cache, joining=joining.joined, switches=flags)
jobs = wire_jobs(settings, orchestrator)
submission = Submission(jobs, door.idempotency)
use = Depends(door.gate.needs("orchestrate:use"))


async def readiness() -> dict[str, bool]:
    outbox.start()
    joining.start()
    flags.start()
    orchestrator.asking.health.start()
    if jobs:
        jobs.start()
    return {"policy": await orchestrator.policy.ready(), "detect": bool(await orchestrator.detect.known())}


async def aclose() -> None:
    """End what runs beside the requests, then what it stands on.

    functions-framework tells a function nothing of the end: there the loop cancels every task, and what must not be
    lost is in Redis.
    """
    if jobs:
        await jobs.aclose()
    await orchestrator.asking.aclose()
    await live.aclose()
    await joining.aclose()
    await outbox.aclose()
    await door.aclose()
    await close_breakers(breakers)
    await client.aclose()


app: FastAPI = create_app(
    "orchestrate",
    __version__,
    max_bytes=settings.max_bytes,
    streams=max_bytes(settings),
    readiness=readiness,
    log_level=settings.log_level,
)
handle = as_function(app)
slots = asyncio.Semaphore(settings.batch_concurrency)
if door.keys and door.audit:
    add_keys(app, door.gate, door.keys, door.audit, door.codes)
add_detectors(app, door.gate, orchestrator, joining, door.audit)
serve_policies(app, settings, door.gate, live, client, lambda new: TenantPolicies(RegoPolicy(new), door.tenants))
add_tenants(app, door)
add_detokenization(app, door.gate, orchestrator.redactor.tokens, door.audit)
add_streams(app, door.gate, orchestrator, settings)
add_moderations(app, door.gate, orchestrator, slots, door.idempotency)
add_jobs(app, door.gate, jobs, submission)
add_webhooks(app, door.gate, jobs, door.audit)


def asked_of(request: Request, admitted: Admitted) -> Orchestrator:
    """Who judges this request: under the policy that let it in, and anew where it says so."""
    judging = orchestrator.under(admitted.policy)
    return judging.uncached() if declined(request.headers.get("cache-control")) else judging


@app.post(
    "/api/v1/orchestrate",
    tags=["orchestrate"],
    response_model=OrchestrateResponse,
    responses={202: {"model": Job}, 206: {"model": OrchestrateResponse}},
)
async def orchestrate(
    content: OrchestrateRequest,
    admitted: Annotated[Admitted, use],
    request: Request,
    key: IdempotencyKey = None,
    callback: CallbackHeader = None,
) -> Response:
    """Judge one content: findings, decision, risk and controls; 206 where coverage is below 0.8, 202 where async."""
    if content.processing_mode == "async":
        return await submission.accept(content, admitted, request, key, callback)

    async def judge() -> tuple[int, OrchestrateResponse]:
        judging = asked_of(request, admitted)
        answer = await judging.judge(content, admitted.tenant_id, correlation.current(), admitted.authenticated)
        count(answer)
        return 200 if answer.coverage.score >= COVERAGE_FLOOR else 206, answer

    return await answered(door.idempotency, key, admitted.tenant_id, request, judge)


@app.post("/api/v1/orchestrate/batch", tags=["orchestrate"], response_model=BatchResponse)
async def orchestrate_batch(
    batch: BatchRequest, admitted: Annotated[Admitted, use], request: Request, key: IdempotencyKey = None
) -> Response:
    """Judge up to 100 contents; each is answered in its place with its own status."""

    async def judge() -> tuple[int, BatchResponse]:
        return 200, await judge_batch(
            asked_of(request, admitted), batch, admitted.tenant_id, slots, admitted.authenticated
        )

    return await answered(door.idempotency, key, admitted.tenant_id, request, judge)
