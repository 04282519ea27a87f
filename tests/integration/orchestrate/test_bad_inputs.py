"""What nobody honest sends, over the wire to the server as it is deployed."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.bad_inputs import CANARY, PATH, TABLE, BadInput, content, request
from tests.fakes.front_door import front_door
from tests.fakes.services import standing

pytestmark = pytest.mark.slow
SERVERS_OWN = (b"Invalid HTTP request received.", b"Method Not Allowed")
DOCUMENT = Path(__file__).parents[3] / "docs" / "input-hardening.md"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    log = tmp_path_factory.mktemp("front-door") / "log"
    with standing() as services, front_door(services.url, log=log) as port:
        yield port
    assert CANARY not in log.read_text("utf-8")


def exchange(port: int, sent: bytes) -> tuple[int, str, bytes]:
    """Send *sent* as it is; return the status, the media type and the body of the first answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        with suppress(OSError):  # the server has answered and closed before it read everything
            wire.sendall(sent)
        received = b""
        with suppress(ConnectionResetError):
            while more := wire.recv(65_536):
                received += more
    head, _, body = received.partition(b"\r\n\r\n")
    media_type = re.search(rb"(?im)^content-type: ([^\r;]+)", head)
    return int(head.split()[1]), media_type[1].decode() if media_type else "", body


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_a_bad_input_is_refused_by_name_and_never_quoted(bad: BadInput, port: int) -> None:
    status, media_type, body = exchange(port, bad.sent)
    assert (status, CANARY.encode() in body) == (bad.status, False), body[:300]
    if bad.error_code is None:
        assert (media_type, body in SERVERS_OWN) == ("text/plain", True)
    else:
        assert media_type == "application/problem+json"
        assert json.loads(body)["error_code"] == bad.error_code


def test_after_all_of_it_the_server_still_judges(port: int) -> None:
    status, media_type, body = exchange(port, request(content(detector_types=["words"])))
    assert (status, media_type) == (200, "application/json"), body


def test_a_second_request_in_a_body_is_no_request(port: int) -> None:
    smuggled = content(detector_types=["words"]).encode()
    inner = b"GET /api/v1/detectors HTTP/1.1\r\nHost: localhost\r\n\r\n"
    _, _, body = exchange(port, request(smuggled + inner, length=len(smuggled)))
    assert body.count(b"HTTP/1.1") == 0


def test_a_body_that_stops_is_not_waited_for_by_others(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(request(b'{"content": ', length=100))
        status, _, _ = exchange(port, request(content(detector_types=["words"])))
    assert status == 200


def test_the_table_of_the_documentation_is_this_one() -> None:
    rows = re.findall(r"^\| (.+?) \| (\d{3}) \| (.+?) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert rows == [(bad.name, str(bad.status), f"`{bad.error_code}`" if bad.error_code else "–") for bad in TABLE]
    assert len({bad.name for bad in TABLE}) == len(TABLE)


def test_nothing_in_the_table_is_our_fault() -> None:
    assert all(400 <= bad.status < 500 for bad in TABLE)
    assert PATH in TABLE[0].sent.decode()
