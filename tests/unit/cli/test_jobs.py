"""`llama-mapper jobs` against a service that says what a test wants."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from llama_mapper.contracts.problems import Conflict, InternalError

from .conftest import MakeAnswer

AT = "2026-11-20T08:30:00Z"
JOB: dict[str, Any] = {
    "id": "job-0001", "status": "queued", "progress": 0.0, "created_at": AT, "updated_at": AT, "expires_at": AT
}  # fmt: skip
PATH = "/api/v1/jobs/job-0001"
DONE = JOB | {"status": "succeeded", "progress": 1.0, "result": f"{PATH}/result"}
FAILED = JOB | {"status": "failed", "problem": InternalError("a reason").document("corr-0001").model_dump()}


class Service(BaseHTTPRequestHandler):
    """Gives the answers of a path in turn, the last one for ever."""

    answers: dict[str, list[tuple[int, Any]]]
    asked: list[tuple[str, str, dict[str, str], bytes]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        left = self.answers[f"{self.command} {self.path}"]
        status, said = left.pop(0) if len(left) > 1 else left[0]
        self.send_response(status)
        kind = "application/json" if status < 400 else "application/problem+json"
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Service.answers, Service.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(url: str, *words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["jobs", *words, "--url", url], input=stdin)


def test_a_file_is_submitted_and_the_id_printed(url: str, tmp_path: Path) -> None:
    Service.answers = {"POST /api/v1/jobs": [(202, JOB)]}
    (tmp_path / "letter.txt").write_text("some text")
    hook = "https://example.org/done"
    done = run(
        url, "submit", str(tmp_path / "letter.txt"), "--priority", "low", "--detector", "pii", "--callback", hook
    )
    assert (done.exit_code, done.stdout) == (0, "job-0001\n")
    ((_, _, headers, body),) = Service.asked
    assert json.loads(body) == {"content": "some text", "priority": "low", "detector_types": ["pii"]}
    assert (headers["X-Callback-URL"], headers["X-Tenant-ID"]) == (hook, "demo")


def test_a_pipe_is_submitted_waited_for_and_its_result_printed(url: str, make_answer: MakeAnswer) -> None:
    answer = make_answer()
    Service.answers = {
        "POST /api/v1/jobs": [(202, JOB)],
        f"GET {PATH}": [(200, JOB), (200, DONE)],
        f"GET {PATH}/result": [(200, answer.model_dump(mode="json"))],
    }
    done = run(url, "submit", "-", "--wait", stdin="some text")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["request_id"] == answer.request_id


def test_a_job_that_failed_says_why_and_ends_with_1(url: str) -> None:
    Service.answers = {f"GET {PATH}": [(200, FAILED)]}
    done = run(url, "wait", "job-0001")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "job-0001 failed: a reason" in done.stderr


def test_jobs_are_listed(url: str) -> None:
    Service.answers = {"GET /api/v1/jobs?limit=20": [(200, {"jobs": [DONE, FAILED], "next_cursor": None})]}
    done = run(url, "list")
    assert done.exit_code == 0
    assert all(word in done.stdout for word in ("job-0001", "succeeded", "100%", "INTERNAL_ERROR"))
    assert len(json.loads(run(url, "list", "--json").stdout)["jobs"]) == 2


def test_one_job_is_shown(url: str) -> None:
    Service.answers = {f"GET {PATH}": [(200, JOB)]}
    assert json.loads(run(url, "show", "job-0001").stdout)["status"] == "queued"


def test_a_job_is_cancelled_or_one_line_says_why_not(url: str) -> None:
    ended = Conflict("the job has ended already").document("corr-0001").model_dump()
    Service.answers = {f"DELETE {PATH}": [(200, JOB | {"status": "cancelled"}), (409, ended)]}
    assert run(url, "cancel", "job-0001").stdout == "job-0001 cancelled\n"
    refused = run(url, "cancel", "job-0001")
    assert refused.exit_code == 1
    assert "the job has ended already" in refused.stderr
    assert len(Service.asked) == 2, "a refusal is not tried again"


def test_a_file_that_is_no_text_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\xfe\xff")
    refused = run(url, "submit", str(tmp_path / "picture"))
    assert (refused.exit_code, Service.asked) == (1, [])
