"""What both clients do alike: where they ask, as whom, how long, and how often."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llama_mapper import __version__

from .calls import Call
from .errors import NoAnswer, ProblemError

if TYPE_CHECKING:
    from stamina._core import _RetryContextIterator

AGENT = f"llama-mapper-python/{__version__}"
LONGEST_PAUSE_SECONDS = 2.0
"""Where the service does not say how long to wait."""
Secret = str | Callable[[], str]
"""A credential, or where to get it each time: tokens of a provider end after minutes."""


@dataclass(frozen=True, slots=True)
class Sender:
    """*timeout_seconds* is for the whole call, all sendings and pauses; *attempts* is how often it is sent at most."""

    base_url: str
    api_key: Secret | None = field(default=None, repr=False)
    token: Secret | None = field(default=None, repr=False)
    tenant: str | None = None
    timeout_seconds: float = 30.0
    attempts: int = 5

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError("base_url starts with http:// or https://")
        if self.api_key and self.token:
            raise ValueError("give an api_key or a token, not both")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds is above 0")

    @property
    def origin(self) -> str:
        """What errors call the service: a base URL may hold a password in front of the host."""
        scheme, _, rest = self.base_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"

    def url(self, call: Call[Any]) -> str:
        return self.base_url.rstrip("/") + call.path

    def headers(self, call: Call[Any]) -> dict[str, str]:
        headers = {
            "User-Agent": AGENT,
            "Accept": "application/json, application/problem+json",
            "X-Correlation-ID": call.correlation_id,
            **call.headers,
        }
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if self.tenant:
            headers["X-Tenant-ID"] = self.tenant
        if self.api_key:
            headers["X-API-Key"] = _value(self.api_key)
        if self.token:
            headers["Authorization"] = f"Bearer {_value(self.token)}"
        return headers

    def no_answer(self, call: Call[Any], fault: Mapping[str, bool]) -> NoAnswer:
        """Put in words what a transport met; *fault* are the marks of ``NoAnswer``."""
        if fault.get("timed_out"):
            words = f"{self.origin} did not answer within {self.timeout_seconds:g} s"
        elif fault.get("unsent"):
            words = f"nothing answers on {self.origin}"
        else:
            words = f"{self.origin} broke off the connection"
        return NoAnswer(words, call.correlation_id, **fault)

    def attempts_of(self, call: Call[Any], deadline: "Deadline") -> "_RetryContextIterator":
        """The sendings of *call* (stamina): iterate, with ``for`` or ``async for``."""
        import stamina

        longest = min(LONGEST_PAUSE_SECONDS, self.timeout_seconds / 8)
        return stamina.retry_context(
            on=lambda error: pause(error, call.repeatable, deadline.left(), longest),
            attempts=self.attempts,
            timeout=self.timeout_seconds,
            wait_initial=longest / 16,
            wait_max=longest,
            wait_jitter=longest / 8,
        )


class Deadline:
    """*seconds* from now."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def left_or_late(self) -> float:
        """Raises TimeoutError where nothing is left."""
        left = self.left()
        if not left:
            raise TimeoutError
        return left


def pause(error: Exception, repeatable: bool, left: float, longest: float) -> bool | float:
    """Say whether to send again: no, after so many seconds, or (True) after a pause that grows up to *longest*.

    A pause that outlasts the *left* seconds is none. What must not be done twice is sent again only where nobody
    can have read it.
    """
    if isinstance(error, NoAnswer):
        return not error.timed_out and (repeatable or error.unsent) and left > longest
    if not isinstance(error, ProblemError) or not repeatable or not error.retryable:
        return False
    if error.retry_after is not None:
        return error.retry_after if error.retry_after < left else False
    return left > longest


def _value(secret: Secret) -> str:
    return secret if isinstance(secret, str) else secret()
