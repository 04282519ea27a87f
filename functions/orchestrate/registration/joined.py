"""The detectors that joined while the system runs, as one tenant sees them; every pod learns of a change in seconds.

A tenant has its own, those that the tenant ``platform`` registered for all, and those discovered in the cluster, in
this order; what is part of the installation stands before them all and is never shadowed.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from llama_mapper.chassis import metrics
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.events import PLATFORM
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.problems import Problem, Unavailable

from .registered_detector import RegisteredDetector, Workshop
from .registrations import Kept, Of, Registrations

log = get_logger(__name__)

LOOK_SECONDS = 2.0
"""How long a pod may not know of a change; also how long a store that is away is left alone."""
MAX_TENANTS = 4096


@dataclass(frozen=True, slots=True)
class TenantDetectors:
    """What one tenant may use beyond what is configured."""

    detectors: Mapping[DetectorId, RegisteredDetector] = field(default_factory=dict)

    @property
    def infos(self) -> tuple[DetectorInfo, ...]:
        return tuple(each.info for each in self.detectors.values())

    @property
    def vocabularies(self) -> dict[DetectorId, DetectorId]:
        return {name: each.vocabulary for name, each in self.detectors.items()}

    @property
    def vocabulary_versions(self) -> dict[DetectorId, str]:
        return {name: each.kept.definition.vocabulary_version for name, each in self.detectors.items()}

    @property
    def weights(self) -> dict[str, float]:
        return {name: each.kept.definition.weight for name, each in self.detectors.items()}

    def without(self, names: Iterable[str]) -> "TenantDetectors":
        taken = set(names)
        return TenantDetectors({name: each for name, each in self.detectors.items() if name not in taken})

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        return await self.detectors[detector].detect(content, seconds)


@dataclass(slots=True)
class _Seen:
    """What was read of a tenant's registrations; *kept* is compared, so that what did not change keeps its breaker."""

    generation: int = -1
    made: dict[DetectorId, RegisteredDetector] = field(default_factory=dict)


class Joined:
    """*store* is None where nothing can be registered; *discovered* gives what the cluster holds now."""

    def __init__(
        self,
        store: Registrations | None,
        workshop: Workshop,
        discovered: Callable[[], Mapping[DetectorId, RegisteredDetector]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._workshop, self._discovered, self._clock = store, workshop, discovered, clock
        self._seen: OrderedDict[TenantId, _Seen] = OrderedDict()
        self._look_at: dict[TenantId, float] = {}

    async def of(self, tenant_id: TenantId) -> TenantDetectors:
        """What *tenant_id* may use; while the store is away, what was known last."""
        if self._store is not None and self._clock() >= self._look_at.get(tenant_id, 0.0):
            self._look_at[tenant_id] = self._clock() + LOOK_SECONDS
            try:
                await self._look(self._store, tenant_id)
            except Unavailable:
                metrics.FALLBACKS.labels("detectors.last_known").inc()
        own, shared = self._made(tenant_id), self._made(PLATFORM)
        return TenantDetectors({**self._discovered(), **shared, **own})

    def forget(self, tenant_id: TenantId) -> None:
        """Look again at the next question: here something was changed."""
        self._look_at.pop(tenant_id, None)

    def _made(self, tenant_id: TenantId) -> dict[DetectorId, RegisteredDetector]:
        seen = self._seen.get(tenant_id)
        return seen.made if seen else {}

    async def _look(self, store: Registrations, tenant_id: TenantId) -> None:
        tenants = (tenant_id, PLATFORM) if tenant_id != PLATFORM else (PLATFORM,)
        for tenant, generation in zip(tenants, await store.generations(tenants), strict=True):
            seen = self._seen.setdefault(tenant, _Seen())
            self._seen.move_to_end(tenant)
            if seen.generation != generation:
                kept = await store.of(tenant)
                if kept:
                    await self._workshop.open()
                seen.made = self._remade(tenant, kept, seen.made)
                seen.generation = generation
        while len(self._seen) > MAX_TENANTS:
            gone, _ = self._seen.popitem(last=False)
            self._look_at.pop(gone, None)

    def _remade(
        self, owner: TenantId, kept: Of, before: Mapping[DetectorId, RegisteredDetector]
    ) -> dict[DetectorId, RegisteredDetector]:
        made = {}
        for name, one in kept.items():
            known = before.get(name)
            if detector := known if known and known.kept == one else self._try(owner, one):
                made[name] = detector
        return made

    def _try(self, owner: TenantId, kept: Kept) -> RegisteredDetector | None:
        """None where it no longer fits this release: an adapter or a vocabulary is gone."""
        try:
            return self._workshop.make(kept, "registered", owner)
        except Problem:
            metrics.FALLBACKS.labels("detectors.unfit").inc()
            log.warning("detector.unfit")
            return None
