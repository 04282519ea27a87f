"""Where a callback may go: a public https address, looked up once and then held to.

Two checks, as an address is text when it is given and a machine only when it is called. ``Targets.check`` looks at the
text; ``Targets.resolve`` looks the name up, refuses it where any of its addresses is not public, and returns the one
to connect to, so that a second look-up cannot give another (DNS rebinding).
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.jobs import CALLBACK_HEADER, CallbackUrl
from llama_mapper.contracts.problems import FieldError, InvalidRequest

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text; raises OSError where it has none."""

EVERYBODY = "*"
_LOOPBACK = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_URL: TypeAdapter[str] = TypeAdapter(CallbackUrl)
# Global by IANA's registries, and still not somebody's server: what they lead to is chosen by what is inside them,
# or is the machine's own provider.
_NOT_PUBLIC: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(one)
    for one in (
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is one of them
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated (SIIT)
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)


class TargetRefused(Exception):
    """The address is not one that may be called; its text is a code, never the address."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and what the machine there is called."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def public(address: Address) -> bool:
    """Whether *address* is on the public internet, and leads nowhere else."""
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


async def look_up(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


class Targets:
    """*hosts* are the names that a tenant (``*``: any other) may name: ``example.org`` or ``*.example.org``.

    A tenant without a list may name any public host. *loopback* lets callbacks go to this machine, over http: for a
    laptop.
    """

    def __init__(
        self,
        hosts: Mapping[str, Sequence[str]] | None = None,
        ports: Sequence[int] = (443,),
        *,
        loopback: bool = False,
        resolver: Resolver = look_up,
    ) -> None:
        self._hosts = hosts or {}
        self._ports = frozenset(ports)
        self._loopback = loopback
        self._resolver = resolver

    def check(self, url: str, tenant_id: TenantId, among: Sequence[str] | None = None) -> str:
        """Return *url* where it may be called, as far as its text says; *among* is the tenant's own list.

        Raises:
            InvalidRequest: what is wrong with it; the address is not quoted.
        """
        try:
            self._parsed(url, tenant_id, among)
        except TargetRefused as refused:
            error = FieldError(field=f"header.{CALLBACK_HEADER}", message=_WORDS[str(refused)])
            raise InvalidRequest(f"check: header.{CALLBACK_HEADER}", errors=(error,)) from None
        return url

    async def resolve(self, url: str, tenant_id: TenantId, among: Sequence[str] | None = None) -> Target:
        """Say where to connect for *url*; *among* is the tenant's own list as it is now.

        Raises:
            TargetRefused: not there.
            OSError: the name has no address now.
        """
        scheme, host, port, path = self._parsed(url, tenant_id, among)
        found = [_parsed_address(one) for one in await self._resolver(host, port)]
        if not found:
            raise OSError("no address")
        allowed = (lambda one: one.is_loopback) if scheme == "http" else public
        # All of them: a name with one private address among public ones is a trap, or a fault.
        if not all(allowed(one) for one in found):
            raise TargetRefused("target.not_public")
        return Target(scheme, host, port, path, str(found[0]))

    def _parsed(self, url: str, tenant_id: TenantId, among: Sequence[str] | None) -> tuple[str, str, int, str]:
        scheme, host, port, path = self._allowed(url, tenant_id)
        if among is not None and not _listed(host, among):
            raise TargetRefused("target.host")
        return scheme, host, port, path

    def _allowed(self, url: str, tenant_id: TenantId) -> tuple[str, str, int, str]:
        if self._loopback and _LOOPBACK.fullmatch(url):
            parts = urlsplit(url)
            return "http", str(parts.hostname), _port(parts, 80), parts.path or "/"
        try:
            parts = urlsplit(_URL.validate_python(url))
        except (ValidationError, ValueError):
            raise TargetRefused("target.not_plain") from None
        host, port = str(parts.hostname), _port(parts, 443)
        if port not in self._ports:
            raise TargetRefused("target.port")
        if not self._may_name(host, tenant_id):
            raise TargetRefused("target.host")
        return "https", host, port, parts.path or "/"

    def _may_name(self, host: str, tenant_id: TenantId) -> bool:
        names = self._hosts.get(tenant_id, self._hosts.get(EVERYBODY))
        if names is None:
            return True
        return _listed(host, names)


def _listed(host: str, names: Sequence[str]) -> bool:
    return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in names)


_WORDS = {
    "target.not_plain": "an https address by name, without user, query and fragment",
    "target.port": "that port is not called from here",
    "target.host": "that host is not on the list of hosts that may be called",
}


def _port(parts: Any, default: int) -> int:
    try:
        return int(parts.port or default)
    except ValueError:
        raise TargetRefused("target.not_plain") from None


def _parsed_address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise TargetRefused("target.not_public") from None
