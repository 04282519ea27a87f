"""One event to one subscriber over HTTP, with the retries Knative's dispatcher makes (``pkg/kncloudevents``)."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llama_mapper.contracts.problems import InvalidRequest

from .cloud_events import Event, parse_one
from .manifests import DeliverySpec
from .sending import Answer, NoAnswer, Sender

RETRIED = frozenset({404, 408, 409, 429})
MAX_ERROR_BYTES = 768  # of the answer: knativeerrordata is base64 and has at most 1,024 characters


@dataclass(frozen=True, slots=True)
class Delivered:
    """The subscriber took the event; *reply* is the event in its answer."""

    reply: Event | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """No delivery is left to try."""

    code: int
    body: bytes
    deliveries: int

    @property
    def error_data(self) -> str:
        return base64.b64encode(self.body[:MAX_ERROR_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class _Refused:
    code: int
    body: bytes = b""
    retry_after: str | None = None


class Stopped(Exception):
    """The broker stops: the event stays where it is, without an outcome."""


def is_retried(code: int) -> bool:
    return code >= 500 or code in RETRIED


def backoff_seconds(delivery: DeliverySpec, failures: int, cap_seconds: float) -> float:
    """Return the wait after the delivery number *failures* (from 0): linear delay·n, exponential delay·2ⁿ."""
    base = delivery.backoff_delay.total_seconds()
    if delivery.backoff_policy == "exponential":
        return min(cap_seconds, base * 2.0 ** min(failures, 63))
    return min(cap_seconds, base * failures) if delivery.backoff_policy == "linear" else 0.0


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Read a ``Retry-After`` in seconds or as an HTTP date; 0 for none, for the past and for nonsense."""
    if not header:
        return 0.0
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())


def wait_seconds(
    delivery: DeliverySpec, failures: int, code: int, retry_after: str | None, cap_seconds: float
) -> float:
    """Return the backoff, or the subscriber's ``Retry-After`` where that is longer and the delivery allows it."""
    backoff = backoff_seconds(delivery, failures, cap_seconds)
    if delivery.retry_after_max is None or code not in (429, 503):
        return backoff
    asked = retry_after_seconds(retry_after, datetime.now(UTC))
    return max(backoff, min(asked, delivery.retry_after_max.total_seconds()))


class Deliverer:
    """Posts events; *in_flight* bounds the requests to one subscriber, waits between retries not counted."""

    def __init__(
        self,
        sender: Sender,
        stopping: asyncio.Event,
        *,
        in_flight: int,
        timeout_seconds: float,
        max_backoff_seconds: float,
    ) -> None:
        self._sender = sender
        self._stopping = stopping
        self._slots = asyncio.Semaphore(in_flight)
        self._timeout_seconds = timeout_seconds
        self._max_backoff_seconds = max_backoff_seconds

    async def deliver(
        self, event: Event, url: str, spec: DeliverySpec, headers: Mapping[str, str], *, replies: bool
    ) -> Delivered | Failed:
        """Deliver *event* up to ``spec.retry`` + 1 times.

        Args:
            headers: added to the event's own.
            replies: whether a body in the answer must be an event; a dead letter sink may say what it likes.
        Raises:
            Stopped: the broker stops before there is an outcome.
        """
        failures = 0
        while True:
            answer = await self._attempt(event, url, spec, headers, replies)
            if isinstance(answer, Delivered):
                return answer
            if failures == spec.retry or not is_retried(answer.code):
                return Failed(answer.code, answer.body, failures + 1)
            wait = wait_seconds(spec, failures, answer.code, answer.retry_after, self._max_backoff_seconds)
            await self._pause(wait)
            failures += 1

    async def _attempt(
        self, event: Event, url: str, spec: DeliverySpec, headers: Mapping[str, str], replies: bool
    ) -> Delivered | _Refused:
        limit = spec.timeout.total_seconds() if spec.timeout else self._timeout_seconds
        async with self._slots:
            if self._stopping.is_set():
                raise Stopped
            try:
                answer = await self._sender.post(url, {**event.headers(), **headers}, event.data, limit)
            except NoAnswer as error:
                # The code and the beginning of the words that upstream gives for "no answer".
                return _Refused(500, f"dispatch error: {error}".encode())
        if not 200 <= answer.status < 300:
            return _Refused(answer.status, answer.body, answer.headers.get("retry-after"))
        return _read_reply(answer) if replies else Delivered()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
        raise Stopped


def _read_reply(answer: Answer) -> Delivered | _Refused:
    """A 2xx is done without a body, a reply with an event; any other body is a failed delivery (upstream: 502)."""
    if not answer.body and "ce-specversion" not in answer.headers:
        return Delivered()
    try:
        return Delivered(parse_one(answer.headers, answer.body))
    except InvalidRequest as problem:
        return _Refused(502, f"the answer is not a CloudEvent: {problem.detail}".encode())
