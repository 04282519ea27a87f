"""The cluster off the event loop, patches as files, steps as events."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from llama_mapper.chassis.events import Outgoing, Sink
from llama_mapper.cluster import services
from llama_mapper.cluster.api import Cluster
from llama_mapper.cluster.services import Service
from llama_mapper.contracts.canaries import Canary, CanaryStatus
from llama_mapper.contracts.events import PLATFORM, CanaryStepped
from llama_mapper.contracts.identifiers import EventId
from llama_mapper.contracts.problems import Unavailable

SOURCE = "/functions/promote"


class OffTheLoop:
    """Fills the port ``Cluster``. *connect* is called at the first use: importing the client takes half a second, and
    a cold start that only answers probes need not pay for it."""

    def __init__(self, connect: Callable[[], Cluster]) -> None:
        self._connect = connect

    @cached_property
    def _cluster(self) -> Cluster:
        return self._connect()

    async def canaries(self) -> tuple[Canary, ...]:
        return await asyncio.to_thread(lambda: self._cluster.canaries())  # noqa: PLW0108 - connecting is part of it

    async def canary(self, name: str) -> Canary:
        return await asyncio.to_thread(lambda: self._cluster.canary(name))

    async def service(self, name: str) -> Service:
        return await asyncio.to_thread(lambda: self._cluster.service(name))

    async def remember(self, canary: Canary, status: CanaryStatus) -> Canary:
        return await asyncio.to_thread(lambda: self._cluster.remember(canary, status))

    async def turn(
        self, service: Service, percent: int | None, storage_uri: str, *, force: bool, dry_run: bool
    ) -> Service:
        return await asyncio.to_thread(
            lambda: self._cluster.turn(service, percent, storage_uri, force=force, dry_run=dry_run)
        )


class Surroundings:
    """Fills the port ``Outside``."""

    def __init__(self, sink: Sink, folder: Path | None) -> None:
        self._sink = sink
        self._folder = folder

    async def tell(self, event_id: EventId, event: CanaryStepped) -> None:
        sent = Outgoing(data=event, tenant_id=PLATFORM, source=SOURCE, id=event_id, subject=event.inference_service)
        await self._sink.send(sent)

    async def write_patch(self, canary: Canary, percent: int | None) -> None:
        if self._folder is None:
            raise Unavailable("PROMOTE_GITOPS_PATH is not set", retry_after_seconds=60)
        try:
            await asyncio.to_thread(_write, self._folder / f"{canary.name}.yaml", patch(canary, percent))
        except OSError as error:
            raise Unavailable("the patch cannot be written", retry_after_seconds=60) from error


def patch(canary: Canary, percent: int | None) -> str:
    """A kustomization's ``patches`` entry as a strategic merge: a field that is null goes."""
    body: dict[str, Any] = {
        "apiVersion": f"{services.GROUP}/{services.VERSION}",
        "kind": services.KIND,
        "metadata": {"name": canary.spec.inference_service},
        "spec": {
            "predictor": {"canaryTrafficPercent": percent, "model": {"storageUri": canary.spec.storage_uri}},
        },
    }
    return yaml.safe_dump(body, sort_keys=False)


def _write(path: Path, text: str) -> None:
    """Whoever reads the folder sees the old file or the new one, never half of it."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text("utf-8") == text:
            return
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.replace(path)
