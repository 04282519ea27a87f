"""What the use case needs from outside, and what it may take in time."""

from collections.abc import Collection, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol

from llama_mapper.contracts.analysis import Analysis, CanonicalFinding
from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.events import FindingsMapped
from llama_mapper.contracts.identifiers import ContentHmac, DetectorId, TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.mapping import Mapping, VendorFinding
from llama_mapper.contracts.orchestration import Coverage, CoverageMethod, Decision, OrchestrateRequest, Priority
from llama_mapper.contracts.redaction import RedactionOperator
from llama_mapper.contracts.tenants import TenantConfiguration, TenantRules


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a caller says of a content, apart from the content; None where nothing was said."""

    content_type: str | None = None
    processing_mode: str | None = None
    route: str | None = None
    data_class: str | None = None

    @classmethod
    def of(cls, request: OrchestrateRequest) -> "Circumstances":
        """The route and the data's class stand in the request's metadata."""
        said = request.metadata
        return cls(request.content_type, request.processing_mode, said.get("route"), said.get("data_class"))

    def said(self) -> dict[str, str]:
        """Without what was not said, as policies are asked."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Layers:
    """What was configured for a tenant, by the platform and by its own administrators, as policies are asked."""

    version: int = 0
    platform: TenantConfiguration | None = None
    own: TenantConfiguration | None = None

    def said(self) -> dict[str, Any]:
        sides = {"platform": self.platform, "own": self.own}
        return {name: side.model_dump(mode="json", exclude_none=True) for name, side in sides.items() if side}


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What the policies say of a tenant; *ignored* are the fields that would loosen what holds without them."""

    known: bool
    rules: TenantRules
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """What the policy wants to run, and to have run."""

    detectors: tuple[DetectorId, ...]
    required: tuple[DetectorId, ...]
    method: CoverageMethod
    weights: ReadOnly[str, float] = field(default_factory=dict)
    pillars: ReadOnly[str, Collection[str]] = field(default_factory=dict)
    circumstances: Circumstances = field(default_factory=Circumstances)
    """Of the content it was made for; the decision is asked with them too."""


@dataclass(frozen=True, slots=True)
class RedactionRule:
    """What the policy wants to have replaced, and by what; nothing without an *operator*."""

    operator: RedactionOperator | None
    labels: tuple[str, ...] = ()
    """With everything below them in the taxonomy."""
    min_confidence: float = 0.0


NOTHING_SAID = Circumstances()


class Policies(Protocol):
    """The policies in force, whichever those are from one request to the next."""

    async def ready(self) -> bool:
        """Whether they can be asked; never raises."""

    async def pinned(self, tenant_id: TenantId) -> "Policy":
        """What is in force for a tenant now, which stays as it is: all questions of one request are asked of it."""
        ...


class Policy(Policies, Protocol):
    """One version of the Rego policies.

    Raises (all methods):
        Unavailable: the policy cannot be evaluated; nothing is let through.
    """

    @property
    def version(self) -> str:
        """Changes with every byte of the policies."""

    async def permit(self, principal: Principal, action: Scope, tenant_id: TenantId, now: datetime) -> None:
        """Raises Unauthorized where nobody said who they are and that is too little, InsufficientRbac else."""

    async def admit(
        self,
        tenant_id: TenantId,
        content_characters: int,
        authenticated: bool = False,
        priority: Priority = "normal",
    ) -> Priority:
        """Return the priority the tenant gets; raises Unauthorized or InsufficientRbac where it may not at all."""
        ...

    async def select(self, request: OrchestrateRequest, available: Sequence[str], tenant_id: TenantId) -> Selection:
        """Say what is to run; what the caller names, excludes and requires is heeded as far as the tenant's rules let
        it, and is given by the ids of detectors."""
        ...

    async def decide(
        self,
        findings: Sequence[CanonicalFinding],
        coverage: Coverage,
        tenant_id: TenantId,
        circumstances: Circumstances = NOTHING_SAID,
    ) -> Decision: ...

    async def tenancy(self, tenant_id: TenantId, proposed: TenantConfiguration | None = None) -> Tenancy:
        """Say what holds for a tenant, and what of *proposed* would loosen it."""
        ...

    @property
    def layers(self) -> Layers:
        """What was configured for the tenant that it is asked for."""
        ...

    def under(self, layers: Layers) -> "Policy":
        """The same, asked with what was configured for a tenant."""
        ...

    async def redact(
        self, tenant_id: TenantId, asked: RedactionOperator | None, obligations: Sequence[str]
    ) -> RedactionRule:
        """Raises InsufficientRbac where the tenant may not have content redacted as it asks."""
        ...


class Detect(Protocol):
    async def known(self) -> tuple[DetectorInfo, ...]: ...

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]: ...


class ModelServers(Protocol):
    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport: ...


class OwnDetectors(ModelServers, Protocol):
    """What one tenant may use beyond what is configured; each is asked as a model server is."""

    @property
    def infos(self) -> tuple[DetectorInfo, ...]: ...

    @property
    def vocabularies(self) -> ReadOnly[DetectorId, DetectorId]: ...

    @property
    def vocabulary_versions(self) -> ReadOnly[DetectorId, str]: ...

    @property
    def weights(self) -> ReadOnly[str, float]: ...

    def without(self, names: Collection[str]) -> "OwnDetectors": ...


class Joining(Protocol):
    """Detectors that join while the system runs."""

    async def of(self, tenant_id: TenantId) -> OwnDetectors:
        """Those of *tenant_id*, of the platform and of the cluster; never raises, an old list is better than none."""
        ...


class Map(Protocol):
    async def map(
        self, findings: Sequence[VendorFinding], seconds: float, tenant_id: TenantId
    ) -> Sequence[Mapping]: ...

    def by_rules(self) -> "Map":
        """The same, that asks no model."""
        ...


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
