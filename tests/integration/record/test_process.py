"""record as it is deployed: functions-framework in a process of its own, killed in the middle of its life."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fakes.free_ports import free_port
from tests.unit.record import samples

pytest.importorskip("chdb", reason="the embedded engine is not installed")

ROOT = Path(__file__).parents[3]
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
CONNECT_RETRIES = 8  # httpx waits 0.5 s, 1 s, 2 s, ... between them


@contextmanager
def running(folder: Path, stop: signal.Signals) -> Iterator[httpx.Client]:
    port = free_port()
    environment = os.environ | {
        "FUNCTION_TARGET": "handle",
        "FUNCTION_SOURCE": "functions/record/main.py",
        "FUNCTION_USE_ASGI": "true",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PYTHONPATH": "shared",
        "RECORD_DSN": f"chdb://{folder}/rows",
    }
    command = [sys.executable, "-c", "from functions_framework._cli import _cli; _cli()"]
    # A session of its own: the server forks its worker, and a kill must reach both.
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        transport = httpx.HTTPTransport(retries=CONNECT_RETRIES)
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        if stop is signal.SIGKILL:
            os.killpg(process.pid, stop)
        else:
            process.send_signal(stop)
        process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_answered_event_survives_the_end_of_the_process(tmp_path: Path, stop: signal.Signals) -> None:
    event = samples.event("findings.mapped.v1.orchestrate")
    with running(tmp_path, stop) as client:
        assert client.post("/events", json=event, headers=STRUCTURED).status_code == 204
    with running(tmp_path, signal.SIGTERM) as client:
        assert client.post("/events", json=event, headers=STRUCTURED).status_code == 204
        found = client.get("/api/v1/findings", headers={"X-Tenant-ID": "demo"}).json()["findings"]
        assert [row["label"] for row in found] == ["PII.Contact.Email"]
