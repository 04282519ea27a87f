"""Ports of the loopback that nobody listens on."""

import socket


def free_port() -> int:
    """Return one; the kernel gives each number out again only after many others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
