"""Which part listens where, and whether the port can be had."""

import socket
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .refusal import CannotRun

HOST = "127.0.0.1"
DEFAULT_BASE = 8000
OFFSETS: Mapping[str, int] = MappingProxyType(
    {
        "orchestrate": 0,
        "analyze": 1,
        "mapper": 2,
        "console": 80,
        "broker": 90,
        "detect": 91,
        "record": 92,
        "valkey": 93,
        "predictor": 94,
    }
)
_LOWEST, _HIGHEST = 1, 65_535


def assign(base: int = DEFAULT_BASE, overrides: Iterable[str] = ()) -> dict[str, int]:
    """Return each part's port: *base* plus the part's offset, or what a ``NAME=N`` override says.

    Raises:
        CannotRun: an override cannot be read, a port is out of range, or two parts share one.
    """
    ports = {name: base + offset for name, offset in OFFSETS.items()}
    for override in overrides:
        name, _, number = override.partition("=")
        if name not in OFFSETS or not number.isascii() or not number.isdigit():
            known = ", ".join(OFFSETS)
            raise CannotRun(f"--port takes NAME=NUMBER with one of these names: {known}")
        ports[name] = int(number)
    holders: dict[int, str] = {}
    for name, port in ports.items():
        if not _LOWEST <= port <= _HIGHEST:
            raise CannotRun(f"port {port} for {name} is not between {_LOWEST} and {_HIGHEST}")
        if port in holders:
            raise CannotRun(
                f"{holders[port]} and {name} cannot both have port {port}; set one with --port {name}=NUMBER"
            )
        holders[port] = name
    return ports


def is_free(port: int) -> bool:
    """Say whether a server could listen on *port* of the loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a run that just ended, still in TIME_WAIT, do not count as "in use".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def in_use(name: str, port: int) -> str:
    """The message for a taken port."""
    return f"port {port} for {name} is in use; choose another with --port {name}=NUMBER, or move all with --port-base"
