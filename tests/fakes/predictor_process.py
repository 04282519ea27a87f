"""An OpenAI-compatible server as a process of its own, that can be killed: it favours A, and dies when it is told to.

usage: python -m tests.fakes.predictor_process PORT [ANSWERS_BEFORE_IT_DIES]
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

from tests.fakes.predictor import answered

ROOT = Path(__file__).parents[2]
ANSWER = json.dumps(answered({"A": 0.97, "B": 0.02, "Z": 0.01}, {"=": 0.9, "<": 0.1})).encode()


def serve(port: int, answers: int | None) -> None:
    """Print a line once it listens; after *answers* completions end as a killed process does."""
    given = count(1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: in two, each answer waits for an acknowledgement

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if answers is not None and next(given) > answers:
                os.kill(os.getpid(), signal.SIGKILL)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print("listening", flush=True)  # noqa: T201 - whoever started it waits for this
    server.serve_forever()


@contextmanager
def running(port: int, answers: int | None = None) -> Iterator[None]:
    """Run the server; it listens inside the block."""
    words = [str(port), *([] if answers is None else [str(answers)])]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.predictor_process", *words],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "shared", ROOT / "inference-services/mapper")))},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"listening\n"
        yield
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
