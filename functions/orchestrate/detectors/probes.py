"""The cheapest question that tells whether a detector is there; content never goes along."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx

from llama_mapper.contracts.problems import ErrorCode

Probe = Callable[[], Awaitable[ErrorCode | None]]
"""Why it is not well, None where it is; never raises."""

PROBE_SECONDS = 2.0
_V1 = re.compile(r"(.*/v1/models/[^/:]+):predict$")
_V2 = re.compile(r"(.*/v2/models/[^/]+(?:/versions/[^/]+)?)/infer$")


def ready_url(predict_url: str) -> str | None:
    """Where a KServe model says whether it is ready; None where *predict_url* is neither protocol's."""
    if found := _V1.match(predict_url):
        return found.group(1)
    if found := _V2.match(predict_url):
        return f"{found.group(1)}/ready"
    return None


def probing(client: httpx.AsyncClient, url: str) -> Probe:
    """GET *url*. A 4xx is an answer: the server is there, even where it does not serve this path or wants a key."""

    async def probe() -> ErrorCode | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                response = await client.get(url, timeout=PROBE_SECONDS, follow_redirects=False)
        except (TimeoutError, httpx.TimeoutException):
            return "REQUEST_TIMEOUT"
        except httpx.HTTPError:
            return "UNAVAILABLE"
        if response.status_code == 429:
            return "DETECTOR_OVERLOADED"
        if response.status_code >= 500 or not _is_ready(response):
            return "UNAVAILABLE"
        return None

    return probe


def connecting(url: str) -> Probe:
    """Open a connection to the host of *url*, for APIs that have no health resource: a call would be billed."""
    address = httpx.URL(url)
    port = address.port or (443 if address.scheme == "https" else 80)

    async def probe() -> ErrorCode | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                _, writer = await asyncio.open_connection(address.host, port)
        except TimeoutError:
            return "REQUEST_TIMEOUT"
        except OSError:
            return "UNAVAILABLE"
        writer.close()
        return None

    return probe


def _is_ready(response: httpx.Response) -> bool:
    """False where the answer says ``"ready": false``, as KServe's V1 protocol does while a model loads."""
    if response.status_code != 200 or "json" not in response.headers.get("content-type", ""):
        return True
    try:
        said = response.json()
    except ValueError:
        return True
    return not (isinstance(said, dict) and str(said.get("ready", True)).lower() == "false")
