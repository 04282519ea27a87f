import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app

LETTERS: list[dict[str, object]] = [
    {"id": f"{number}-0", "at": "2026-11-01T00:00:00Z", "trigger": "ns/map", "event_type": "t", "error_code": 422,
     "deliveries": 1}
    for number in (2, 1)
]  # fmt: skip


class Broker(BaseHTTPRequestHandler):
    """Stands in for the broker's dead letters; keeps what was asked."""

    asked: list[str]
    letters: list[dict[str, object]]
    url: str

    def do_GET(self) -> None:
        self.asked.append(f"GET {self.path}")
        self._answer(200, {"dead_letters": self.letters})

    def do_POST(self) -> None:
        self.asked.append(f"POST {self.path}")
        if self.path.startswith("/dead-letters/9-"):
            self._answer(404, {"detail": "there is no such dead letter"})
        else:
            self._answer(202, None)

    def _answer(self, status: int, body: object) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing is printed."""


@pytest.fixture
def broker() -> Iterator[type[Broker]]:
    class Fresh(Broker):
        """State of one test."""

    Fresh.asked, Fresh.letters = [], list(LETTERS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    Fresh.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


def call(broker: type[Broker], *words: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *words, "--url", broker.url])


def test_dead_letters_are_listed(broker: type[Broker]) -> None:
    result = call(broker, "list", "--limit", "5")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["id", "2-0", "1-0"]
    assert broker.asked == ["GET /dead-letters?limit=5"]


def test_dead_letters_are_json_for_programs(broker: type[Broker]) -> None:
    assert json.loads(call(broker, "list", "--json").stdout) == LETTERS


def test_no_dead_letters_is_said(broker: type[Broker]) -> None:
    broker.letters.clear()
    assert call(broker, "list").stdout == "no dead letters\n"


def test_one_is_replayed(broker: type[Broker]) -> None:
    assert call(broker, "replay", "2-0").stdout == "replayed 2-0\n"
    assert broker.asked == ["POST /dead-letters/2-0/replay"]


def test_all_are_replayed(broker: type[Broker]) -> None:
    assert call(broker, "replay", "--all").exit_code == 0
    assert broker.asked[1:] == ["POST /dead-letters/2-0/replay", "POST /dead-letters/1-0/replay"]


def test_one_that_is_gone_is_refused_in_the_brokers_words(broker: type[Broker]) -> None:
    result = call(broker, "replay", "9-0")
    assert result.exit_code == 1
    assert result.stderr.endswith("answered 404: there is no such dead letter\n")
