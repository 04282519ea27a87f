"""The services behind orchestrate, and the broker, as one HTTP server that a test can bend path by path."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.mapping import finding
from tests.fakes.orchestration import ANALYSIS, mapping, report
from tests.fakes.subscriber import Answer, Received, Subscriber, listening

BROKER = "/default"
JSON = {"content-type": "application/json"}
Bend = Callable[[Received], Answer]


def _json(body: Any) -> Answer:
    return Answer(200, JSON, json.dumps(body).encode())


def _detectors(_: Received) -> Answer:
    offered = {"words": "pii", "numbers": "pii", "keys": "secrets", "tox-block": "classifiers"}
    return _json(
        {"detectors": [{"id": i, "version": "1.0", "family": f, "loaded": i != "keys"} for i, f in offered.items()]}
    )


def _detect(received: Received) -> Answer:
    """``words`` finds an EMAIL wherever the content holds an @; the others find nothing."""
    asked = json.loads(received.body)
    says = {"words": ("EMAIL",)} if "@" in asked["content"] else {}
    reports = [report(name, *says.get(name, ())) for name in asked["detectors"]]
    return _json({"reports": [one.model_dump(mode="json", exclude_none=True) for one in reports]})


def _map(received: Received) -> Answer:
    items = json.loads(received.body)["items"]
    mapped = [mapping(finding(item["label"], item["detector"]), "PII.Contact.Email") for item in items]
    rows = [
        {"index": i, "status": 200, "mapping": one.model_dump(mode="json", exclude_none=True)}
        for i, one in enumerate(mapped)
    ]
    return _json({"results": rows, "latency_ms": 1.0})


def _analyze(_: Received) -> Answer:
    return Answer(200, JSON, ANALYSIS.model_dump_json().encode())


def _well(_: Received) -> Answer:
    return Answer(200)


@dataclass
class Services:
    """What answers at each path; put another in to bend it, and look at what came."""

    subscriber: Subscriber | None = None
    answers: dict[str, Bend] = field(
        default_factory=lambda: {
            "/api/v1/detectors": _detectors,
            "/api/v1/detect": _detect,
            "/api/v1/map/batch": _map,
            "/api/v1/analyze": _analyze,
            "/health": _well,
            BROKER: lambda _: Answer(202),
        }
    )

    async def behave(self, received: Received) -> Answer:
        answer = self.answers.get(received.path)
        return answer(received) if answer else Answer(404)

    @property
    def url(self) -> str:
        assert self.subscriber is not None
        return self.subscriber.url

    def came(self, path: str) -> Iterator[Received]:
        assert self.subscriber is not None
        return (one for one in self.subscriber.received if one.path == path)


@asynccontextmanager
async def running() -> AsyncIterator[Services]:
    services = Services()
    async with listening(services.behave) as subscriber:
        services.subscriber = subscriber
        yield services


@contextmanager
def standing() -> Iterator[Services]:
    """``running`` for a test without an event loop of its own, or for many tests."""
    with asyncio.Runner() as runner:
        services = running()
        yield runner.run(services.__aenter__())
        runner.run(services.__aexit__(None, None, None))
