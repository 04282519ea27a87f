"""Many findings in one request: each keeps its place, and an invalid one costs only itself."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter

from llama_mapper.chassis import correlation, metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import MapBatchItem, MapItem, Mapping, Refused, VendorFinding
from llama_mapper.contracts.problems import InvalidRequest, ProblemDocument

from .adapters import identity
from .service import ANONYMOUS, Mapper
from .turns import waiting

AT_ONCE = 16
"""Findings of one request under way: enough to keep a model busy, few enough that another request gets a word in."""
BATCH_SECONDS = 180.0
"""How long a request of several findings waits for the model where its caller does not say; then rules alone."""


async def map_all(
    mapper: Mapper,
    findings: Sequence[VendorFinding],
    tenant_id: TenantId = ANONYMOUS,
    seconds: float | None = None,
) -> tuple[Mapping, ...]:
    """Map *findings*, some at the same time, in their order, and count how each was answered.

    Args:
        seconds: how long the caller waits for the model, for all findings together. Without it a single finding has
            the predictor's own budget and several have BATCH_SECONDS.

    Raises:
        InvalidRequest: one of them names an adapter that is not served here; then none is mapped.
    """
    for finding in findings:
        mapper.check(finding)
    if seconds is None and len(findings) > 1:
        seconds = BATCH_SECONDS
    with waiting(seconds):
        mappings = await _some_at_a_time(mapper, findings, tenant_id)
    for mapping in mappings:
        metrics.MAPPINGS.labels(mapping.method).inc()
    return tuple(mappings)


async def _some_at_a_time(mapper: Mapper, findings: Sequence[VendorFinding], tenant_id: TenantId) -> list[Mapping]:
    """Equal findings one after the other, so that the model is asked for the first and the others are in the cache."""
    turns = asyncio.Semaphore(AT_ONCE)
    alike: dict[str, list[int]] = {}
    for index, finding in enumerate(findings):
        alike.setdefault(identity(finding), []).append(index)

    async def map_alike(indexes: Sequence[int]) -> list[tuple[int, Mapping]]:
        async with turns:
            return [(index, await mapper.map_finding(findings[index], tenant_id)) for index in indexes]

    mapped = await asyncio.gather(*(map_alike(indexes) for indexes in alike.values()))
    return [mapping for _, mapping in sorted(chain.from_iterable(mapped), key=itemgetter(0))]


async def map_items(
    mapper: Mapper, items: Sequence[MapItem], tenant_id: TenantId = ANONYMOUS, seconds: float | None = None
) -> tuple[MapBatchItem, ...]:
    """Map the good items and keep every item's place; *seconds* as in ``map_all``."""
    problems = [_problem(mapper, item) for item in items]
    good = [item for item, problem in zip(items, problems, strict=True) if not (problem or isinstance(item, Refused))]
    mapped = iter(await map_all(mapper, good, tenant_id, seconds))
    return tuple(
        MapBatchItem(index=index, status=400, problem=problem)
        if problem
        else MapBatchItem(index=index, status=200, mapping=next(mapped))
        for index, problem in enumerate(problems)
    )


def _problem(mapper: Mapper, item: MapItem) -> ProblemDocument | None:
    """What is wrong with *item*, if anything."""
    if isinstance(item, Refused):
        return item.problem().document(correlation.current())
    try:
        mapper.check(item)
    except InvalidRequest as problem:
        return problem.document(correlation.current())
    return None
