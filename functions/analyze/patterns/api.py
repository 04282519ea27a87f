"""The resource that looks for patterns."""

import asyncio
from typing import Annotated

from fastapi import FastAPI, Header

from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.identifiers import AnyTenantId
from llama_mapper.contracts.patterns import PatternsRequest, PatternsResponse

from .counted import Counted

log = get_logger(__name__)


def add_patterns(app: FastAPI, counted: Counted) -> None:
    """Add it; one search at a time, since each takes a core and the memory of its tables."""
    turn = asyncio.Lock()

    @app.post("/api/v1/patterns", tags=["analyze"])
    async def find_patterns(
        request: PatternsRequest, tenant: Annotated[AnyTenantId, Header(alias="X-Tenant-ID")]
    ) -> PatternsResponse:
        """What the tenant's rows of a period show against the four weeks before it."""
        evidence = await counted.evidence(request, tenant)
        async with turn:
            # Imported here: numpy, scipy and statsmodels take longer than everything else this function does.
            from .search import search

            answer = await asyncio.to_thread(search, request, evidence)
        log.info("patterns.found", extra={"count": len(answer.patterns), "findings": answer.series_tested})
        return answer
