import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.letters import Letters
from llama_mapper.cli.main import app

LETTERS: list[dict[str, object]] = [
    {"id": f"{number}-0", "at": "2026-11-01T00:00:00Z", "trigger": "ns/map", "event_type": "t", "error_code": 422,
     "deliveries": 1}
    for number in (2, 1)
]  # fmt: skip


DETAIL = {
    **LETTERS[0],
    "event_id": "e1",
    "event_source": "/s",
    "error_destination": "http://127.0.0.1:8001/events",
    "error_data": base64.b64encode(b'{"detail": "event data not valid: labels"}\x1b[31m').decode(),
    "tenant_id": "demo",
    "correlation_id": None,
    "data_bytes": 412,
}


class Broker(BaseHTTPRequestHandler):
    """Stands in for the broker's dead letters; keeps what was asked."""

    asked: list[str]
    letters: list[dict[str, object]]
    url: str

    def do_GET(self) -> None:
        self.asked.append(f"GET {self.path}")
        path, _, query = self.path.partition("?")
        if path != "/dead-letters":
            self._answer(200, DETAIL)
            return
        before = parse_qs(query).get("before", [""])[0]
        limit = int(parse_qs(query)["limit"][0])
        after = [letter["id"] for letter in self.letters].index(before) + 1 if before else 0
        self._answer(200, {"dead_letters": self.letters[after : after + limit]})

    def do_DELETE(self) -> None:
        self.asked.append(f"DELETE {self.path}")
        if self.path.startswith("/dead-letters/9-"):
            self._answer(404, {"detail": "there is no such dead letter"})
        else:
            self._answer(204, None)

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


def call(broker: type[Broker], *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["dead-letters", *words, "--url", broker.url], input=stdin)


def test_dead_letters_are_listed(broker: type[Broker]) -> None:
    result = call(broker, "list", "--limit", "5")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["id", "2-0", "1-0"]
    assert broker.asked == ["GET /dead-letters?limit=5"]


def test_an_id_stands_on_one_line_however_narrow_the_terminal(
    broker: type[Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.letters[:] = [
        {**LETTERS[0], "id": "1795437927929-1", "trigger": "ns/b/t", "event_type": "io.llama-mapper.x"}
    ]
    monkeypatch.setenv("COLUMNS", "72")
    assert call(broker, "list").stdout.splitlines()[-1].split() == [
        "1795437927929-1", "2026-11-01", "00:00:00", "t", "x", "422", "1"
    ]  # fmt: skip


def test_dead_letters_are_json_for_programs(broker: type[Broker]) -> None:
    assert json.loads(call(broker, "list", "--json").stdout) == LETTERS


def test_no_dead_letters_is_said(broker: type[Broker]) -> None:
    broker.letters.clear()
    assert call(broker, "list").stdout == "no dead letters\n"


def test_one_is_replayed(broker: type[Broker]) -> None:
    assert call(broker, "replay", "2-0").stdout == "replayed 2-0\n"
    assert broker.asked == ["POST /dead-letters/2-0/replay"]


def test_the_list_can_be_held_to_a_trigger_a_type_and_a_status(broker: type[Broker]) -> None:
    assert call(broker, "list", "--trigger", "map", "--type", "a&b", "--status", "422").exit_code == 0
    assert broker.asked == ["GET /dead-letters?limit=100&trigger=map&event_type=a%26b&error_code=422"]


def test_one_is_shown_with_what_was_answered_and_nothing_that_steers_a_terminal(broker: type[Broker]) -> None:
    result = call(broker, "show", "2-0")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert {"event t e1 from /s", "tenant demo", "data kept 412 bytes", "last answer 422"} <= set(lines)
    assert 'it said {"detail": "event data not valid: labels"} [31m' in lines
    assert "correlation id" not in result.stdout
    assert "\x1b" not in result.stdout
    assert json.loads(call(broker, "show", "2-0", "--json").stdout) == DETAIL


def test_all_are_replayed_oldest_first(broker: type[Broker]) -> None:
    result = call(broker, "replay", "--all")
    assert (result.stdout, result.stderr) == ("replayed 1-0\nreplayed 2-0\n", "2 replayed\n")
    assert broker.asked[1:] == ["POST /dead-letters/1-0/replay", "POST /dead-letters/2-0/replay"]


def test_all_of_a_trigger_are_replayed(broker: type[Broker]) -> None:
    assert call(broker, "replay", "--all", "--trigger", "map").exit_code == 0
    assert broker.asked[0] == "GET /dead-letters?limit=1000&trigger=map"


def test_all_are_more_than_one_page(broker: type[Broker]) -> None:
    broker.letters[:] = [{**LETTERS[0], "id": f"{number}-0"} for number in range(2000, 900, -1)]
    assert Letters(broker.url).ids("map", None, None) == [f"{number}-0" for number in range(901, 2001)]
    first = "GET /dead-letters?limit=1000&trigger=map"
    assert broker.asked == [first, f"{first}&before=1001-0"]


def test_one_of_all_that_went_meanwhile_is_no_failure(broker: type[Broker]) -> None:
    broker.letters.append({**LETTERS[0], "id": "9-0"})
    result = call(broker, "replay", "--all")
    assert (result.exit_code, result.stderr) == (0, "2 replayed\n")


def test_one_is_discarded(broker: type[Broker]) -> None:
    assert call(broker, "discard", "2-0", "--yes").stdout == "discarded 2-0\n"
    assert broker.asked == ["DELETE /dead-letters/2-0"]


@pytest.mark.parametrize(("said", "status", "asked"), [("y\n", 0, 3), ("n\n", 1, 1), ("", 1, 1)])
def test_all_are_discarded_when_a_person_says_so(broker: type[Broker], said: str, status: int, asked: int) -> None:
    result = call(broker, "discard", "--all", stdin=said)
    assert (result.exit_code, len(broker.asked)) == (status, asked)
    assert "forget 2 for good?" in result.stderr


@pytest.mark.parametrize("command", ["list", "replay", "discard"])
def test_none_of_those_asked_for_is_said(broker: type[Broker], command: str) -> None:
    broker.letters.clear()
    words = [command, "--trigger", "map", *([] if command == "list" else ["--all"])]
    assert call(broker, *words).stdout == "none of these\n"


@pytest.mark.parametrize("words", [("replay", "1-0", "--status", "422"), ("discard", "1-0", "--trigger", "map")])
def test_ids_and_a_choice_do_not_go_together(broker: type[Broker], words: tuple[str, ...]) -> None:
    result = call(broker, *words)
    assert (result.exit_code, result.stderr) == (2, "error: --trigger, --type and --status go with --all\n")
    assert broker.asked == []


def test_one_that_is_gone_is_refused_in_the_brokers_words(broker: type[Broker]) -> None:
    result = call(broker, "replay", "9-0")
    assert result.exit_code == 1
    assert result.stderr.endswith("answered 404: there is no such dead letter\n")
