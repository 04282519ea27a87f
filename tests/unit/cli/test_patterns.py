"""`llama-mapper patterns` against an analyze that says what a test wants."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app

PERIOD = {"start": "2026-11-02T00:00:00Z", "end": "2026-11-09T00:00:00Z"}
FOUND: dict[str, Any] = {
    "kind": "temporal",
    "labels": ["PII.Contact.Email"],
    "detectors": ["presidio"],
    "period": PERIOD,
    "effect": "burst-rate-ratio",
    "effect_size": 4.2,
    "interval": {"low": 3.1, "high": None, "level": 0.95},
    "p_value": 1e-9,
    "q_value": 1e-8,
    "evidence_query": "requests-with-source",
    "explanation": "It came in a burst.",
}
ASKED: list[dict[str, Any]] = []


class Analyze(BaseHTTPRequestHandler):
    answer: dict[str, Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        ASKED.append({"tenant": self.headers["X-Tenant-ID"], "path": self.path, **json.loads(body)})
        content = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing goes to the test's stderr."""


@pytest.fixture
def url() -> Iterator[str]:
    ASKED.clear()
    Analyze.answer = {"period": PERIOD, "series_tested": 12, "series_left_out": 3, "patterns": [FOUND]}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Analyze)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["patterns", *arguments], env={"COLUMNS": "160"})


def test_patterns_are_shown_with_how_sure_they_are(url: str) -> None:
    result = run("--url", url, "--last", "12h", "--kind", "temporal", "--tenant", "acme")
    assert result.exit_code == 0, result.output
    assert "12 series tested, 3 rarer ones left out, 1 patterns" in result.output
    for word in ("It came in a burst.", "4.20", "3.10–", "<0.0001"):
        assert word in result.output
    assert (ASKED[0]["tenant"], ASKED[0]["path"], ASKED[0]["kinds"]) == ("acme", "/api/v1/patterns", ["temporal"])


def test_programs_get_json(url: str) -> None:
    assert json.loads(run("--url", url, "--json").output)["patterns"][0] == FOUND


def test_too_little_is_said(url: str) -> None:
    Analyze.answer = {"period": PERIOD, "series_tested": 0, "patterns": []}
    assert "too little is kept" in run("--url", url).output


@pytest.mark.parametrize("last", ["7", "0d", "32d", "745h", "-1d", "a week"])
def test_a_span_that_cannot_be_is_refused(last: str) -> None:
    result = run("--last", last, "--url", "http://127.0.0.1:1")
    assert result.exit_code == 2
    assert "--last" in result.output
