"""Calls of the command line to the running services: where they are, and every failure in plain words."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

START_HINT = "start it with `llama-mapper up`"
PASSING_STATUSES = frozenset({408, 429, 502, 503})


class ServiceRefused(Exception):
    """A service did not answer, or answered with a problem; ``status`` is 0 where nothing answered."""

    def __init__(self, message: str, status: int = 0, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds

    @property
    def passing(self) -> bool:
        """Whether the same call may work later."""
        return self.status in PASSING_STATUSES


class NothingAnswers(ServiceRefused):
    """There is no service at that address."""


class Services:
    """An HTTP client for the services; *tenant* goes with every call."""

    def __init__(
        self,
        tenant: str,
        *,
        timeout_seconds: float = 30.0,
        connections: int = 16,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        # trust_env off: a proxy variable must not carry content out of the machine.
        self._client = httpx.AsyncClient(
            timeout=timeout_seconds,
            limits=limits,
            transport=transport,
            trust_env=False,
            headers={"X-Tenant-ID": tenant},
        )

    async def __aenter__(self) -> "Services":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer, 2xx in any case.

        Raises:
            ServiceRefused: no answer, or a problem; the message is fit to be shown.
        """
        try:
            answer = await self._client.request(method, url, json=json, headers=headers, params=params)
        except httpx.ConnectError as error:
            raise NothingAnswers(f"nothing answers on {_origin(url)}; {START_HINT}") from error
        except httpx.TimeoutException as error:
            raise ServiceRefused(f"{_origin(url)} did not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceRefused(f"{_origin(url)} cannot be talked to ({type(error).__name__})") from error
        if answer.is_success:
            return answer
        raise ServiceRefused(
            f"{_origin(url)} answered {answer.status_code}{_detail(answer)}",
            answer.status_code,
            _seconds(answer.headers.get("retry-after")),
        )


def running(name: str, run_dir: Path | None) -> str:
    """Return the base URL of a part of the local run, or the usual one where none runs."""
    from llama_mapper.local import directory, layout, ports, state
    from llama_mapper.local.refusal import CannotRun

    try:
        run = state.read(directory.choose(run_dir, layout.find_root()))
    except CannotRun:  # not in a checkout
        run = None
    assigned = ports.assign() | dict(run.ports() if run else {})
    return f"http://{ports.HOST}:{assigned[name]}"


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _detail(answer: httpx.Response) -> str:
    """The problem's own words; they name fields and hold no value."""
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    try:
        document: Any = answer.json()
    except ValueError:
        return ""
    detail = document.get("detail") if isinstance(document, dict) else None
    return f": {detail}" if isinstance(detail, str) else ""


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdigit() else None
