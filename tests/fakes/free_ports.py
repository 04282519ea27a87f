"""Ports of the loopback that nobody listens on."""

import random
import socket

# Below the range from which Linux draws the ports of outgoing connections (`ip_local_port_range`): a port that is free
# when asked is then not taken by somebody's connection a moment later.
_RANGE = range(15000, 32000)
_given: set[int] = set()


def free_port() -> int:
    """Return one, never the same twice in a process."""
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in _given and _nobody_listens_on(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port is free in {_RANGE}")


def _nobody_listens_on(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
