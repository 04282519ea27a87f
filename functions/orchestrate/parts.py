"""What the use case is made of, and what of it holds for one request, tenant or policy."""

from collections.abc import Mapping as ReadOnly
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self, get_args

from llama_mapper.contracts.detection import DetectorInfo, Family
from llama_mapper.contracts.flags import FLAG_NAMES
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.orchestration import Priority

from .detectors.asking import Asking
from .ports import Analyze, Deadlines, Detect, Emit, Hash, Joining, Map, ModelServers, Policies, Policy
from .redaction.redactor import Redactor
from .response_cache import ResponseCache
from .routing import Beside, Directory
from .shedding import Shedding
from .switches import AllOn, Roomy, Switches


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports and settings of an orchestrator; the methods return the same with one thing changed."""

    policy: Policies
    detect: Detect
    model_servers: ModelServers
    mapper: Map
    analyze: Analyze
    emit: Emit
    hash: Hash
    deadlines: Deadlines
    model_server_names: frozenset[str]
    stand_ins: dict[str, str]
    versions: Versions
    http_detectors: tuple[DetectorInfo, ...] = ()
    """Those behind a vendor's API; ``model_servers`` asks them."""
    vocabularies: ReadOnly[DetectorId, DetectorId] = field(default_factory=dict)
    """Whose words a detector speaks, where that is not its own id."""
    alternatives: ReadOnly[str, Sequence[str]] = field(default_factory=dict)
    asking: Asking = field(default_factory=Asking)
    vocabulary_versions: ReadOnly[DetectorId, str] = field(default_factory=dict)
    """Which edition of it, where that is not the detector's own version."""
    weights: ReadOnly[str, float] = field(default_factory=dict)
    """In WEIGHTED coverage, of those that the policy gives none."""
    joining: Joining | None = None
    reserved: frozenset[str] = frozenset()
    """Names of ours that no detector answers to by itself: candidates."""
    joined: frozenset[str] = frozenset()
    """Whose names are a tenant's and not ours: ``degraded`` marks them, so that metrics leave them out."""
    switches: Switches = field(default_factory=AllOn)
    unhedged: ModelServers | None = None
    """``model_servers`` without second askings."""
    load: Shedding = field(default_factory=Shedding)
    cache: ResponseCache | None = None
    redactor: Redactor = field(default_factory=Redactor)

    def under(self, policy: Policy) -> Self:
        """The same, judging under *policy*: what let a request in also decides it, whatever is loaded meanwhile."""
        return self if policy is self.policy else replace(self, policy=policy)

    def uncached(self) -> Self:
        """The same, judging anew what was judged before."""
        return replace(self, cache=None)

    def switched(self, tenant_id: TenantId, priority: Priority) -> Self:
        """The same, without what the feature flags switch off for *tenant_id*."""
        off = {name for name in FLAG_NAMES if not self.switches.on(name, tenant_id, "orchestrate", priority)}
        if not off:
            return self
        return replace(
            self,
            cache=None if "response-cache" in off else self.cache,
            model_servers=self.unhedged if "hedging" in off and self.unhedged else self.model_servers,
            load=Roomy() if "load-shedding" in off else self.load,
            mapper=self.mapper.by_rules() if "model-mapper" in off else self.mapper,
            asking=Asking(self.asking.health) if "detector-candidates" in off else self.asking,
        )

    async def of_tenant(self, tenant_id: TenantId) -> Self:
        """The same, with the detectors that *tenant_id* has beside the configured ones."""
        if self.joining is None:
            return self
        own = (await self.joining.of(tenant_id)).without(await self.taken())
        if not own.infos:
            return self
        return replace(
            self,
            joining=None,
            http_detectors=(*self.http_detectors, *own.infos),
            vocabularies={**self.vocabularies, **own.vocabularies},
            vocabulary_versions={**self.vocabulary_versions, **own.vocabulary_versions},
            weights={**self.weights, **own.weights},
            joined=frozenset(info.id for info in own.infos),
            model_servers=Beside(self.model_servers, own),
        )

    async def taken(self) -> frozenset[str]:
        """The names that the installation gives to detectors and families; nobody else's detector may have one."""
        configured = {info.id for info in (*await self.detect.known(), *self.http_detectors)}
        return self.reserved | {*configured, *self.model_server_names, *self.stand_ins, *get_args(Family)}

    async def directory(self) -> Directory:
        return Directory(
            await self.detect.known(), self.model_server_names, self.stand_ins, self.http_detectors, self.alternatives
        )
