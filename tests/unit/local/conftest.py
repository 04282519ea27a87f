import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mapper.local import readiness
from llama_mapper.local.layout import Part

STAND_IN = Path(__file__).with_name("stand_in.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where stand-ins write "<port> <pid>" when they serve, "child <pid>" and "end <port>"."""
    return tmp_path / "journal"


MakePart = Callable[..., Part]


@pytest.fixture
def make_part(tmp_path: Path, journal: Path) -> MakePart:
    def make(name: str, *flags: str, needs: tuple[str, ...] = (), optional: bool = False, absent: str = "") -> Part:
        port = free_port()
        return Part(
            name=name,
            port=port,
            command=(sys.executable, "-S", str(STAND_IN), str(port), str(journal), *flags),
            environment={},
            probe=readiness.http(port),
            log=tmp_path / f"{name}.log",
            needs=needs,
            optional=optional,
            absent=absent,
        )

    return make
