"""The resource that says what was judged and what was not."""

import asyncio
from functools import cache

from fastapi import FastAPI

from llama_mapper.contracts.compliance import GapsRequest, GapsResponse
from llama_mapper.taxonomy import Taxonomy, load

from ..frameworks import Frameworks
from .detectors import Speakers, read


@cache
def _data() -> tuple[Taxonomy, Speakers]:
    """Read at the first question: no other resource needs them, and a cold start would wait for them."""
    return load(), read()


def add_compliance(app: FastAPI, frameworks: Frameworks) -> None:
    @app.post("/api/v1/compliance/gaps", tags=["analyze"])
    async def compliance_gaps(request: GapsRequest) -> GapsResponse:
        """Which controls have evidence, which have none, which labels nobody judged, and which detectors could."""
        return await asyncio.to_thread(_answer, request, frameworks)


def _answer(request: GapsRequest, frameworks: Frameworks) -> GapsResponse:
    # Imported here for the same reason.
    from .gaps import gaps

    taxonomy, speakers = _data()
    return gaps(request, frameworks, taxonomy, speakers)
