"""What waits for a person: labels that nobody knew for sure, and what people decided about them."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import InvalidRequest, NotFound
from llama_mapper.contracts.prompt import MAX_CANDIDATES
from llama_mapper.contracts.reviews import Candidate, Decision, Doubt, ReviewId, ReviewItem, Scope

from .resolution import Resolution

PLATFORM = TenantId("*")
"""Whose decisions hold for every tenant; no tenant can be called so."""


@dataclass(frozen=True, slots=True)
class Doubted:
    """Why a label waits, what it might be (best first), and the adapter that was not sure."""

    reason: Doubt
    candidates: tuple[Candidate, ...] = ()
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Labels come from callers, tenants often too: whoever invents new ones without end must not fill a store."""

    waiting: int = 10_000
    """Of one tenant."""
    decided: int = 10_000
    """Of one tenant, or for all tenants."""
    all: int = 50_000
    """Of all tenants together, waiting and decided apart."""


class Reviews(Protocol):
    """The review queue of each tenant, and the decisions that have become rules.

    The first two serve the mapper and never fail: a store that is down notes nothing and remembers no decision.
    The others serve people.

    Raises:
        Unavailable: the store does not answer.
    """

    async def add(self, finding: VendorFinding, tenant_id: TenantId, doubted: Doubted) -> None:
        """Count one more time that *finding* came, unless its label is decided."""

    async def decided(self, finding: VendorFinding, tenant_id: TenantId) -> Decision | None:
        """Return what people of the tenant said about *finding*'s label, else what was said for all tenants."""

    async def waiting(self, tenant_id: TenantId, limit: int) -> tuple[ReviewItem, ...]:
        """Return the tenant's labels that came most often."""

    async def decisions(self, tenant_id: TenantId, scope: Scope, limit: int) -> tuple[ReviewItem, ...]:
        """Return what was decided for the tenant, or for all, newest first."""

    async def one(self, tenant_id: TenantId, review_id: ReviewId) -> ReviewItem:
        """Return a label that waits or is decided.

        Raises:
            NotFound: it is neither for this tenant.
        """

    async def decide(self, tenant_id: TenantId, review_id: ReviewId, decision: Decision) -> ReviewItem:
        """Keep *decision* in place of an earlier one; the label no longer waits.

        Raises:
            NotFound: as ``one``.
            InvalidRequest: there are as many decisions as the bounds allow.
        """


def identity_of(finding: VendorFinding) -> ReviewId:
    """A key for (detector, version, label, description). The detector's kind is a hint to the model, not a meaning."""
    parts = (finding.detector, finding.detector_version, finding.label, finding.description or "")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_about(item: ReviewItem, finding: VendorFinding) -> bool:
    """Whether *item* is *finding*'s label, and not one that somebody made to share its short key."""
    named = (item.detector, item.detector_version, item.label, item.description)
    return named == (finding.detector, finding.detector_version, finding.label, finding.description)


def doubt(resolution: Resolution | None) -> Doubted:
    """Say why *resolution*, of which nothing was sure enough, is no answer."""
    if resolution is None:
        return Doubted("unknown")
    candidates = resolution.candidates or tuple(
        Candidate(label=said.label, confidence=said.confidence, relation=said.relation) for said in resolution.labels
    )
    reason: Doubt = "model_away" if resolution.method == "fallback" else "below_threshold"
    return Doubted(reason, candidates[:MAX_CANDIDATES], resolution.adapter)


def noted(finding: VendorFinding, doubted: Doubted, at: datetime) -> ReviewItem:
    """A label that came for the first time."""
    return ReviewItem(
        id=identity_of(finding),
        detector=finding.detector,
        detector_version=finding.detector_version,
        label=finding.label,
        description=finding.description,
        kind=finding.kind,
        count=1,
        reason=doubted.reason,
        candidates=doubted.candidates,
        adapter=doubted.adapter,
        first_seen=at,
        last_seen=at,
    )


def noted_again(item: ReviewItem, finding: VendorFinding, doubted: Doubted) -> ReviewItem:
    """*item* with what is known now. What the model said stays where this time it was away."""
    known = {} if item.kind or not finding.kind else {"kind": finding.kind}
    if item.candidates and (
        not doubted.candidates or (doubted.reason, item.reason) == ("model_away", "below_threshold")
    ):
        return item.model_copy(update=known)
    said = {"reason": doubted.reason, "candidates": doubted.candidates, "adapter": doubted.adapter}
    return item.model_copy(update=known | said)


def owner_of(own: TenantId, scope: Scope) -> TenantId:
    """Under whose name a decision of the tenant *own* is kept."""
    return PLATFORM if scope == "platform" else own


def no_such_review() -> NotFound:
    return NotFound("no label of this tenant waits or is decided under that id")


def no_room() -> InvalidRequest:
    return InvalidRequest("there are as many decisions as may be kept; export them and make vocabularies of them")


def now() -> datetime:
    return datetime.now(UTC)
