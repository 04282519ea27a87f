"""The client for code that waits."""

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

    def detectors(self) -> DetectorList:
        return self._ask(calls.detectors())

    def detector_health(self, detector: str) -> DetectorHealth:
        return self._ask(calls.detector_health(detector))

    def keys(self) -> ApiKeys:
        return self._ask(calls.keys())

    def create_key(self, name: str, scopes: Sequence[Scope], days: int = 90, *, code: str | None = None) -> IssuedKey:
        """Make an API key; *code* is the one-time code of a key that administers. Sent once only."""
        return self._ask(calls.create_key(name, scopes, days, code))

    def rotate_key(self, key_id: str, *, code: str | None = None) -> IssuedKey:
        return self._ask(calls.rotate_key(key_id, code))

    def revoke_key(self, key_id: str, *, code: str | None = None) -> ApiKey:
        return self._ask(calls.revoke_key(key_id, code))

    def audit(self, start: int = 0, count: int = 100) -> AuditRecords:
        return self._ask(calls.audit(start, count))

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
