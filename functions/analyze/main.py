"""analyze: risk and framework controls over HTTP, and the reply to mapped findings on the broker."""

from fastapi import FastAPI

from llama_mapper import __version__
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.events import Outgoing, add_consumer, reply_to
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.analysis import Analysis, AnalyzeRequest, ComplianceResponse, Risk
from llama_mapper.contracts.events import EventContext, FindingsMapped

from .frameworks import Frameworks
from .service import analyze, completed, compliance_of, risk_of
from .settings import Settings

SOURCE = "/functions/analyze"

settings = load(Settings)
frameworks = Frameworks.load(settings.frameworks)
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


add_consumer(app, {FindingsMapped: on_mapped}, "/events")
