"""The mapping itself: curated rule, else reviewed rule, cache, model, else OTHER.Unknown and the review queue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import (
    MappedLabel,
    Mapping,
    MapRequest,
    Provenance,
    Usage,
    VendorFinding,
    Versions,
)
from llama_mapper.contracts.problems import FieldError, InvalidRequest, RequestTimeout, Unavailable
from llama_mapper.taxonomy.tree import UNKNOWN

from .resolution import Resolution
from .reviews import Reviews, doubt
from .rules import Rules

DEFAULT_THRESHOLD = 0.6

ANONYMOUS = TenantId("anonymous")
"""Whoever asks without saying for whom."""

OnFallback = Callable[[str], None]


class Cache(Protocol):
    """Answers of the model, by label identity and adapter; a store that is down finds nothing and keeps nothing."""

    async def get(self, finding: VendorFinding, adapter: str) -> Resolution | None: ...

    async def put(self, finding: VendorFinding, adapter: str, resolution: Resolution) -> None: ...


class Model(Protocol):
    """Maps labels that no rule knows, by one of its adapter versions."""

    def start(self) -> None:
        """Begin what takes time; called inside the running loop, as often as one likes."""

    def assign(self, finding: VendorFinding, tenant_id: TenantId, asked: str | None = None) -> str:
        """Return the adapter version that answers; the same finding and tenant give the same one.

        Raises:
            InvalidRequest: the version *asked* for is not here.
        """

    async def resolve(self, finding: VendorFinding, adapter: str) -> Resolution:
        """Ask *adapter*.

        Raises:
            Unavailable, RequestTimeout: no answer within the mapper's budget.
        """

    async def guess(self, finding: VendorFinding, adapter: str) -> Resolution:
        """Return what *adapter*'s ranker says without its model, perhaps no labels; it never fails."""


class Accounts(Protocol):
    """Who may still ask the model, and what its answers cost; a store that is down stops nobody."""

    async def may_ask(self, tenant_id: TenantId) -> bool: ...

    def charge(self, tenant_id: TenantId, adapter: str, usage: Usage) -> None:
        """Note what an answer took; nobody waits for it to be booked."""


@dataclass(frozen=True, slots=True)
class Mapper:
    """Everything ``map_finding`` needs; *model* is None where none is configured."""

    rules: Rules
    cache: Cache
    reviews: Reviews
    versions: Versions
    model: Model | None = None
    accounts: Accounts | None = None
    threshold: float = DEFAULT_THRESHOLD
    on_fallback: OnFallback = lambda name: None

    async def map_finding(self, finding: VendorFinding, tenant_id: TenantId = ANONYMOUS) -> Mapping:
        """Map one finding; always at least one label, never an error about the label itself.

        Raises:
            InvalidRequest: see ``check``.
        """
        self.check(finding)
        threshold = self.threshold
        if isinstance(finding, MapRequest) and finding.threshold is not None:
            threshold = finding.threshold
        resolution = self.rules.resolve(finding)
        if not _sure(resolution, threshold):  # a person's word is more than a rule that is not sure enough
            reviewed = await self._reviewed(finding, tenant_id)
            resolution = reviewed or resolution or await self._learned(finding, tenant_id)
        if resolution and (sure := _sure(resolution, threshold)):
            return self._answer(finding, resolution.model_copy(update={"labels": sure}), review=False)
        await self.reviews.add(finding, tenant_id, doubt(resolution))
        return self._answer(finding, _unknown(resolution), review=True)

    def check(self, finding: VendorFinding) -> None:
        """Look at what *finding* asks for, whether or not a rule will answer it.

        Raises:
            InvalidRequest: it names an adapter that is not served here.
        """
        asked = _asked(finding)
        if asked is not None:
            if self.model is None:
                raise not_served(())
            self.model.assign(finding, ANONYMOUS, asked)

    async def _reviewed(self, finding: VendorFinding, tenant_id: TenantId) -> Resolution | None:
        """What people said of this label; None where they did not, or said what the taxonomy no longer has."""
        decision = await self.reviews.decided(finding, tenant_id)
        if decision is None:
            return None
        resolution = self.rules.reviewed(finding, decision)
        if resolution is None:
            self.on_fallback("mapper.reviewed.outdated")
        return resolution

    async def _learned(self, finding: VendorFinding, tenant_id: TenantId) -> Resolution | None:
        """What the model says, or said before; no labels where the tenant has spent what it may."""
        if self.model is None or (isinstance(finding, MapRequest) and finding.rules_only):
            return None
        adapter = self.model.assign(finding, tenant_id, _asked(finding))
        if self.accounts and not await self.accounts.may_ask(tenant_id):
            self.on_fallback("mapper.model.over_budget")
            return Resolution(labels=(), method="fallback")
        return await self.cache.get(finding, adapter) or await self._ask(self.model, finding, adapter, tenant_id)

    async def _ask(self, model: Model, finding: VendorFinding, adapter: str, tenant_id: TenantId) -> Resolution:
        try:
            resolution = await model.resolve(finding, adapter)
        except (Unavailable, RequestTimeout) as problem:
            self.on_fallback(f"mapper.model.{problem.error_code.lower()}")
            return await model.guess(finding, adapter)
        if self.accounts and resolution.usage:
            self.accounts.charge(tenant_id, adapter, resolution.usage)
        kept = resolution.model_copy(update={"method": "cache", "usage": None})
        await self.cache.put(finding, adapter, kept)
        return resolution

    def _answer(self, finding: VendorFinding, resolution: Resolution, *, review: bool) -> Mapping:
        return Mapping(
            labels=resolution.labels,
            method=resolution.method,
            negative=resolution.negative,
            review=review,
            usage=resolution.usage,
            provenance=Provenance(
                vendor=finding.detector,
                detector=finding.detector,
                detector_version=finding.detector_version,
                vendor_label=finding.label,
                vendor_severity=finding.severity,
                raw_ref=finding.raw_ref,
                vocabulary=resolution.vocabulary,
                model=resolution.model,
                adapter=resolution.adapter,
                prompt=resolution.prompt,
            ),
            versions=self.versions,
        )


def not_served(versions: Sequence[str]) -> InvalidRequest:
    """The problem of a request that names an adapter which is not here; *versions* are."""
    there = f"served here: {', '.join(versions)}" if versions else "rules answer alone here"
    error = FieldError(field="adapter", message="no such adapter version")
    return InvalidRequest(f"check: adapter; {there}"[:240], errors=(error,))


def _sure(resolution: Resolution | None, threshold: float) -> tuple[MappedLabel, ...]:
    """The labels that are sure enough. OTHER.Unknown claims nothing, so nobody can be more or less sure of it."""
    labels = resolution.labels if resolution else ()
    return tuple(label for label in labels if label.confidence >= threshold or label.label == UNKNOWN)


def _asked(finding: VendorFinding) -> str | None:
    return finding.adapter if isinstance(finding, MapRequest) else None


def _unknown(unsure: Resolution | None) -> Resolution:
    """Confidence 0: nothing is claimed about the finding but that its label is not known.

    The model that was *unsure* stays in the provenance, with what asking took; an adapter without a model gave no
    answer. So the versions of an experiment can be told apart by how often they abstain and fail.
    """
    label = MappedLabel(label=UNKNOWN, relation="broader", confidence=0.0, severity=1)
    unknown = Resolution(labels=(label,), method="fallback")
    if unsure is None or unsure.adapter is None:
        return unknown
    told = ("model", "adapter", "prompt", "usage")
    return unknown.model_copy(update={name: getattr(unsure, name) for name in told})
