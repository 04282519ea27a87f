"""detect: content in, the detectors' own labels out. Called by orchestrate only."""

from fastapi import FastAPI

from llama_mapper import __version__
from llama_mapper.chassis import metrics
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.detection import DetectorList, DetectRequest, DetectResponse

from .adapters import open_runtime
from .settings import Settings

settings = load(Settings)
runtime = open_runtime(settings)
runtime.warm()


async def readiness() -> dict[str, bool]:
    """Ready once everything that is loaded at start is there."""
    loaded: dict[str, bool] = {info.id: info.loaded for info in runtime.list().detectors}
    return {name: loaded[name] for name in settings.preload if name in loaded}


app: FastAPI = create_app(
    "detect", __version__, max_bytes=settings.max_bytes, readiness=readiness, log_level=settings.log_level
)
handle = as_function(app)


@app.post("/api/v1/detect", tags=["detect"])
async def detect_content(request: DetectRequest) -> DetectResponse:
    """Run the named detectors over the content; each is answered with its own status."""
    answer = await runtime.detect(request)
    for report in answer.reports:
        metrics.DETECTIONS.labels(report.detector, report.status).observe(report.latency_ms / 1000)
    return answer


@app.get("/api/v1/detectors", tags=["detect"])
async def detectors() -> DetectorList:
    """Every detector here, built in or plugged in."""
    return runtime.list()
