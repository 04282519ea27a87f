"""What the gate needs of the world."""

from typing import Protocol

from llama_mapper.cluster.services import Service
from llama_mapper.contracts.canaries import Canary, CanaryStatus, Revisions
from llama_mapper.contracts.events import CanaryStepped
from llama_mapper.contracts.identifiers import EventId

from .measures import Counts
from .metrics import Sides


class Cluster(Protocol):
    """``llama_mapper.cluster.api.Cluster`` off the event loop; raises its errors."""

    async def canaries(self) -> tuple[Canary, ...]: ...

    async def canary(self, name: str) -> Canary: ...

    async def service(self, name: str) -> Service: ...

    async def remember(self, canary: Canary, status: CanaryStatus) -> Canary: ...

    async def turn(
        self, service: Service, percent: int | None, storage_uri: str, *, force: bool, dry_run: bool
    ) -> Service: ...


class Measured(Protocol):
    """Live figures.

    Raises:
        Unavailable: they cannot be had now.
    """

    async def sides(self, service: str, revisions: Revisions, percent: int, seconds: int) -> Sides: ...

    async def before(self, service: str, revision: str, seconds: int, ago: int) -> Counts | None: ...


class Outside(Protocol):
    """What else a step is told to."""

    async def tell(self, event_id: EventId, event: CanaryStepped) -> None:
        """Hand the event to the broker; the same id again is the same event.

        Raises:
            Unavailable: not taken now.
        """

    async def write_patch(self, canary: Canary, percent: int | None) -> None:
        """Write the step as a patch for kustomize.

        Raises:
            Unavailable: there is nowhere to write it.
        """
