"""The review queue over HTTP: what waits, what was decided, and deciding."""

from typing import Annotated

from fastapi import FastAPI, Header

from llama_mapper.chassis.app import PROBLEM
from llama_mapper.contracts.identifiers import AnyTenantId
from llama_mapper.contracts.problems import InsufficientRbac
from llama_mapper.contracts.reviews import Decision, ReviewId, ReviewItem, ReviewRequest, ReviewState, Scope

from .reviews import now
from .service import ANONYMOUS, Mapper

MOST_LISTED = 1_000
MOST_DECIDED = 10_000
"""Of the decided ones all are listed at once: they are what an export takes."""

Tenant = Annotated[AnyTenantId, Header(alias="X-Tenant-ID")]


def add_reviews(app: FastAPI, mapper: Mapper, platform_tenants: frozenset[str]) -> None:
    """Let each tenant see its own queue and decide; *platform_tenants* may also decide for all."""

    @app.get("/api/v1/reviews", tags=["review"])
    async def listed(
        limit: int = 100, state: ReviewState = "waiting", scope: Scope = "tenant", tenant: Tenant = ANONYMOUS
    ) -> tuple[ReviewItem, ...]:
        """Labels that nobody knew for sure, most frequent first; or what was decided about some, newest first."""
        if state == "waiting":
            return await mapper.reviews.waiting(tenant, max(1, min(limit, MOST_LISTED)))
        wanted = "accept" if state == "accepted" else "reject"
        decided = await mapper.reviews.decisions(tenant, scope, MOST_DECIDED)
        return tuple(item for item in decided if item.decision and item.decision.decision == wanted)[: max(1, limit)]

    @app.get("/api/v1/reviews/{review_id}", tags=["review"])
    async def one(review_id: ReviewId, tenant: Tenant = ANONYMOUS) -> ReviewItem:
        """One label that waits or is decided."""
        return await mapper.reviews.one(tenant, review_id)

    @app.post("/api/v1/reviews/{review_id}", tags=["review"], responses={403: PROBLEM})
    async def decide(review_id: ReviewId, request: ReviewRequest, tenant: Tenant = ANONYMOUS) -> ReviewItem:
        """Say what a label means, or that nothing fits; it is a rule at once. What is said again replaces it."""
        if request.scope == "platform" and tenant not in platform_tenants:
            raise InsufficientRbac("this tenant decides for itself only (MAPPER_PLATFORM_TENANTS)")
        mapper.rules.check(request.labels)
        return await mapper.reviews.decide(tenant, review_id, Decision(**request.model_dump(), at=now()))
