"""Take a detector in: all about it is checked, and it has judged one harmless text, before anybody's is sent to it."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from urllib.parse import urlsplit

from llama_mapper.contracts.events import PLATFORM
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.problems import (
    Conflict,
    DetectorCommunicationFailed,
    InvalidRequest,
    NotFound,
    Problem,
    RequestTimeout,
    Unprocessable,
)
from llama_mapper.contracts.registration import RegisterDetectorRequest, RegisteredDetector

from .joined import Joined
from .outbound import Guard, NoAddress, NotAllowed, namespace
from .registered_detector import Workshop, refused
from .registrations import Kept, Registrations

TRIAL = "The library opens at nine in the morning and closes at six in the evening."
"""Says nothing about anybody; what a detector makes of it does not matter, only that it answers in its contract."""


class Registering:
    """*taken* are the names that the installation itself gives to detectors and families.

    *namespaces* are those whose Services a tenant may name; ``platform`` may name any.
    """

    def __init__(
        self,
        store: Registrations,
        joined: Joined,
        workshop: Workshop,
        guard: Guard,
        taken: Callable[[], Awaitable[Collection[str]]],
        namespaces: Collection[str] = (),
        most: int = 20,
    ) -> None:
        self._store, self._joined, self._workshop, self._guard = store, joined, workshop, guard
        self._taken, self._namespaces, self._most = taken, namespaces, most

    async def prepare(self, tenant_id: TenantId, asked: RegisterDetectorRequest, now: datetime) -> Kept:
        """Check a new detector, and try it.

        Raises:
            Conflict: the id is taken.
            Unprocessable: the field and the reason are named.
        """
        own = await self._store.of(tenant_id)
        if asked.id in own:
            raise Conflict("a detector of this id is registered; PUT a new version of it")
        await self._free(tenant_id, asked.id)
        if len(own) >= self._most:
            raise refused("id", f"detectors.too_many: a tenant has {self._most} at most")
        kept = Kept(definition=asked.definition, api_key=asked.api_key, registered_at=now, changed_at=now)
        await self._try(tenant_id, kept)
        return kept

    async def prepare_change(
        self, tenant_id: TenantId, detector: DetectorId, asked: RegisterDetectorRequest, now: datetime
    ) -> Kept:
        """Check what a detector shall become, and try it.

        Without a key in *asked* the one that is kept stays, for the same address only: no other host is shown a key.

        Raises:
            NotFound, Unprocessable
        """
        if asked.id != detector:
            raise InvalidRequest("check: id: it is the path's")
        before = await self._own(tenant_id, detector)
        key = asked.api_key or (before.api_key if asked.url == before.definition.url else None)
        kept = Kept(definition=asked.definition, api_key=key, registered_at=before.registered_at, changed_at=now)
        same = asked.version == before.definition.version
        if same and kept.meaning != before.meaning:
            raise Conflict("this version was registered with another meaning; register a new version")
        await self._try(tenant_id, kept)
        return kept

    async def keep(self, tenant_id: TenantId, kept: Kept, *, new: bool) -> RegisteredDetector:
        await self._store.put(tenant_id, kept, new=new)
        self._joined.forget(tenant_id)
        return kept.shown(tenant_id)

    async def own(self, tenant_id: TenantId, detector: DetectorId) -> RegisteredDetector:
        """Raises NotFound."""
        return (await self._own(tenant_id, detector)).shown(tenant_id)

    async def remove(self, tenant_id: TenantId, detector: DetectorId) -> None:
        await self._store.remove(tenant_id, detector)
        self._joined.forget(tenant_id)

    async def _own(self, tenant_id: TenantId, detector: DetectorId) -> Kept:
        kept = (await self._store.of(tenant_id)).get(detector)
        if kept is None:
            raise NotFound("this tenant has registered no such detector")
        return kept

    async def _free(self, tenant_id: TenantId, detector: DetectorId) -> None:
        shared = (await self._joined.of(tenant_id)).detectors
        if detector in shared or detector in await self._taken():
            raise Conflict("a detector or a family of this system has that name")

    async def _try(self, tenant_id: TenantId, kept: Kept) -> None:
        await self._reachable(tenant_id, kept.definition.url)
        await self._workshop.open()
        detector = self._workshop.make(kept, "registered", tenant_id)
        try:
            await detector.detect(TRIAL, kept.definition.timeout_seconds)
        except Problem as problem:
            raise refused("url", f"{_reason(problem)}: {problem.detail}"[:160]) from None

    async def _reachable(self, tenant_id: TenantId, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        inside = namespace(host)
        if inside is not None and tenant_id != PLATFORM and inside not in self._namespaces:
            raise refused("url", "address.not_allowed: Services of that namespace are not a tenant's to name")
        try:
            await self._guard.addresses(host, parts.port or (443 if parts.scheme == "https" else 80))
        except NotAllowed:
            raise refused("url", "address.not_allowed: it leads to an address that is not public") from None
        except NoAddress:
            raise refused("url", "address.unknown: the host has no address") from None
        except ValueError:
            raise refused("url", "address.unknown: no such port") from None


def _reason(problem: Problem) -> str:
    if isinstance(problem, RequestTimeout):
        return "trial.timeout"
    if isinstance(problem, DetectorCommunicationFailed):
        return "trial.contract"
    if isinstance(problem, Unprocessable):
        return "trial.refused"
    return "trial.unavailable"
