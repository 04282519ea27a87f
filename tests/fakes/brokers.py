"""A broker in this process on a real store, with whatever wiring a test needs, and the client that talks to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from llama_mapper.local.broker import create_broker
from llama_mapper.local.broker_settings import BrokerSettings

INGRESS = "/llama-mapper/default"


def event(event_id: str = "1", event_type: str = "tried", **extensions: str) -> dict[str, str]:
    """Return the headers of an event in binary mode."""
    attributes = {"specversion": "1.0", "id": event_id, "source": "/test", "type": event_type, **extensions}
    return {**{f"ce-{name}": value for name, value in attributes.items()}, "content-type": "application/json"}


def on(event_type: str) -> dict[str, Any]:
    return {"filters": [{"exact": {"type": event_type}}]}


@dataclass(frozen=True)
class Wire:
    """Writes an eventing folder and gives the settings of a broker on it."""

    folder: Path
    redis_url: str
    key_prefix: str

    def __call__(
        self,
        triggers: dict[str, tuple[str, dict[str, Any]]],
        delivery: dict[str, Any] | None = None,
        **settings: Any,
    ) -> BrokerSettings:
        """Wire each of *triggers*, name -> (subscriber URL, rest of its spec); no retries unless *delivery* says.

        ``annotations`` in the rest are the Trigger's.
        """
        self.folder.mkdir(exist_ok=True)
        self._write("Broker", "default", {"delivery": delivery or {"retry": 0}})
        for name, (url, spec) in triggers.items():
            rest = {field: value for field, value in spec.items() if field != "annotations"}
            wired = {"broker": "default", "subscriber": {"uri": url}, **rest}
            self._write("Trigger", name, wired, annotations=spec.get("annotations", {}))
        names = {"resources": ["default.yaml", *(f"{name}.yaml" for name in triggers)]}
        (self.folder / "kustomization.yaml").write_text(yaml.safe_dump(names))
        given = {"redis_url": self.redis_url, "key_prefix": self.key_prefix, "eventing": self.folder, **settings}
        return BrokerSettings.model_validate(given)

    def _write(self, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> None:
        document = {
            "apiVersion": "eventing.knative.dev/v1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec
        }  # fmt: skip
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(document))


class Broker(httpx.AsyncClient):
    """A client of a running broker."""

    async def publish(self, headers: dict[str, str], body: bytes = b"{}") -> httpx.Response:
        return await self.post(INGRESS, headers=headers, content=body)

    async def settled(self) -> None:
        """Wait until no Trigger has an event without an outcome."""
        async with asyncio.timeout(10):
            while any(one["pending"] for one in (await self.get("/triggers")).json()["triggers"]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def dead_letters(self) -> list[dict[str, Any]]:
        letters: list[dict[str, Any]] = (await self.get("/dead-letters")).json()["dead_letters"]
        return letters


@asynccontextmanager
async def running(settings: BrokerSettings) -> AsyncIterator[Broker]:
    """Run a broker in this process, from start to drained."""
    app = create_broker(settings)
    async with (
        app.router.lifespan_context(app),
        Broker(transport=httpx.ASGITransport(app), base_url="http://broker") as client,
    ):
        yield client
