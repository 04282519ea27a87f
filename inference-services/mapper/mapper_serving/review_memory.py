"""Reviews in this process's memory, for a single machine."""

from collections.abc import Callable, Collection
from datetime import datetime

from llama_mapper.chassis import metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.reviews import Decision, ReviewId, ReviewItem, Scope

from .accounts import account
from .reviews import (
    PLATFORM,
    Bounds,
    Doubted,
    identity_of,
    is_about,
    no_room,
    no_such_review,
    noted,
    noted_again,
    now,
    owner_of,
)

Place = tuple[TenantId, ReviewId]


class MemoryReviews:
    """Reviews of one process; gone with it."""

    def __init__(
        self,
        tenants: frozenset[str] = frozenset(),
        *,
        bounds: Bounds | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._tenants = tenants
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._waiting: dict[Place, ReviewItem] = {}
        self._decided: dict[Place, ReviewItem] = {}

    async def add(self, finding: VendorFinding, tenant_id: TenantId, doubted: Doubted) -> None:
        owner, key, at = account(tenant_id, self._tenants), identity_of(finding), self._clock()
        if self._decision(owner, key):
            return
        kept = self._waiting.get((owner, key))
        if kept:
            again = noted_again(kept, finding, doubted)
            self._waiting[owner, key] = again.model_copy(update={"count": kept.count + 1, "last_seen": at})
        elif len(self._waiting) < self._bounds.all and _owned(self._waiting, owner) < self._bounds.waiting:
            self._waiting[owner, key] = noted(finding, doubted, at)
        else:
            metrics.FALLBACKS.labels("mapper.reviews.full").inc()

    async def decided(self, finding: VendorFinding, tenant_id: TenantId) -> Decision | None:
        item = self._decision(account(tenant_id, self._tenants), identity_of(finding))
        return item.decision if item and is_about(item, finding) else None

    async def waiting(self, tenant_id: TenantId, limit: int) -> tuple[ReviewItem, ...]:
        owner = account(tenant_id, self._tenants)
        own = (item for (of, key), item in self._waiting.items() if of == owner and not self._decision(owner, key))
        return tuple(sorted(own, key=lambda item: -item.count)[:limit])

    async def decisions(self, tenant_id: TenantId, scope: Scope, limit: int) -> tuple[ReviewItem, ...]:
        owner = owner_of(account(tenant_id, self._tenants), scope)
        own = [item for (of, _), item in self._decided.items() if of == owner]  # in the order of their decisions
        return tuple(reversed(own))[:limit]

    async def one(self, tenant_id: TenantId, review_id: ReviewId) -> ReviewItem:
        owner = account(tenant_id, self._tenants)
        item = self._decision(owner, review_id) or self._waiting.get((owner, review_id))
        if item is None:
            raise no_such_review()
        return item

    async def decide(self, tenant_id: TenantId, review_id: ReviewId, decision: Decision) -> ReviewItem:
        item = await self.one(tenant_id, review_id)
        own = account(tenant_id, self._tenants)
        owner = owner_of(own, decision.scope)
        full = len(self._decided) >= self._bounds.all or _owned(self._decided, owner) >= self._bounds.decided
        if full and (owner, review_id) not in self._decided:
            raise no_room()
        for place in ((own, review_id), (owner, review_id)):
            self._waiting.pop(place, None)
            self._decided.pop(place, None)
        self._decided[owner, review_id] = item.model_copy(update={"decision": decision})
        return self._decided[owner, review_id]

    def _decision(self, owner: TenantId, key: ReviewId) -> ReviewItem | None:
        return self._decided.get((owner, key)) or self._decided.get((PLATFORM, key))


def _owned(places: Collection[Place], owner: TenantId) -> int:
    return sum(of == owner for of, _ in places)
