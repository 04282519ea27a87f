"""Policies that change while requests are judged: a new version is proven aside and then takes the old one's place.

Where it does not compile, fails its tests or breaks a rule of ``bundle_lint``, the old one stays, and says so.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llama_mapper.chassis.logs import get_logger
from llama_mapper.chassis.metrics import POLICY_RELOADS
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.policies import PoliciesInForce, PolicyFault, PolicyReload, ReloadOutcome
from llama_mapper.contracts.problems import Problem
from llama_mapper.identity.keys import utc_now

from ..ports import Policy
from .bundle_archives import read_path
from .bundle_lint import faults
from .bundles import BrokenBundle, Bundle
from .rego import POLICIES, RegoPolicy

if TYPE_CHECKING:
    from .bundle_store import BundleStore

log = get_logger(__name__)
MAX_FAULTS = 100


class Source(Protocol):
    """Where policies come from; both methods raise a Problem where it cannot be reached or holds none."""

    @property
    def reference(self) -> str | None:
        """Its name in the bundle store, where it is there."""

    def mark(self) -> str:
        """What changes whenever the policies or their tests do."""

    def read(self) -> Bundle: ...


class PathSource:
    """A folder, whose files may be swapped at any moment, or a bundle file."""

    reference: str | None = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> str:
        bundle = self.read()
        digest = hashlib.sha256(bundle.digest.encode())
        for path, source in bundle.modules.items():
            digest.update(f"{path}\0{len(source)}\0{source}".encode())
        return digest.hexdigest()

    def read(self) -> Bundle:
        return read_path(self._path)


class StoredSource:
    """What *reference* names in the bundle store, now."""

    def __init__(self, store: "BundleStore", reference: str) -> None:
        self._store = store
        self.reference = reference

    def mark(self) -> str:
        return self._store.digest(self.reference) or ""

    def read(self) -> Bundle:
        return self._store.read(self.reference)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the source found; ``bundle`` only where it is sound."""

    outcome: ReloadOutcome
    mark: str | None = None
    bundle: Bundle | None = None
    version: str | None = None
    faults: tuple[PolicyFault, ...] = ()


def _look(source: Source, before: str, last: PolicyReload | None) -> _Look | None:
    """Look once; None where *source* is as it was, by its mark *before* and the outcome *last*."""
    mark: str | None = None
    try:
        mark = source.mark()
        if mark == before:
            return None
        bundle = source.read()
        wrong = faults(bundle, POLICIES)
        if source.mark() != mark:
            return None  # it changes under our hands: next time it is whole
    except BrokenBundle as broken:
        # What cannot even be read has no mark; it is said once all the same.
        again = last is not None and (last.outcome, last.faults) == ("refused", broken.faults)
        return None if mark is None and again else _Look("refused", mark, faults=broken.faults)
    except Problem:  # the store is away: nothing is known to have changed
        return _Look("unreachable")
    if wrong:
        return _Look("refused", mark, version=bundle.version, faults=wrong[:MAX_FAULTS])
    return _Look("loaded", mark, bundle, bundle.version)


class LivePolicy:
    """The policies of *source*, looked at again every *seconds*; 0 never does.

    A request takes the version in force by ``pinned`` and keeps it. *make* turns proven policies into ones that answer.

    Raises:
        Problem: there are no policies to start with. Their tests are not run at the start: they were before they came
            here, and a start must be short.
    """

    def __init__(
        self,
        source: Source,
        make: Callable[[Bundle], RegoPolicy],
        seconds: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._source = source
        self._make = make
        self._seconds = seconds
        self._now = now
        self._mark = source.mark()
        self._current = make(source.read())
        self._loaded_at = now()
        self._last: PolicyReload | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def current(self) -> RegoPolicy:
        return self._current

    def in_force(self) -> PoliciesInForce:
        bundle = self._current.bundle
        return PoliciesInForce(
            version=bundle.version,
            digest=bundle.digest,
            revision=bundle.revision,
            bundle_sha256=bundle.sha256,
            bundle=self._source.reference,
            engine=self._current.engine,
            policies=POLICIES,
            loaded_at=self._loaded_at,
            last_reload=self._last,
        )

    async def check(self) -> ReloadOutcome | None:
        """Look once whether the policies have changed, and take them if they are sound; None where nothing changed."""
        # Reading and proving hold nobody up. The engine that answers is made here: an engine must end in the thread it
        # was made in. So no engine of the proving leaves its thread, not even in an exception, and none goes there.
        found = await asyncio.to_thread(_look, self._source, self._mark, self._last)
        if found is None:
            return None
        if found.mark is not None:
            self._mark = found.mark
        if found.bundle is not None:
            try:
                self._current, self._loaded_at = self._make(found.bundle), self._now()
            except BrokenBundle as broken:  # a plug-in does not fit the new version
                wrong = broken.faults[:MAX_FAULTS]
                return self._note(_Look("refused", version=found.version, faults=wrong))
        return self._note(found)

    def _note(self, found: _Look) -> ReloadOutcome:
        for one in found.faults[:5]:
            where = {"path": f"{one.file}:{one.line}", "reason": one.code, "version": found.version or "unknown"}
            log.error("policy.refused", extra=where)
        POLICY_RELOADS.labels(outcome=found.outcome).inc()
        self._last = PolicyReload(outcome=found.outcome, at=self._now(), version=found.version, faults=found.faults)
        said = {"status": found.outcome, "policy_version": self._current.version}
        (log.info if found.outcome == "loaded" else log.error)("policy.reload", extra=said)
        return found.outcome

    def start(self) -> None:
        """Watch from now on, in the running loop."""
        if self._seconds > 0 and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch(), name="policy-watch")

    async def aclose(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.check()

    async def pinned(self, tenant_id: TenantId) -> Policy:
        self.start()
        return await self._current.pinned(tenant_id)

    async def ready(self) -> bool:
        self.start()
        return await self._current.ready()
