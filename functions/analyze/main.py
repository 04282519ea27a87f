"""analyze: risk, controls, patterns and what rules say over HTTP, and the reply to mapped findings on the broker."""

import httpx
from fastapi import FastAPI
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper import __version__
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.calls import ServiceClient
from llama_mapper.chassis.events import Outgoing, add_consumer, reply_to
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.analysis import Analysis, AnalyzeRequest, ComplianceResponse, Risk
from llama_mapper.contracts.events import EventContext, FindingsMapped

from .compliance.api import add_compliance
from .frameworks import Frameworks
from .guidance.api import add_guidance
from .patterns.api import add_patterns
from .patterns.counted import Counted
from .service import analyze, completed, compliance_of, risk_of
from .settings import Settings

SOURCE = "/functions/analyze"

settings = load(Settings)
frameworks = Frameworks.load(settings.frameworks, settings.default_frameworks)
app: FastAPI = create_app("analyze", __version__, max_bytes=settings.max_bytes, log_level=settings.log_level)
handle = as_function(app)


@app.post("/api/v1/analyze", tags=["analyze"])
async def analyze_findings(request: AnalyzeRequest) -> Analysis:
    """Risk and controls of canonical findings."""
    return analyze(request, frameworks)


@app.post("/api/v1/risk-score", tags=["analyze"])
async def risk_score(request: AnalyzeRequest) -> Risk:
    """The risk score alone, with its parts."""
    return risk_of(request, frameworks)


@app.post("/api/v1/compliance", tags=["analyze"])
async def compliance(request: AnalyzeRequest) -> ComplianceResponse:
    """The controls alone, and where no control fits."""
    return compliance_of(request, frameworks)


async def on_mapped(context: EventContext, event: FindingsMapped) -> Outgoing:
    return reply_to(context, completed(event, frameworks), SOURCE)


record = ServiceClient(
    "record", str(settings.record_url), httpx.AsyncClient(trust_env=False), AsyncCircuitBreakerFactory()
)
add_patterns(app, Counted(record, settings.record_timeout_seconds))
add_compliance(app, frameworks)
add_guidance(app, settings.knowledge)
add_consumer(app, {FindingsMapped: on_mapped}, "/events")
