"""orchestrate in a process of its own, served as its image serves it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.fakes.free_ports import free_port
from tests.fakes.services import BROKER

ROOT = Path(__file__).parents[2]
CONNECT_RETRIES = 8  # httpx waits 0.5 s, 1 s, 2 s, ... between them


@contextmanager
def front_door(services: str, settings: Mapping[str, str] | None = None, log: Path | None = None) -> Iterator[int]:
    """Give the port of an orchestrate that asks the server at *services* for everything."""
    port = free_port()
    environment = os.environ | {
        "FUNCTION_TARGET": "handle",
        "FUNCTION_SOURCE": "functions/orchestrate/main.py",
        "PYTHONPATH": "shared",
        "ORCHESTRATION_DETECT_URL": services,
        "ORCHESTRATION_MAPPER_URL": services,
        "ORCHESTRATION_ANALYZE_URL": services,
        "K_SINK": services + BROKER,
        "ORCHESTRATION_HMAC_KEY": "a key of the test",
        "ORCHESTRATION_REQUESTS_PER_MINUTE": "100000",
        "ORCHESTRATION_REQUESTS_PER_MINUTE_ADDRESS": "100000",
        **(settings or {}),
    }
    command = [sys.executable, "-m", "uvicorn", "functions_framework.aio:app", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--lifespan", "on", "--no-server-header", "--no-access-log"]
    with (log or Path(os.devnull)).open("w") as lines:
        process = subprocess.Popen(
            [*command, "--log-level", "warning"], cwd=ROOT, env=environment, stdout=lines, stderr=lines
        )
    try:
        transport = httpx.HTTPTransport(retries=CONNECT_RETRIES)
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            client.get("/health").raise_for_status()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)
