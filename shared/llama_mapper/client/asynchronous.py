"""The client for code that does other things meanwhile."""

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Unpack

import httpx

from llama_mapper.contracts.audit import AuditRecords
from llama_mapper.contracts.detection import DetectorHealth, DetectorList
from llama_mapper.contracts.identity import ApiKey, ApiKeys, IssuedKey, Scope
from llama_mapper.contracts.orchestration import BatchResponse, OrchestrateResponse

from . import calls
from .calls import Answer, Call, Item, Options, Reply
from .faults import fault_of
from .sending import Deadline, Secret, Sender


class AsyncLlamaMapper:
    """``LlamaMapper``, to be awaited (asyncio); *connections* bounds how many calls are under way at once."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: Secret | None = None,
        token: Secret | None = None,
        tenant: str | None = None,
        timeout_seconds: float = 30.0,
        attempts: int = 5,
        connections: int = 100,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._sender = Sender(base_url, api_key, token, tenant, timeout_seconds, attempts)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._http = httpx.AsyncClient(transport=transport, trust_env=False, limits=limits)

    @property
    def origin(self) -> str:
        """Scheme and host of the service, as errors name it."""
        return self._sender.origin

    async def orchestrate(
        self, content: str, *, correlation_id: str | None = None, **options: Unpack[Options]
    ) -> OrchestrateResponse:
        return await self._ask(calls.orchestrate(content, options, correlation_id))

    async def batch(self, items: Iterable[Item], *, correlation_id: str | None = None) -> BatchResponse:
        return await self._ask(calls.batch(items, correlation_id))

    async def detectors(self) -> DetectorList:
        return await self._ask(calls.detectors())

    async def detector_health(self, detector: str) -> DetectorHealth:
        return await self._ask(calls.detector_health(detector))

    async def keys(self) -> ApiKeys:
        return await self._ask(calls.keys())

    async def create_key(
        self, name: str, scopes: Sequence[Scope], days: int = 90, *, code: str | None = None
    ) -> IssuedKey:
        return await self._ask(calls.create_key(name, scopes, days, code))

    async def rotate_key(self, key_id: str, *, code: str | None = None) -> IssuedKey:
        return await self._ask(calls.rotate_key(key_id, code))

    async def revoke_key(self, key_id: str, *, code: str | None = None) -> ApiKey:
        return await self._ask(calls.revoke_key(key_id, code))

    async def audit(self, start: int = 0, count: int = 100) -> AuditRecords:
        return await self._ask(calls.audit(start, count))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncLlamaMapper":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, call: Call[Answer]) -> Answer:
        deadline = Deadline(self._sender.timeout_seconds)
        async for attempt in self._sender.attempts_of(call, deadline):
            with attempt:
                return call.read(await self._send(call, deadline), self._sender.origin)
        raise AssertionError("the last attempt returns or raises")

    async def _send(self, call: Call[Answer], deadline: Deadline) -> Reply:
        try:
            url, headers = self._sender.url(call), self._sender.headers(call)
            async with asyncio.timeout(deadline.left_or_late()):
                answer = await self._http.request(call.method, url, content=call.body, headers=headers, timeout=None)
            return Reply(answer.status_code, answer.headers, answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            fault = fault_of(error)
        raise self._sender.no_answer(call, fault)  # outside: the error holds the request
