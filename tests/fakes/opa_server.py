"""OPA's REST API over HTTP: in front of OPA's own engine, or with answers that a test writes."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Evaluate = Callable[[str, Any], Any]
"""From a path such as ``llama_mapper/admission/admission`` and the input to the result; LookupError is "undefined"."""


class Canned:
    """The same bytes and status whatever is asked, after *wait* is set where there is one."""

    def __init__(self, body: bytes, status: int = 200, wait: threading.Event | None = None) -> None:
        self.body, self.status, self.wait = body, status, wait


@contextmanager
def serving(answers: Evaluate | Canned) -> Iterator[str]:
    """Serve ``/health`` and ``POST /v1/data/PATH`` on a free port; yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # in two pieces an answer waits 40 ms for the reader's acknowledgement

        def do_GET(self) -> None:
            healthy = not isinstance(answers, Canned) or answers.status == 200
            self._answer(200 if self.path == "/health" and healthy else 500, b"{}")

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"]))
            if isinstance(answers, Canned):
                if answers.wait:
                    answers.wait.wait()
                self._answer(answers.status, answers.body)
                return
            question: Mapping[str, Any] = json.loads(asked)
            try:
                result = {"result": answers(self.path.partition("?")[0].removeprefix("/v1/data/"), question["input"])}
            except LookupError:
                result = {}
            self._answer(200, json.dumps(result).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
