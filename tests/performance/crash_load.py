"""The events of the crash run and the clients that send them: each tenant's in order, again where nobody answered."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from llama_mapper.contracts.events import FindingsMapped
from tests.performance.crash_parts import INGRESS, REPLYING

SAMPLE = Path(__file__).parents[1] / "contracts" / "events" / "findings.mapped.v1.producer.json"
BATCH = {"content-type": "application/cloudevents-batch+json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
EVENTS_A_BATCH = 32
RETRY_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """*events* of *tenants* in turn; every ``replying``-th of a tenant is for analyze as well."""

    events: int
    tenants: int = 128
    replying: int = 10

    def event_id(self, number: int) -> str:
        tenant, sequence = number % self.tenants, number // self.tenants
        return f"{REPLYING if sequence % self.replying == 0 else 'e-'}{tenant:04}-{sequence:07}"

    @property
    def replies(self) -> int:
        return sum(self.event_id(number).startswith(REPLYING) for number in range(self.events))

    def event(self, number: int) -> dict[str, Any]:
        one, tenant = self.event_id(number), f"tenant-{number % self.tenants:04}"
        return {
            "specversion": "1.0",
            "id": one,
            "source": "llama-mapper/crash-run",
            "type": FindingsMapped.type,
            "tenantid": tenant,
            "partitionkey": tenant,
            "correlationid": f"corr-{one}",
            "datacontenttype": "application/json",
            "data": {**_DATA, "request_id": f"req-{one}"},
        }

    def batches(self, client: int, clients: int) -> Iterator[list[dict[str, Any]]]:
        """What one of several clients sends: the tenants that are its own, each in its order."""
        batch: list[dict[str, Any]] = []
        for number in range(self.events):
            if number % self.tenants % clients == client:
                batch.append(self.event(number))
            if len(batch) == EVENTS_A_BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


_DATA = json.loads(SAMPLE.read_text("utf-8"))["data"]


@dataclass
class Sent:
    """What the clients met."""

    events: int = 0
    unanswered: int = 0
    """Events of requests that got no answer and were sent again, though the broker may have stored them."""
    turned_away: int = 0
    """Requests that were answered 429 or 503."""
    statuses: set[int] = field(default_factory=set)


async def send_all(session: aiohttp.ClientSession, url: str, plan: Plan, clients: int, sent: Sent) -> None:
    async def client(index: int) -> None:
        for batch in plan.batches(index, clients):
            await _send(session, url, batch, sent)
            sent.events += len(batch)

    await asyncio.gather(*(client(index) for index in range(clients)))


async def _send(session: aiohttp.ClientSession, url: str, batch: list[dict[str, Any]], sent: Sent) -> None:
    body = json.dumps(batch).encode()
    while True:
        try:
            async with session.post(url + INGRESS, data=body, headers=BATCH) as answer:
                sent.statuses.add(answer.status)
                if answer.status == 202:
                    return
                sent.turned_away += 1
                await asyncio.sleep(float(answer.headers.get("retry-after", RETRY_SECONDS)))
        except (aiohttp.ClientError, OSError, TimeoutError):
            sent.unanswered += len(batch)
            await asyncio.sleep(RETRY_SECONDS)


async def post_directly(session: aiohttp.ClientSession, url: str, plan: Plan, at_once: int) -> None:
    """Post each event to a step itself, without a broker."""
    numbers = iter(range(plan.events))

    async def client() -> None:
        for number in numbers:
            body = json.dumps(plan.event(number)).encode()
            async with session.post(f"{url}/events", data=body, headers=STRUCTURED) as answer:
                assert answer.status == 204, answer.status

    await asyncio.gather(*(client() for _ in range(at_once)))
