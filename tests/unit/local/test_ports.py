import socket

import pytest

from llama_mapper.local import ports
from llama_mapper.local.refusal import CannotRun


def test_the_usual_ports() -> None:
    assert ports.assign() == {
        "orchestrate": 8000,
        "analyze": 8001,
        "mapper": 8002,
        "console": 8080,
        "broker": 8090,
        "detect": 8091,
        "record": 8092,
        "valkey": 8093,
        "predictor": 8094,
    }


def test_another_base_moves_all() -> None:
    assert [port - 10_000 for port in ports.assign(18_000).values()] == list(ports.assign().values())


def test_one_port_can_be_set() -> None:
    assert ports.assign(8000, ["console=9000"])["console"] == 9000


def test_the_last_of_two_overrides_holds() -> None:
    assert ports.assign(8000, ["console=9000", "console=9001"])["console"] == 9001


@pytest.mark.parametrize(
    "override", ["", "console", "console=", "=9000", "consol=9000", "console=http", "console=-1", "console=٣"]
)
def test_an_override_that_cannot_be_read_is_refused(override: str) -> None:
    with pytest.raises(CannotRun, match="--port takes NAME=NUMBER with one of these names: orchestrate, "):
        ports.assign(8000, [override])


@pytest.mark.parametrize(("base", "overrides"), [(0, []), (65_500, []), (8000, ["mapper=0"]), (8000, ["mapper=65536"])])
def test_a_port_out_of_range_is_refused(base: int, overrides: list[str]) -> None:
    with pytest.raises(CannotRun, match="is not between 1 and 65535"):
        ports.assign(base, overrides)


def test_two_parts_cannot_share_a_port() -> None:
    with pytest.raises(CannotRun, match="orchestrate and console cannot both have port 8000; set one with --port cons"):
        ports.assign(8000, ["console=8000"])


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind((ports.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
    assert ports.is_free(port)
