"""The client for code that does other things meanwhile."""

import asyncio
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Unpack

import httpx

from llama_mapper.contracts.audit import AuditRecords
from llama_mapper.contracts.detection import DetectorHealth
from llama_mapper.contracts.identity import ApiKey, ApiKeys, IssuedKey, Scope
from llama_mapper.contracts.jobs import Job, JobList
from llama_mapper.contracts.orchestration import BatchResponse, OrchestrateResponse
from llama_mapper.contracts.redaction import DetokenizeResponse
from llama_mapper.contracts.registration import OfferedDetectors
from llama_mapper.contracts.streams import StreamFinal, StreamVerdict
from llama_mapper.contracts.tenants import TenantConfiguration, TenantState, TenantVersion, TenantVersions

from . import calls, streams
from .calls import Answer, Call, Item, Options, Reply
from .duplex import Broken, exchange
from .faults import fault_of
from .sending import Deadline, Secret, Sender
from .streams import StreamOptions
from .waiting import ENDED, Told, Waiting, quietly


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

    async def stream(
        self,
        chunks: AsyncIterable[str] | Iterable[str],
        *,
        correlation_id: str | None = None,
        **options: Unpack[StreamOptions],
    ) -> AsyncIterator[StreamVerdict | StreamFinal]:
        """Judge a content while it is written: a verdict for each window as it is judged, and last a final line.

        *chunks* are taken while verdicts are given, so an LLM's answer can be passed on as it comes: up to the last
        verdict's ``hold_back``. Sent once, on a connection of its own (no httpx transport). The service ends a stream
        for which nothing comes; once everything is sent, the rest of the answer must come within the client's timeout.
        """
        call = Call("POST", streams.PATH, StreamFinal, repeatable=False, correlation_id=correlation_id or _new_id())
        headers = self._sender.headers(call) | {"Content-Type": streams.NDJSON, "Accept": streams.NDJSON}
        seconds = self._sender.timeout_seconds
        try:
            async with exchange(
                self._sender.url(call),
                headers,
                streams.written(options, chunks),
                connect_seconds=seconds,
                last_seconds=seconds,
            ) as answer:
                if answer.status != 200:
                    body = b"".join([piece async for piece in answer.body])
                    call.read(Reply(answer.status, answer.headers, body), self._sender.origin)
                async for line in streams.read(answer.body, call, self._sender.origin):
                    yield line
                return
        except (OSError, TimeoutError, Broken) as error:
            fault = {"unsent": isinstance(error, ConnectionRefusedError), "timed_out": isinstance(error, TimeoutError)}
        raise self._sender.no_answer(call, fault)

    async def detectors(self) -> OfferedDetectors:
        return await self._ask(calls.detectors())

    async def detector_health(self, detector: str) -> DetectorHealth:
        return await self._ask(calls.detector_health(detector))

    async def submit(
        self,
        content: str,
        *,
        callback: str | None = None,
        correlation_id: str | None = None,
        **options: Unpack[Options],
    ) -> Job:
        return await self._ask(calls.submit(content, options, callback, correlation_id))

    async def job(self, job_id: str) -> Job:
        return await self._ask(calls.job(job_id))

    async def jobs(self, limit: int = 50, cursor: str | None = None) -> JobList:
        return await self._ask(calls.jobs(limit, cursor))

    async def wait(self, job_id: str, *, timeout_seconds: float = 300.0, told: Told = quietly) -> Job:
        waiting = Waiting(timeout_seconds, self.origin)
        while True:
            job = await self.job(job_id)
            told(job)
            if job.status in ENDED:
                return job
            await asyncio.sleep(waiting.pause())

    async def result(self, job_id: str) -> OrchestrateResponse:
        return await self._ask(calls.result(job_id))

    async def cancel(self, job_id: str) -> Job:
        return await self._ask(calls.cancel(job_id))

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

    async def detokenize(self, content: str, *, code: str | None = None) -> DetokenizeResponse:
        """Turn the tenant's tokens in *content* back; an administrative act, with a one-time *code*. Sent once only."""
        return await self._ask(calls.detokenize(content, code))

    async def audit(self, start: int = 0, count: int = 100) -> AuditRecords:
        return await self._ask(calls.audit(start, count))

    async def tenant_configuration(self, tenant: str) -> TenantState:
        return await self._ask(calls.tenant_configuration(tenant))

    async def configure_tenant(
        self, tenant: str, configuration: TenantConfiguration, why: str, *, version: int, code: str | None = None
    ) -> TenantState:
        """Replace the configuration that was read in *version*; *code* is a one-time code. Sent once only."""
        return await self._ask(calls.configure_tenant(tenant, configuration, why, version, code))

    async def tenant_versions(self, tenant: str) -> TenantVersions:
        return await self._ask(calls.tenant_versions(tenant))

    async def tenant_version(self, tenant: str, number: int) -> TenantVersion:
        return await self._ask(calls.tenant_version(tenant, number))

    async def roll_tenant_back(
        self, tenant: str, number: int, why: str, *, version: int, code: str | None = None
    ) -> TenantState:
        """Make version *number* the newest again, where *version* is the newest."""
        return await self._ask(calls.roll_tenant_back(tenant, number, why, version, code))

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


def _new_id() -> str:
    return uuid.uuid4().hex
