"""Tell a broker what an evaluation found, so that the canary gate knows it."""

import asyncio
import uuid

import httpx

from llama_mapper import __version__
from llama_mapper.chassis.events import Outgoing, Sink
from llama_mapper.contracts.events import PLATFORM, EvaluationCompleted
from llama_mapper.contracts.identifiers import EvaluationId, EventId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import current_version

from .evaluate_report import Report

SOURCE = "/llama-mapper/evaluate"


def completed(report: Report, adapter: str | None = None) -> EvaluationCompleted:
    """The report as an event.

    Args:
        adapter: what the candidate's Canary calls the adapter that the experiment holds; the experiment's name unless
            given.
    """
    served = report.result["systems"][f"kind_{report.kind}"][report.result["served"]]
    metrics = {gate.name.replace("-", "_"): gate.value for gate in report.gates}
    metrics["accuracy"] = served["accuracy"]
    if report.running:
        metrics |= {"p95_ms": report.running.p95_ms, "fallback_share": report.running.methods.get("fallback", 0.0)}
    return EvaluationCompleted(
        evaluation_id=EvaluationId(uuid.uuid4().hex),
        model=report.experiment,
        adapter=adapter or report.experiment,
        golden_set="vendors",
        golden_set_version=report.golden.sha256[:12],
        cases=report.golden.cases,
        metrics=metrics,
        gates_passed=tuple(gate.name for gate in report.gates if gate.passed),
        gates_failed=tuple(gate.name for gate in report.gates if not gate.passed),
        versions=Versions(taxonomy=current_version(), mapper=__version__),
    )


def send(event: EvaluationCompleted, sink: str) -> None:
    """Hand *event* to the broker at *sink*.

    Raises:
        Problem: it was not taken.
    """

    async def sent() -> None:
        async with httpx.AsyncClient() as client:
            outgoing = Outgoing(event, PLATFORM, SOURCE, EventId(event.evaluation_id))
            await Sink(sink, client).send(outgoing, timeout_seconds=10)

    asyncio.run(sent())
