"""What the use case needs from outside, and what it may take in time."""

from collections.abc import Collection, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from llama_mapper.contracts.analysis import Analysis, CanonicalFinding
from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.identifiers import ContentHmac, DetectorId, TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.mapping import Mapping, VendorFinding
from llama_mapper.contracts.orchestration import Coverage, CoverageMethod, Decision, OrchestrateRequest


@dataclass(frozen=True, slots=True)
class Selection:
    """What the policy wants to run, and to have run."""

    detectors: tuple[DetectorId, ...]
    required: tuple[DetectorId, ...]
    method: CoverageMethod
    weights: ReadOnly[str, float] = field(default_factory=dict)
    pillars: ReadOnly[str, Collection[str]] = field(default_factory=dict)


class Policy(Protocol):
    """The Rego policies.

    Raises (all methods):
        Unavailable: the policy cannot be evaluated; nothing is let through.
    """

    @property
    def version(self) -> str:
        """Changes with every byte of the policies."""

    async def permit(self, principal: Principal, action: Scope, tenant_id: TenantId, now: datetime) -> None:
        """Raises Unauthorized where nobody said who they are and that is too little, InsufficientRbac else."""

    async def admit(self, tenant_id: TenantId, content_characters: int, authenticated: bool = False) -> None:
        """Raises Unauthorized or InsufficientRbac where the tenant may not."""

    async def select(self, request: OrchestrateRequest, available: Sequence[str]) -> Selection: ...

    async def decide(
        self, findings: Sequence[CanonicalFinding], coverage: Coverage, tenant_id: TenantId
    ) -> Decision: ...

    async def ready(self) -> bool:
        """Whether they can be asked; never raises."""

    async def pinned(self, tenant_id: TenantId) -> "Policy":
        """What is in force for a tenant now, which stays as it is: all questions of one request are asked of it."""
        ...


class Detect(Protocol):
    async def known(self) -> tuple[DetectorInfo, ...]: ...

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]: ...


class ModelServers(Protocol):
    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport: ...


class Map(Protocol):
    async def map(
        self, findings: Sequence[VendorFinding], seconds: float, tenant_id: TenantId
    ) -> Sequence[Mapping]: ...


class Analyze(Protocol):
    async def analyze(
        self, findings: Sequence[CanonicalFinding], coverage: float, seconds: float, tenant_id: TenantId
    ) -> Analysis: ...


class Emit(Protocol):
    async def mapped(self, event: FindingsMapped, tenant_id: TenantId) -> str | None:
        """Hand the event to the broker, or keep it for later and return the name of that fallback.

        Raises:
            Unavailable: neither worked; an answer nobody can prove is not given.
        """


class Hash(Protocol):
    def __call__(self, tenant_id: TenantId, content: str) -> ContentHmac | None: ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    normal_seconds: float = 2.0
    critical_seconds: float = 1.0
    low_seconds: float = 5.0
    mapper_seconds: float = 0.5
    detector_seconds: float = 5.0

    def of(self, request: OrchestrateRequest) -> float:
        return {"critical": self.critical_seconds, "low": self.low_seconds}.get(request.priority, self.normal_seconds)
