"""Many findings in one request: each keeps its place, and an invalid one costs only itself."""

import asyncio
from collections.abc import Sequence

from llama_mapper.chassis import correlation, metrics
from llama_mapper.contracts.mapping import MapBatchItem, MapItem, Mapping, Refused, VendorFinding

from .service import Mapper


async def map_all(mapper: Mapper, findings: Sequence[VendorFinding]) -> tuple[Mapping, ...]:
    """Map *findings* at the same time, in their order, and count how each was answered."""
    mappings = tuple(await asyncio.gather(*(mapper.map_finding(finding) for finding in findings)))
    for mapping in mappings:
        metrics.MAPPINGS.labels(mapping.method).inc()
    return mappings


async def map_items(mapper: Mapper, items: Sequence[MapItem]) -> tuple[MapBatchItem, ...]:
    """Map the good items and keep every item's place."""
    mapped = iter(await map_all(mapper, [item for item in items if not isinstance(item, Refused)]))
    return tuple(
        MapBatchItem(index=index, status=400, problem=item.problem().document(correlation.current()))
        if isinstance(item, Refused)
        else MapBatchItem(index=index, status=200, mapping=next(mapped))
        for index, item in enumerate(items)
    )
