"""All checks of one set of manifests."""

from collections.abc import Iterator

from . import accounts, addresses, code, edges, eventing, kserve, mesh, references, selectors, senders, serving
from .objects import Bundle, Fault
from .schemas import Schemas

RULES = (
    serving.faults,
    eventing.faults,
    kserve.faults,
    references.faults,
    selectors.faults,
    addresses.faults,
    code.faults,
    edges.faults,
    mesh.faults,
    senders.faults,
    accounts.faults,
)


def faults(bundle: Bundle, schemas: Schemas) -> list[Fault]:
    """Return every fault once, in the order of files and objects."""
    return sorted({*_by_schema(bundle, schemas), *(fault for rule in RULES for fault in rule(bundle))})


def _by_schema(bundle: Bundle, schemas: Schemas) -> Iterator[Fault]:
    for one in bundle.objects:
        yield from schemas.faults(one)
