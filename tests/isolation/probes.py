"""How each operation of the front door is asked for another tenant's things."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.fakes.registered import registration

from .operations import Operation
from .world import BIRCH, Things, World

SHA = "0" * 64


@dataclass(frozen=True)
class Probe:
    """One request; *statuses* are what may be answered to it."""

    name: str
    path: str
    statuses: tuple[int, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    twice: str | None = None
    """Sent as a second ``X-Tenant-ID``."""

    async def sent(self, world: World, operation: Operation, asker: Mapping[str, str]) -> httpx.Response:
        headers = [*asker.items(), *self.headers.items()]
        if self.twice:
            headers += [("X-Tenant-ID", self.twice)]
        parameters = dict(self.parameters)
        if operation.path.endswith("/stream"):
            headers += [("Content-Type", "application/x-ndjson")]
            return await world.client.post(self.path, params=parameters, content=self.body, headers=headers)
        return await world.client.request(
            operation.method, self.path, params=parameters, json=self.body, headers=headers
        )

    def says(self, text: str) -> bool:
        """Whether the probe itself holds *text*: to be told what one said is no leak."""
        return text in str([self.path, self.headers, self.parameters, self.body])


def body_of(operation: Operation, others: Things, world: World) -> Any:
    """A body that asks for what is *others*', as far as a body can."""
    words = {"content": others.content, "detector_types": ["words", others.detector]}
    plain = {"content": others.content, "detector_types": ["words"]}
    lines = ({"detector_types": ["words"]}, {"chunk": others.content}, {"end": True})
    configured = {"configuration": {}, "why": "probe"}
    bodies: dict[str, Any] = {
        "POST /api/v1/orchestrate": plain,
        "POST /api/v1/orchestrate/batch": {"items": [plain, words]},
        "POST /api/v1/orchestrate/stream": "\n".join(map(json.dumps, lines)) + "\n",
        "POST /v1/moderations": {"input": others.content},
        "POST /api/v1/keys": {"name": "probe", "scopes": ["orchestrate:use"]},
        "POST /api/v1/detectors": registration(f"{world.services.url}/{BIRCH}", id=others.detector),
        "PUT /api/v1/detectors/{detector}": registration(f"{world.services.url}/{BIRCH}", id=others.detector),
        "POST /api/v1/policies/validate": {"bundle": f"{BIRCH}/decision:1", "sha256": SHA},
        "PUT /api/v1/tenants/{tenant_id}/configuration": configured,
        "POST /api/v1/tenants/{tenant_id}/configuration/rollback": {"version": 1, "why": "probe"},
        "POST /api/v1/detokenize": {"content": others.redacted},
        "POST /api/v1/jobs": plain,
    }
    return bodies.get(operation.name)


def probes(operation: Operation, own: str, others: Things, world: World) -> Iterator[Probe]:
    """Every way to ask *operation* for the things of *others* with the credential of the tenant *own*."""
    ids = {
        "key_id": others.key_id,
        "detector": others.detector,
        "job_id": others.callback_job_id if "dead" in operation.path else others.job_id,
        "tenant_id": others.tenant,
        "number": "1",
    }
    path, body = operation.path.format_map(ids), body_of(operation, others, world)
    there = {"If-Match": '"1"', "Idempotency-Key": others.idempotency_key}
    refused, named = (403,), {"X-Tenant-ID": others.tenant}
    yield Probe("by its ids", path, operation.own, there, body=body)
    yield Probe("by the header", path, refused, there | named, body=body)
    # Where the address names the tenant, a header that names another is refused as such.
    conflict = (400,) if "{tenant_id}" in path or "{tenant_id}" in operation.path else operation.own
    yield Probe("by its ids, the header says own", path, conflict, there | {"X-Tenant-ID": own}, body=body)
    yield Probe("by two headers", path, (400, *refused, *operation.own), there | named, body=body, twice=own)
    asked = {"tenant": others.tenant, "tenant_id": others.tenant, "X-Tenant-ID": others.tenant}
    asked |= {"cursor": others.job_id} if operation.name == "GET /api/v1/jobs" else {}
    yield Probe("by the query", path, operation.own, there, asked, body=body)
    if isinstance(body, dict):
        told = {"tenant_id": others.tenant, "tenant": others.tenant}
        yield Probe("by the body", path, (400, *operation.own), body=body | told)
    if "{tenant_id}" not in operation.path:
        return
    mine = operation.path.format_map(ids | {"tenant_id": own})
    yield Probe("of one's own, the header says the other", mine, (400,), there | named, body=body)
