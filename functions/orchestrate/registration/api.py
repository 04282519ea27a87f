"""Detectors over HTTP: /api/v1/detectors lists, describes, registers, changes and removes them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Response

from llama_mapper.contracts.audit import Act
from llama_mapper.contracts.detection import DetectorHealth, HealthStatus
from llama_mapper.contracts.identifiers import AnyDetectorId, DetectorId, TenantId
from llama_mapper.contracts.problems import NotFound
from llama_mapper.contracts.registration import (
    DescribedDetector,
    OfferedDetector,
    OfferedDetectors,
    RegisterDetectorRequest,
    RegisteredDetector,
)
from llama_mapper.identity.audit_logs import AuditLog
from llama_mapper.identity.keys import utc_now

from ..entrance.gate import Admitted, Gate
from ..service import Orchestrator
from ..wiring import detector_health, detectors_of
from .joined import Joined, TenantDetectors
from .joining import Joining
from .registering import Registering

IdInPath = Annotated[AnyDetectorId, Path()]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a tenant can ask for: of the installation, and what joined."""

    orchestrator: Orchestrator
    joined: Joined

    async def own(self, tenant_id: TenantId) -> TenantDetectors:
        return (await self.joined.of(tenant_id)).without(await self.orchestrator.taken())

    async def of(self, tenant_id: TenantId) -> tuple[OfferedDetector, ...]:
        own = (await self.own(tenant_id)).detectors.values()
        return (
            *(OfferedDetector(**one.model_dump()) for one in await detectors_of(self.orchestrator)),
            *(OfferedDetector(**one.info.model_dump(), origin=one.origin) for one in own),
        )

    async def one(self, tenant_id: TenantId, detector: DetectorId) -> OfferedDetector:
        """Raises NotFound."""
        for offered in await self.of(tenant_id):
            if offered.id == detector:
                return offered
        raise NotFound("no such detector; GET /api/v1/detectors lists them")

    async def health(self, tenant_id: TenantId, detector: DetectorId) -> DetectorHealth:
        """Raises NotFound."""
        own = (await self.own(tenant_id)).detectors.get(detector)
        if own is None:
            return await detector_health(self.orchestrator, detector)
        status: HealthStatus = "healthy" if await own.healthy() else "unhealthy"
        return DetectorHealth(id=own.info.id, version=own.info.version, status=status)


def add_detectors(
    app: FastAPI, gate: Gate, orchestrator: Orchestrator, joining: Joining, audit: AuditLog | None
) -> None:
    """Add the resources; a registration is kept sealed and noted, or there is none."""
    offer, reads, registering = Offer(orchestrator, joining.joined), gate.needs("detectors:read"), joining.registering

    @app.get("/api/v1/detectors", tags=["detectors"])
    async def detectors(admitted: Annotated[Admitted, Depends(reads)]) -> OfferedDetectors:
        """All that the tenant can ask for."""
        return OfferedDetectors(detectors=await offer.of(admitted.tenant_id))

    @app.get("/api/v1/detectors/{detector}", tags=["detectors"])
    async def describe(detector: IdInPath, admitted: Annotated[Admitted, Depends(reads)]) -> DescribedDetector:
        """One detector; with its registration, less the key, where it is the tenant's own."""
        offered = await offer.one(admitted.tenant_id, detector)
        own = None
        if offered.origin == "registered" and registering is not None:
            try:
                own = await registering.own(admitted.tenant_id, detector)
            except NotFound:  # the platform's: how it is reached is not a tenant's to know
                own = None
        return DescribedDetector(**offered.model_dump(), registration=own)

    @app.get("/api/v1/detectors/{detector}/health", tags=["detectors"])
    async def health_of(detector: IdInPath, admitted: Annotated[Admitted, Depends(reads)]) -> DetectorHealth:
        """Whether it can judge now."""
        return await offer.health(admitted.tenant_id, detector)

    if registering is not None and audit is not None:
        _add_changes(app, gate, registering, audit)


def _add_changes(app: FastAPI, gate: Gate, registering: Registering, audit: AuditLog) -> None:
    writes = gate.needs("detectors:write")

    async def note(admitted: Admitted, act: Act, target: str) -> None:
        await audit.append(admitted.entry(act, target))

    @app.post("/api/v1/detectors", tags=["detectors"], status_code=201)
    async def register(
        asked: RegisterDetectorRequest, admitted: Annotated[Admitted, Depends(writes)], response: Response
    ) -> RegisteredDetector:
        """Register a detector for the tenant, or (for `platform`) for all. It is tried before it is taken."""
        kept = await registering.prepare(admitted.tenant_id, asked, utc_now())
        await note(admitted, "detector.registered", f"{asked.id}:{asked.version}")
        response.headers["Location"] = f"/api/v1/detectors/{asked.id}"
        return await registering.keep(admitted.tenant_id, kept, new=True)

    @app.put("/api/v1/detectors/{detector}", tags=["detectors"])
    async def change(
        detector: IdInPath, asked: RegisterDetectorRequest, admitted: Annotated[Admitted, Depends(writes)]
    ) -> RegisteredDetector:
        """Give a detector a new version; under the same one only its key, times, weight and health path may change."""
        kept = await registering.prepare_change(admitted.tenant_id, detector, asked, utc_now())
        await note(admitted, "detector.changed", f"{asked.id}:{asked.version}")
        return await registering.keep(admitted.tenant_id, kept, new=False)

    @app.delete("/api/v1/detectors/{detector}", tags=["detectors"])
    async def remove(detector: IdInPath, admitted: Annotated[Admitted, Depends(writes)]) -> RegisteredDetector:
        """Remove a detector of the tenant; what its versions meant stays taken."""
        gone = await registering.own(admitted.tenant_id, detector)
        await note(admitted, "detector.removed", f"{gone.id}:{gone.version}")
        await registering.remove(admitted.tenant_id, detector)
        return gone
