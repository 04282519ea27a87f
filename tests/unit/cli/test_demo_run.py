import json
from collections.abc import Callable

import httpx

from llama_mapper.cli.demo_cases import ContentCase, ReportCase
from llama_mapper.cli.demo_run import Found, Outcome, send_content, send_report
from llama_mapper.cli.services import Services
from llama_mapper.client import AsyncLlamaMapper
from llama_mapper.contracts.events import FindingReported
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.orchestration import OrchestrateResponse
from llama_mapper.contracts.problems import Unavailable

MakeAnswer = Callable[..., OrchestrateResponse]
REPORT = ReportCase("Gitleaks", (VendorFinding(detector=DetectorId("gitleaks"), label="github-pat"),))
FINDING = {
    "label": "SECRET", "vendor_label": "github-pat", "detector": "gitleaks", "detector_version": "8",
    "method": "rule", "relation": "broader", "severity": 4, "confidence": 0.9, "request_id": "request-1",
    "occurred_at": "2026-11-01T00:00:00Z",
}  # fmt: skip
ANALYSIS = {"risk_score": 77.0, "risk_level": "high", "controls": [{"framework": "soc2", "control": "CC6.1"}]}


async def test_a_text_comes_back_with_labels_decision_and_risk(make_answer: MakeAnswer) -> None:
    answer = make_answer("block", ("SECRET", 0.9, 4), risk=77.0, coverage=0.8)

    def orchestrate(request: httpx.Request) -> httpx.Response:
        assert request.headers["X-Tenant-ID"] == "demo"
        assert json.loads(request.content)["content_type"] == "code"
        return httpx.Response(206, content=answer.model_dump_json())

    transport = httpx.MockTransport(orchestrate)
    async with AsyncLlamaMapper("http://orchestrate", tenant="demo", transport=transport) as mapper:
        outcome = await send_content(ContentCase("Code", "x = 1", "code"), mapper)
    assert outcome.found == (Found("SECRET", 4, "EMAIL_ADDRESS"),)
    assert (outcome.action, outcome.risk_score, outcome.coverage) == ("block", 77.0, 0.8)


async def test_a_refused_text_is_an_outcome() -> None:
    def orchestrate(request: httpx.Request) -> httpx.Response:
        document = Unavailable("not ready: detect").document("correlation-1")
        headers = {"content-type": "application/problem+json"}
        return httpx.Response(503, content=document.model_dump_json(), headers=headers)

    async with AsyncLlamaMapper("http://orchestrate", attempts=1, transport=httpx.MockTransport(orchestrate)) as mapper:
        outcome = await send_content(ContentCase("Recipe", "bread"), mapper)
    assert outcome.trouble == "http://orchestrate answered 503: not ready: detect"


class Steps:
    """Stands in for broker and record: each question to record is answered with the next of *answers*."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.events: list[httpx.Request] = []
        self.asked: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.events.append(request)
            return httpx.Response(202)
        self.asked.append(request)
        return httpx.Response(200, json=self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    async def report(self, patience_seconds: float = 10.0) -> Outcome:
        async with Services("demo", transport=httpx.MockTransport(self.answer)) as services:
            return await send_report(REPORT, "http://broker/ns/default", "http://record", services, patience_seconds)


async def test_a_report_is_a_cloud_event_in_binary_mode() -> None:
    steps = Steps({"findings": [FINDING], "analysis": ANALYSIS})
    await steps.report()
    event = steps.events[0]
    assert event.headers["ce-specversion"] == "1.0"
    assert event.headers["ce-type"] == FindingReported.type
    assert event.headers["ce-tenantid"] == "demo"
    assert FindingReported.model_validate_json(event.content).findings == REPORT.findings


async def test_a_report_is_found_again_by_its_correlation() -> None:
    steps = Steps({"findings": [FINDING], "analysis": ANALYSIS})
    await steps.report()
    assert steps.asked[0].url.params["correlation_id"] == steps.events[0].headers["ce-correlationid"]


async def test_a_report_is_waited_for_until_findings_and_risk_are_on_record() -> None:
    steps = Steps({"findings": []}, {"findings": [FINDING]}, {"findings": [FINDING], "analysis": ANALYSIS})
    outcome = await steps.report()
    assert len(steps.asked) == 3
    assert outcome.found == (Found("SECRET", 4, "github-pat"),)
    assert (outcome.risk_score, outcome.controls) == (77.0, (("soc2", "CC6.1"),))


async def test_a_report_that_never_arrives_is_an_outcome() -> None:
    outcome = await Steps({"findings": []}).report(patience_seconds=0.1)
    assert outcome.trouble == "not on record after 0.1 s"
