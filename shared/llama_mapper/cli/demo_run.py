"""Send the demo's cases: texts to orchestrate, findings to the broker, and wait for what the record function keeps."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from llama_mapper.client import AsyncLlamaMapper, LlamaMapperError
from llama_mapper.contracts.events import FindingReported
from llama_mapper.contracts.records import RecordedFindings

from .demo_cases import ContentCase, ReportCase
from .services import ServiceRefused, Services

TENANT = "demo"
SOURCE = "urn:llama-mapper:demo"
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """One canonical label; severity 0 to 4."""

    label: str
    severity: int
    vendor_label: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case. ``action`` is empty for a third party's report, where nobody asked for a decision."""

    name: str
    found: tuple[Found, ...] = ()
    action: str = ""
    risk_score: float | None = None
    risk_level: str = ""
    controls: tuple[tuple[str, str], ...] = ()
    coverage: float | None = None
    seconds: float = 0.0
    trouble: str = ""


async def send_content(case: ContentCase, mapper: AsyncLlamaMapper) -> Outcome:
    """Ask orchestrate about one text; a refusal is part of the outcome, not an error."""
    began = time.perf_counter()
    try:
        response = await mapper.orchestrate(case.content, content_type=case.content_type, priority=case.priority)
    except LlamaMapperError as refusal:
        return Outcome(case.name, seconds=time.perf_counter() - began, trouble=str(refusal))
    seconds = time.perf_counter() - began
    analysis = response.analysis
    return Outcome(
        name=case.name,
        found=tuple(Found(f.label, f.severity, f.sources[0].vendor_label) for f in response.findings),
        action=response.decision.action,
        risk_score=analysis.risk.score if analysis else None,
        risk_level=analysis.risk.level if analysis else "",
        controls=tuple((f.framework, c.control) for f in analysis.frameworks for c in f.controls) if analysis else (),
        coverage=response.coverage.score,
        seconds=seconds,
    )


async def send_report(
    case: ReportCase, broker: str, record: str, services: Services, patience_seconds: float = 20.0
) -> Outcome:
    """Hand one report to the broker and wait until its risk is on record, at most *patience_seconds*."""
    correlation_id = uuid.uuid4().hex
    began = time.perf_counter()
    data = FindingReported(findings=case.findings).model_dump(mode="json", exclude_none=True)
    try:
        await services.ask("POST", broker, json=data, headers=_event_headers(correlation_id))
        recorded = await _wait_for(correlation_id, record, services, began + patience_seconds)
    except ServiceRefused as refusal:
        return Outcome(case.name, seconds=time.perf_counter() - began, trouble=str(refusal))
    seconds = time.perf_counter() - began
    analysis = recorded.analysis
    return Outcome(
        name=case.name,
        found=tuple(Found(row.label, row.severity, row.vendor_label) for row in recorded.findings),
        risk_score=analysis.risk_score if analysis else None,
        risk_level=analysis.risk_level if analysis else "",
        controls=tuple((control.framework, control.control) for control in analysis.controls) if analysis else (),
        seconds=seconds,
        trouble="" if analysis and recorded.findings else f"not on record after {patience_seconds:g} s",
    )


def _event_headers(correlation_id: str) -> Mapping[str, str]:
    """A CloudEvent in HTTP binary content mode: attributes in headers, the body is the data."""
    return {
        "ce-specversion": "1.0",
        "ce-id": uuid.uuid4().hex,
        "ce-source": SOURCE,
        "ce-type": FindingReported.type,
        "ce-tenantid": TENANT,
        "ce-correlationid": correlation_id,
        "Content-Type": "application/json",
    }


async def _wait_for(correlation_id: str, record: str, services: Services, deadline: float) -> RecordedFindings:
    """Ask until findings and analysis are there: two steps write them, each in its own time."""
    recorded, pause = RecordedFindings(findings=()), FIRST_PAUSE
    while not (recorded.findings and recorded.analysis) and time.perf_counter() < deadline:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
        answer = await services.ask("GET", f"{record}/api/v1/findings", params={"correlation_id": correlation_id})
        try:
            recorded = RecordedFindings.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServiceRefused("record answered in a shape we do not know") from error
    return recorded
