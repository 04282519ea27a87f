import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mapper.local import readiness
from llama_mapper.local.layout import Part
from tests.fakes.free_ports import free_port

STAND_IN = Path(__file__).with_name("stand_in.py")


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
