"""The demo's labels that no rule knows: what the model says to them."""

import asyncio
import time
from collections.abc import Callable, Sequence

from pydantic import ValidationError
from rich import box
from rich.table import Table

from llama_mapper.contracts.mapping import Mapping, MapRequest

from .services import ServiceRefused, Services

# A vendor that nobody has curated, in the styles that real ones write.
UNSEEN = tuple(
    MapRequest(detector="acme-guard", label=label, description=description)
    for label, description in (
        ("cust_ssn_leak_v3", None),
        ("S7", "Privacy"),
        ("moderated_content/hate", None),
        ("emailAddr", None),
        ("Gewaltverherrlichung", None),
        ("zorblax_q9", None),
    )
)
PAUSE_SECONDS = 1.0


async def map_unseen(
    mapper: str, services: Services, patience_seconds: float, waiting: Callable[[], None]
) -> list[Mapping]:
    """Ask the mapper about each label, first waiting at most *patience_seconds* until the model has loaded.

    Without a model the labels are still answered, by what is there; *waiting* is called where there is a wait.

    Raises:
        ServiceRefused: the mapper does not answer, or not in a shape we know.
    """
    deadline = time.monotonic() + patience_seconds
    probe = MapRequest(detector="acme-guard", label="personal_email_address", threshold=0.0)
    while (await _map(mapper, services, probe)).method == "fallback" and time.monotonic() < deadline:
        waiting()
        await asyncio.sleep(PAUSE_SECONDS)
    return [await _map(mapper, services, request) for request in UNSEEN]


async def _map(mapper: str, services: Services, request: MapRequest) -> Mapping:
    body = request.model_dump(mode="json", exclude_none=True)
    answer = await services.ask("POST", f"{mapper}/api/v1/map", json=body)
    try:
        return Mapping.model_validate_json(answer.content)
    except ValidationError as error:
        raise ServiceRefused("the mapper answered in a shape we do not know") from error


def table(mappings: Sequence[Mapping]) -> Table:
    """One row a label; ``method`` says who knew it."""
    result = Table(title="Labels of a vendor never seen", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in ("vendor's label", "canonical label", "relation", "confidence", "method"):
        result.add_column(name, overflow="fold")
    for request, mapping in zip(UNSEEN, mappings, strict=True):
        said = f"{request.label}  ({request.description})" if request.description else request.label
        best = mapping.labels[0]
        confidence = "for review" if mapping.review else f"{best.confidence:.2f}"
        result.add_row(said, best.label, "" if mapping.review else best.relation, confidence, mapping.method)
    return result
