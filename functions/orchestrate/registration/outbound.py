"""Calls to addresses that callers gave us: where a name leads is judged at every connection, not once at the start.

The connection goes to the very address that was judged, so a name that resolves to something else a moment later
(DNS rebinding) gains nothing. Redirects are the caller's to refuse; proxies of the environment are not used.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from ..entrance.callers import Network
from ..webhooks.targets import Address, Resolver, look_up, public

_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)+([a-z0-9-]+)\.svc(?:\.cluster\.local)?\.?")
RESOLVE_SECONDS = 2.0
CONNECT_SECONDS = 10.0


class NotAllowed(httpx.ConnectError):
    """The host leads to an address that callers may not make us call."""


class NoAddress(httpx.ConnectError):
    """The host has no address."""


class Guard:
    """Judges hosts. *networks* may be called though they are private; Services of the cluster are in private ones."""

    def __init__(self, networks: Iterable[Network] = (), resolver: Resolver = look_up) -> None:
        self._networks = tuple(networks)
        self._resolver = resolver

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where *host* leads; all of its addresses must be allowed.

        Raises:
            NoAddress, NotAllowed
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = [ip_address(text.partition("%")[0]) for text in await self._resolver(host, port)]
        except (OSError, UnicodeError, ValueError, TimeoutError):
            found = []
        if not found:
            raise NoAddress("the host has no address")
        if not all(self._allowed(address, namespace(host) is not None) for address in found):
            raise NotAllowed("the host leads to an address that is not public")
        return [str(address) for address in found]

    def _allowed(self, address: Address, inside: bool) -> bool:
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        # A Service's address is private; one of the machine itself or of the cloud's metadata is nobody's Service.
        special = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
        return public(address) or (inside and not special and not address.is_reserved and not address.is_global)


def namespace(host: str) -> str | None:
    """The namespace of a Service of the cluster by its name; None for any other host."""
    found = _SERVICE.fullmatch(host)
    return found.group(1) if found else None


class _Connecting(httpcore.AsyncNetworkBackend):
    """Connects to what the guard allows, and to nothing else."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base's name
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = httpcore.ConnectError("no address")
        for address in await self._guard.addresses(host, port):
            try:
                return await self._sockets.connect_tcp(
                    address, port, timeout or CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx's transport with a guard at each connection; certificates are checked against the name that was given."""

    def __init__(self, guard: Guard, context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context or httpx.create_ssl_context(trust_env=False),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=15.0,
            network_backend=_Connecting(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _translated():
            answer = await self._pool.handle_async_request(asked)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=dict(answer.extensions)
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class ConnectWithin(httpx.AsyncBaseTransport):
    """*transport*, which is shared, with a time of its own for connecting."""

    def __init__(self, transport: httpx.AsyncBaseTransport, seconds: float) -> None:
        self._transport, self._seconds = transport, seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        stated = request.extensions.get("timeout") or {}
        request.extensions = {**request.extensions, "timeout": {**stated, "connect": self._seconds}}
        return await self._transport.handle_async_request(request)


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with _translated():
            await self._answer.aclose()


@contextmanager
def _translated() -> Iterator[None]:
    """httpcore's failures as httpx's, which callers know."""
    try:
        yield
    except httpcore.ConnectTimeout as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except httpcore.ConnectError as error:
        raise httpx.ConnectError(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise httpx.NetworkError(str(error)) from error
