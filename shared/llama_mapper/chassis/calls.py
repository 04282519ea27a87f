"""Calls to another service: deadline, retries with jitter, breaker, one translation of every failure.

A breaker opens after as many failures in a row as its factory says (five) and lets calls through again after a rest
(30 s; purgatory); retries are stamina's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeVar

import httpx
import stamina
from opentelemetry.trace import SpanKind
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import BaseModel, ValidationError

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import (
    DetectorCommunicationFailed,
    RequestTimeout,
    Unavailable,
    Unprocessable,
)

from . import correlation, tracing

Answer = TypeVar("Answer", bound=BaseModel)
T = TypeVar("T")

BREAKER_FAILURES = 5
BREAKER_SECONDS = 30


class Transient(Exception):
    """An answer or a connection that may be better the next time."""


async def insist(
    name: str,
    attempt: Callable[[float], Awaitable[T]],
    breakers: AsyncCircuitBreakerFactory,
    *,
    seconds: float,
    attempts: int = 2,
    slot: Callable[[float], AbstractAsyncContextManager[object]] | None = None,
    circuit: str | None = None,
) -> T:
    """Await *attempt*, given the seconds that are left, again where it is ``Transient``; all within *seconds*.

    *name* is what errors call the service, and the breaker where *circuit* is absent. Each attempt holds a *slot*;
    waiting for one is no failure. An attempt must bear to be made twice.

    Raises:
        Unavailable: the last attempt was transient too, or the breaker is open.
        RequestTimeout: the deadline passed.
        Problem: what *attempt* or *slot* raises, which is not tried again.
    """
    deadline = time.monotonic() + seconds
    breaker = await breakers.get_breaker(circuit or name)
    try:
        async for again in stamina.retry_context(
            on=Transient, attempts=attempts, timeout=seconds, wait_initial=0.02, wait_max=0.2, wait_jitter=0.05
        ):
            with again:
                async with slot(deadline - time.monotonic()) if slot else nullcontext(), guarded(breaker):
                    return await _within(name, attempt, deadline - time.monotonic())
    except OpenedState:
        rest = max(1, round(breaker.context.ttl))
        raise Unavailable(f"{name} is resting after failures", retry_after_seconds=rest) from None
    except Transient as error:
        raise Unavailable(f"{name} does not answer", retry_after_seconds=1) from error.__cause__
    raise Unavailable(f"{name} was not asked", retry_after_seconds=1)  # no attempts


@asynccontextmanager
async def guarded(breaker: AbstractAsyncContextManager[object]) -> AsyncIterator[None]:
    """Count a failure or a success with *breaker*; a call that its caller gave up is neither.

    Raises:
        OpenedState: the breaker is open.
    """
    await breaker.__aenter__()
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        await breaker.__aexit__(type(error), error, error.__traceback__)
        raise
    await breaker.__aexit__(None, None, None)


async def _within(name: str, attempt: Callable[[float], Awaitable[T]], seconds: float) -> T:
    if seconds <= 0:
        raise RequestTimeout(f"{name} did not answer in time")
    try:
        # httpx bounds each connect and each read by itself; together they could take a multiple.
        async with asyncio.timeout(seconds):
            return await attempt(seconds)
    except (httpx.TimeoutException, TimeoutError):
        raise RequestTimeout(f"{name} did not answer in time") from None


class ServiceClient:
    """A JSON service at *base_url*; *name* is what errors, breakers and metrics call it."""

    def __init__(
        self,
        name: str,
        base_url: str,
        client: httpx.AsyncClient,
        breakers: AsyncCircuitBreakerFactory,
        slot: Callable[[float], AbstractAsyncContextManager[object]] | None = None,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._breakers = breakers
        self._slot = slot

    async def post(
        self,
        path: str,
        body: BaseModel,
        answer: type[Answer],
        *,
        timeout_seconds: float,
        tenant_id: TenantId,
        attempts: int = 2,
    ) -> Answer:
        """Post *body* and parse the answer, all attempts together within *timeout_seconds*.

        Raises:
            Unavailable: no connection, 5xx, or the breaker is open.
            RequestTimeout: the deadline passed.
            Unprocessable: the service refused the request (4xx).
        """
        content = body.model_dump_json(exclude_none=True).encode()
        sent = {"method": "POST", "content": content, "headers": {"Content-Type": "application/json"}}
        return await self._ask(path, sent, answer, timeout_seconds, tenant_id, attempts)

    async def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]],
        answer: type[Answer],
        *,
        timeout_seconds: float,
        tenant_id: TenantId,
        attempts: int = 2,
    ) -> Answer:
        """Ask *path* with *params* and parse the answer; raises what ``post`` does."""
        sent = {"method": "GET", "params": list(params)}
        return await self._ask(path, sent, answer, timeout_seconds, tenant_id, attempts)

    async def _ask(
        self,
        path: str,
        sent: Mapping[str, Any],
        answer: type[Answer],
        timeout_seconds: float,
        tenant_id: TenantId,
        attempts: int,
    ) -> Answer:
        headers = {**sent.get("headers", {}), correlation.HEADER: correlation.current(), "X-Tenant-ID": tenant_id}
        named: tracing.Attributes = {"http.request.method": sent["method"], "server.address": self.name}

        async def once(seconds: float) -> httpx.Response:
            return await self._once(path, {**sent, "headers": headers}, seconds)

        with tracing.span(f"{sent['method']} {self.name}", SpanKind.CLIENT, named):
            if trace := correlation.traceparent():
                headers["traceparent"] = trace
            response = await insist(
                self.name, once, self._breakers, seconds=timeout_seconds, attempts=attempts, slot=self._slot
            )
        if response.status_code >= 400:
            raise Unprocessable(f"{self.name} refused the request")
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise DetectorCommunicationFailed(f"{self.name} answered in a shape we do not know") from error

    async def _once(self, path: str, sent: Mapping[str, Any], seconds: float) -> httpx.Response:
        try:
            response = await self._client.request(url=self._base_url + path, timeout=seconds, **sent)
        except httpx.TimeoutException:
            raise  # the deadline's, not tried again
        except httpx.HTTPError as error:
            raise Transient(self.name) from error
        if response.status_code >= 500 or response.status_code == 429:
            raise Transient(self.name)
        return response
