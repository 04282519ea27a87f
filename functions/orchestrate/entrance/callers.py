"""Which address a request comes from, where proxies stand in between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
IPV6_PREFIX = 64
"""One subscriber has at least a /64 (RFC 6177): counted address by address, a limit would be none."""


def address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the caller's network as text: the first address from the right that is no proxy of ours.

    Args:
        peer: who is connected.
        forwarded_for: ``X-Forwarded-For``, header by header. What stands left of an address that we do not trust was
            written by strangers, and does not count.
    """
    hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
    current = _parsed(peer or "")
    while current and hops and any(current in network for network in trusted):
        current = _parsed(hops.pop())
    if current is None:
        return "unknown"
    prefix = IPV6_PREFIX if isinstance(current, IPv6Address) else 32
    return str(ip_network((current, prefix), strict=False).network_address)


def _parsed(text: str) -> Address | None:
    """An address, without the port or the brackets that some proxies write; None where it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
