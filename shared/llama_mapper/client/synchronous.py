"""The client for code that waits."""

import time
from collections.abc import Iterable, Sequence
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
from llama_mapper.contracts.tenants import TenantConfiguration, TenantState, TenantVersion, TenantVersions

from . import calls
from .calls import Answer, Call, Item, Options, Reply
from .faults import fault_of
from .sending import Deadline, Secret, Sender
from .waiting import ENDED, Told, Waiting, quietly


class LlamaMapper:
    """A client of orchestrate at *base_url*, with its connections kept open; threads may share it.

    Args:
        api_key, token: one of them, or neither for a tenant that is open; a function is asked for each sending.
        tenant: chosen among the credential's; needed where there is no credential.
        timeout_seconds: for a whole call, with all its sendings; connecting and the first byte are each waited for as
            long as is left when a sending starts, so a service that stalls at both can take twice that.
        attempts: how often a call is sent at most, where it may work later.
        transport: httpx's, for instance one with a proxy; proxies named in the environment are not used.

    Every call raises ``ProblemError``, ``NoAnswer`` or ``UnknownAnswer``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: Secret | None = None,
        token: Secret | None = None,
        tenant: str | None = None,
        timeout_seconds: float = 30.0,
        attempts: int = 5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._sender = Sender(base_url, api_key, token, tenant, timeout_seconds, attempts)
        self._http = httpx.Client(transport=transport, trust_env=False)

    def orchestrate(
        self, content: str, *, correlation_id: str | None = None, **options: Unpack[Options]
    ) -> OrchestrateResponse:
        """Judge one content; ``coverage`` says how much of what had to be judged was."""
        return self._ask(calls.orchestrate(content, options, correlation_id))

    def batch(self, items: Iterable[Item], *, correlation_id: str | None = None) -> BatchResponse:
        """Judge up to 100 contents; each has its own status, and its own problem where it was refused."""
        return self._ask(calls.batch(items, correlation_id))

    def detectors(self) -> OfferedDetectors:
        return self._ask(calls.detectors())

    def detector_health(self, detector: str) -> DetectorHealth:
        return self._ask(calls.detector_health(detector))

    def submit(
        self,
        content: str,
        *,
        callback: str | None = None,
        correlation_id: str | None = None,
        **options: Unpack[Options],
    ) -> Job:
        """Have one content judged later; *callback* is an https address that is told when that is done."""
        return self._ask(calls.submit(content, options, callback, correlation_id))

    def job(self, job_id: str) -> Job:
        return self._ask(calls.job(job_id))

    def jobs(self, limit: int = 50, cursor: str | None = None) -> JobList:
        """The newest jobs; *cursor* is the ``next_cursor`` of a list whose older ones are wanted."""
        return self._ask(calls.jobs(limit, cursor))

    def wait(self, job_id: str, *, timeout_seconds: float = 300.0, told: Told = quietly) -> Job:
        """Ask until the job has ended; *told* gets it each time. What was found is in ``result``.

        Raises:
            NoAnswer: it has not ended in time; it goes on.
        """
        waiting = Waiting(timeout_seconds, self._sender.origin)
        while True:
            job = self.job(job_id)
            told(job)
            if job.status in ENDED:
                return job
            time.sleep(waiting.pause())

    def result(self, job_id: str) -> OrchestrateResponse:
        return self._ask(calls.result(job_id))

    def cancel(self, job_id: str) -> Job:
        return self._ask(calls.cancel(job_id))

    def keys(self) -> ApiKeys:
        return self._ask(calls.keys())

    def create_key(self, name: str, scopes: Sequence[Scope], days: int = 90, *, code: str | None = None) -> IssuedKey:
        """Make an API key; *code* is the one-time code of a key that administers. Sent once only."""
        return self._ask(calls.create_key(name, scopes, days, code))

    def rotate_key(self, key_id: str, *, code: str | None = None) -> IssuedKey:
        return self._ask(calls.rotate_key(key_id, code))

    def revoke_key(self, key_id: str, *, code: str | None = None) -> ApiKey:
        return self._ask(calls.revoke_key(key_id, code))

    def detokenize(self, content: str, *, code: str | None = None) -> DetokenizeResponse:
        """Turn the tenant's tokens in *content* back; an administrative act, with a one-time *code*. Sent once only."""
        return self._ask(calls.detokenize(content, code))

    def audit(self, start: int = 0, count: int = 100) -> AuditRecords:
        return self._ask(calls.audit(start, count))

    def tenant_configuration(self, tenant: str) -> TenantState:
        return self._ask(calls.tenant_configuration(tenant))

    def configure_tenant(
        self, tenant: str, configuration: TenantConfiguration, why: str, *, version: int, code: str | None = None
    ) -> TenantState:
        """Replace the configuration that was read in *version*; *code* is a one-time code. Sent once only."""
        return self._ask(calls.configure_tenant(tenant, configuration, why, version, code))

    def tenant_versions(self, tenant: str) -> TenantVersions:
        return self._ask(calls.tenant_versions(tenant))

    def tenant_version(self, tenant: str, number: int) -> TenantVersion:
        return self._ask(calls.tenant_version(tenant, number))

    def roll_tenant_back(
        self, tenant: str, number: int, why: str, *, version: int, code: str | None = None
    ) -> TenantState:
        """Make version *number* the newest again, where *version* is the newest."""
        return self._ask(calls.roll_tenant_back(tenant, number, why, version, code))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "LlamaMapper":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, call: Call[Answer]) -> Answer:
        deadline = Deadline(self._sender.timeout_seconds)
        for attempt in self._sender.attempts_of(call, deadline):
            with attempt:
                return call.read(self._send(call, deadline), self._sender.origin)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, call: Call[Answer], deadline: Deadline) -> Reply:
        """httpx bounds each wait by itself; between the pieces of an answer the whole is looked at."""
        try:
            url, headers = self._sender.url(call), self._sender.headers(call)
            waiting = httpx.Timeout(deadline.left_or_late())
            with self._http.stream(call.method, url, content=call.body, headers=headers, timeout=waiting) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    deadline.left_or_late()
                return Reply(answer.status_code, answer.headers, body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            fault = fault_of(error)
        raise self._sender.no_answer(call, fault)  # outside: the error holds the request
