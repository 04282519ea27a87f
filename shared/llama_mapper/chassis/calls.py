"""Calls to another service: deadline, retries with jitter, breaker, one translation of every failure.

The breaker opens after five failures and lets a probe through 30 s later (purgatory); retries are stamina's.
"""

import asyncio
import time
from typing import TypeVar

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

BREAKER_FAILURES = 5
BREAKER_SECONDS = 30


class _Transient(Exception):
    """An answer or a connection that may be better the next time."""


class ServiceClient:
    """A JSON service at *base_url*; *name* is what errors, breakers and metrics call it."""

    def __init__(
        self, name: str, base_url: str, client: httpx.AsyncClient, breakers: AsyncCircuitBreakerFactory
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._breakers = breakers

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
        named: tracing.Attributes = {"http.request.method": "POST", "server.address": self.name}
        with tracing.span(f"POST {self.name}", SpanKind.CLIENT, named):
            return await self._post(path, body, answer, timeout_seconds, tenant_id, attempts)

    async def _post(
        self,
        path: str,
        body: BaseModel,
        answer: type[Answer],
        timeout_seconds: float,
        tenant_id: TenantId,
        attempts: int,
    ) -> Answer:
        deadline = time.monotonic() + timeout_seconds
        breaker = await self._breakers.get_breaker(self.name, threshold=BREAKER_FAILURES, ttl=BREAKER_SECONDS)
        headers = {
            "Content-Type": "application/json",
            correlation.HEADER: correlation.current(),
            "X-Tenant-ID": tenant_id,
        }
        if trace := correlation.traceparent():
            headers["traceparent"] = trace
        content = body.model_dump_json(exclude_none=True)
        try:
            async for attempt in stamina.retry_context(
                on=_Transient,
                attempts=attempts,
                timeout=timeout_seconds,
                wait_initial=0.02,
                wait_max=0.2,
                wait_jitter=0.05,
            ):
                with attempt:
                    async with breaker:
                        response = await self._once(path, content, headers, deadline - time.monotonic())
        except OpenedState:
            raise Unavailable(f"{self.name} is resting after failures", retry_after_seconds=BREAKER_SECONDS) from None
        except _Transient as error:
            raise Unavailable(f"{self.name} does not answer", retry_after_seconds=1) from error
        if response.status_code >= 400:
            raise Unprocessable(f"{self.name} refused the request")
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise DetectorCommunicationFailed(f"{self.name} answered in a shape we do not know") from error

    async def _once(self, path: str, content: str, headers: dict[str, str], seconds: float) -> httpx.Response:
        if seconds <= 0:
            raise RequestTimeout(f"{self.name} did not answer in time")
        try:
            # httpx bounds each connect and each read by itself; together they could take a multiple.
            async with asyncio.timeout(seconds):
                response = await self._client.post(
                    self._base_url + path, content=content.encode(), headers=headers, timeout=seconds
                )
        except (httpx.TimeoutException, TimeoutError) as error:
            raise RequestTimeout(f"{self.name} did not answer in time") from error
        except httpx.HTTPError as error:
            raise _Transient(self.name) from error
        if response.status_code >= 500 or response.status_code == 429:
            raise _Transient(self.name)
        return response
