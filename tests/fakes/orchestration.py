"""The ports of orchestrate: each answers as a test says and remembers what it was asked.

An answer may be a problem, which is raised.
"""

from collections.abc import Mapping as ReadOnly
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from functions.orchestrate.detectors.asking import Asking
from functions.orchestrate.ports import (
    NOTHING_SAID,
    Circumstances,
    Deadlines,
    Layers,
    RedactionRule,
    Selection,
    Tenancy,
)
from functions.orchestrate.service import Orchestrator
from llama_mapper.contracts.analysis import Analysis, CanonicalFinding, Risk
from llama_mapper.contracts.detection import Detection, DetectorInfo, DetectorReport
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.identifiers import ContentHmac, CorrelationId, DetectorId, TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.mapping import Mapping, VendorFinding, Versions
from llama_mapper.contracts.orchestration import Coverage, Decision, OrchestrateRequest, OrchestrateResponse, Priority
from llama_mapper.contracts.problems import Problem
from llama_mapper.contracts.redaction import RedactionOperator
from llama_mapper.contracts.tenants import TenantConfiguration, TenantRules

T = TypeVar("T")

DEMO = TenantId("demo")
CORRELATION = CorrelationId("correlation-1")
VERSIONS = Versions(taxonomy="2026.11", mapper="1")


def give(answer: T | Problem) -> T:
    if isinstance(answer, Problem):
        raise answer
    return answer


def detections(*labels: str, **rest: Any) -> tuple[Detection, ...]:
    return tuple(Detection.model_validate({"label": label, "score": 0.9} | rest) for label in labels)


def report(detector: str, *labels: str, status: str = "ok", family: str = "pii") -> DetectorReport:
    said = {"detector": detector, "version": "1.0", "family": family, "status": status, "latency_ms": 1.0}
    return DetectorReport.model_validate(said | {"detections": detections(*labels), "windows": 1})


def mapping(
    said: VendorFinding, *labels: str, confidence: float = 1.0, negative: bool = False, severity: int = 2
) -> Mapping:
    mapped = [{"label": label, "relation": "exact", "confidence": confidence, "severity": severity} for label in labels]
    provenance = {
        "vendor": said.detector,
        "detector": said.detector,
        "detector_version": said.detector_version,
        "vendor_label": said.label,
    }
    return Mapping.model_validate(
        {"labels": mapped, "method": "rule", "negative": negative, "provenance": provenance, "versions": VERSIONS}
    )


@dataclass
class SayingPolicy:
    """Lets everybody in and allows everything, unless told otherwise."""

    selection: Selection | Problem = field(
        default_factory=lambda: Selection((DetectorId("words"),), (DetectorId("words"),), "REQUIRED_SET")
    )
    action: str | Problem = "allow"
    admission: Problem | None = None
    unasked: RedactionOperator | Problem | None = None
    obligations: tuple[str, ...] = ()
    admitted: list[tuple[TenantId, int]] = field(default_factory=list)
    selected: list[OrchestrateRequest] = field(default_factory=list)
    available: list[str] = field(default_factory=list)
    decided: list[tuple[tuple[CanonicalFinding, ...], Coverage]] = field(default_factory=list)
    decided_in: list[Circumstances] = field(default_factory=list)
    priority: Priority | None = None
    layers: Layers = field(default_factory=Layers)
    holds: Tenancy = field(default_factory=lambda: Tenancy(True, TenantRules(enabled=True)))

    async def tenancy(self, tenant_id: TenantId, proposed: TenantConfiguration | None = None) -> Tenancy:
        return self.holds

    def under(self, layers: Layers) -> "SayingPolicy":
        return replace(self, layers=layers)

    version: str = "1"

    async def permit(self, principal: Principal, action: Scope, tenant_id: TenantId, now: datetime) -> None:
        give(self.admission)

    async def admit(
        self,
        tenant_id: TenantId,
        content_characters: int,
        authenticated: bool = False,
        priority: Priority = "normal",
    ) -> Priority:
        self.admitted.append((tenant_id, content_characters))
        give(self.admission)
        return self.priority or priority

    async def select(self, request: OrchestrateRequest, available: Sequence[str], tenant_id: TenantId) -> Selection:
        """What the caller names takes the place of what a test says, as in our policies."""
        self.selected.append(request)
        self.available = list(available)
        if request.detector_types is None or isinstance(self.selection, Problem):
            return give(self.selection)
        named = tuple(d for d in request.detector_types if d not in request.excluded_detectors)
        return Selection(named, named, "REQUIRED_SET")

    async def decide(
        self,
        findings: Sequence[CanonicalFinding],
        coverage: Coverage,
        tenant_id: TenantId,
        circumstances: Circumstances = NOTHING_SAID,
    ) -> Decision:
        self.decided_in.append(circumstances)
        self.decided.append((tuple(findings), coverage))
        answer = {
            "action": give(self.action),
            "reasons": ["said"],
            "obligations": self.obligations,
            "policy": "decision",
            "policy_version": "1",
        }
        return Decision.model_validate(answer)

    async def redact(
        self, tenant_id: TenantId, asked: RedactionOperator | None, obligations: Sequence[str]
    ) -> RedactionRule:
        return RedactionRule(asked or give(self.unasked), ("PII", "SECRET", "OTHER.Unknown"), 0.5)

    async def ready(self) -> bool:
        return True

    async def pinned(self, tenant_id: TenantId) -> "SayingPolicy":
        return self


@dataclass
class SayingDetect:
    """Offers *offered*, id -> family, and reports for each what *says* holds, or nothing found."""

    offered: ReadOnly[str, str] = field(default_factory=lambda: {"words": "pii", "numbers": "pii", "keys": "secrets"})
    says: ReadOnly[str, DetectorReport] = field(default_factory=dict)
    answer: Problem | None = None
    forgets: frozenset[str] = frozenset()
    asked: list[tuple[str, tuple[str, ...], float, TenantId]] = field(default_factory=list)

    async def known(self) -> tuple[DetectorInfo, ...]:
        return tuple(
            DetectorInfo.model_validate({"id": name, "version": "1.0", "family": family, "loaded": name != "keys"})
            for name, family in self.offered.items()
        )

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]:
        self.asked.append((content, tuple(detectors), seconds, tenant_id))
        give(self.answer)
        return tuple(
            self.says.get(name, report(name, family=self.offered[name]))
            for name in detectors
            if name not in self.forgets
        )


@dataclass
class SayingModelServers:
    says: ReadOnly[str, DetectorReport | Problem] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        self.asked.append((detector, seconds))
        return give(self.says[detector])


@dataclass
class SayingMapper:
    """Maps a vendor's word by *words*; one that is not there to OTHER.Unknown."""

    words: ReadOnly[str, str] = field(default_factory=lambda: {"EMAIL": "PII.Contact.Email", "KEY": "SECRET.Key"})
    answer: Problem | None = None
    asked: list[tuple[VendorFinding, ...]] = field(default_factory=list)
    rules_only: bool = False

    def by_rules(self) -> "SayingMapper":
        return replace(self, rules_only=True)

    async def map(self, findings: Sequence[VendorFinding], seconds: float, tenant_id: TenantId) -> Sequence[Mapping]:
        self.asked.append(tuple(findings))
        give(self.answer)
        return [mapping(said, self.words.get(said.label, "OTHER.Unknown")) for said in findings]


ANALYSIS = Analysis(
    risk=Risk(score=10.0, level="low", components=(), formula="said.1"),
    frameworks=(),
    frameworks_version="2026.11",
    controls_total=0,
)


@dataclass
class SayingAnalyze:
    answer: Analysis | Problem = ANALYSIS
    asked: list[tuple[tuple[CanonicalFinding, ...], float]] = field(default_factory=list)

    async def analyze(
        self, findings: Sequence[CanonicalFinding], coverage: float, seconds: float, tenant_id: TenantId
    ) -> Analysis:
        self.asked.append((tuple(findings), coverage))
        return give(self.answer)


@dataclass
class ListedEvents:
    answer: str | Problem | None = None
    events: list[FindingsMapped] = field(default_factory=list)

    async def mapped(self, event: FindingsMapped, tenant_id: TenantId) -> str | None:
        self.events.append(event)
        return give(self.answer)


@dataclass
class Fakes:
    """An orchestrator on fakes, and the fakes."""

    policy: SayingPolicy = field(default_factory=SayingPolicy)
    detect: SayingDetect = field(default_factory=SayingDetect)
    model_servers: SayingModelServers = field(default_factory=SayingModelServers)
    mapper: SayingMapper = field(default_factory=SayingMapper)
    analyze: SayingAnalyze = field(default_factory=SayingAnalyze)
    emit: ListedEvents = field(default_factory=ListedEvents)
    stand_ins: dict[str, str] = field(default_factory=lambda: {"deberta": "words", "absent": "nobody"})
    alternatives: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asking: Asking = field(default_factory=Asking)
    deadlines: Deadlines = field(default_factory=lambda: Deadlines(normal_seconds=30.0, detector_seconds=20.0))

    @property
    def orchestrator(self) -> Orchestrator:
        return Orchestrator(
            policy=self.policy,
            detect=self.detect,
            model_servers=self.model_servers,
            mapper=self.mapper,
            analyze=self.analyze,
            emit=self.emit,
            hash=lambda tenant_id, content: ContentHmac("0" * 64),
            deadlines=self.deadlines,
            model_server_names=frozenset(self.model_servers.says),
            stand_ins=self.stand_ins,
            versions=VERSIONS,
            alternatives=self.alternatives,
            asking=self.asking,
        )

    async def judge(self, **request: Any) -> OrchestrateResponse:
        asked = OrchestrateRequest.model_validate({"content": "some content"} | request)
        return await self.orchestrator.judge(asked, DEMO, CORRELATION)
