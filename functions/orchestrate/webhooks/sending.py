"""Send one callback, to the address that was checked and to no other."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from .targets import Target

SECONDS = 10.0
"""For one sending, from connecting to the status."""
LAST_BYTES = 1024
"""Of an answer's body so much is let in, and none of it is looked at."""


class NotSent(Exception):
    """No answer came; its text is a code."""


class Sender:
    """Makes a connection for each callback: none is shared between tenants, or between two names of one machine."""

    def __init__(self, verify: ssl.SSLContext | None = None, seconds: float = SECONDS) -> None:
        limits = httpx.Limits(max_connections=20, max_keepalive_connections=0)
        transport = httpx.AsyncHTTPTransport(verify=verify or ssl.create_default_context(), limits=limits, retries=0)
        self._http = httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False, timeout=seconds)
        self._seconds = seconds

    async def send(self, target: Target, headers: Mapping[str, str], body: bytes) -> int:
        """Return the status that the receiver answered; its body is not read beyond its first bytes.

        Raises:
            NotSent: there was none in time.
        """
        url = httpx.URL(scheme=target.scheme, host=target.address, port=target.port, path=target.path)
        usual = 443 if target.scheme == "https" else 80
        named = target.host if target.port == usual else f"{target.host}:{target.port}"
        # The certificate has to be the name's (RFC 6066 server name), though the connection goes to the address.
        extensions: dict[str, Any] = {"sni_hostname": target.host} if target.scheme == "https" else {}
        sent = {"Host": named, "Content-Type": "application/json", "User-Agent": "llama-mapper-callback", **headers}
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream("POST", url, content=body, headers=sent, extensions=extensions) as answer,
            ):
                async for _ in answer.aiter_raw(LAST_BYTES):
                    break
                return answer.status_code
        except (TimeoutError, httpx.TimeoutException):
            raise NotSent("timeout") from None
        except httpx.ConnectError:
            raise NotSent("no_connection") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            raise NotSent("broken_off") from None

    async def aclose(self) -> None:
        await self._http.aclose()
