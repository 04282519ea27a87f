"""CPU time a request takes through the chassis without spans, and with every one of them made and exported.

usage: .venv/bin/python -m tests.performance.tracing_cost [requests]
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time

import httpx
from pydantic import BaseModel

from llama_mapper.chassis.app import create_app

ROUNDS = 5


class Echo(BaseModel):
    text: str


async def microseconds(requests: int) -> float:
    """CPU time of one POST, this process's client included."""
    app = create_app("a-service", "1", log_level="WARNING")

    @app.post("/echo")
    async def echo(body: Echo) -> Echo:
        return body

    body = {"text": "a" * 500}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        for _ in range(100):
            await client.post("/echo", json=body)
        started = time.process_time()
        for _ in range(requests):
            assert (await client.post("/echo", json=body)).status_code == 200
        return (time.process_time() - started) / requests * 1e6


def measured(exporter: str, requests: int) -> float:
    """In a process of its own: there is one provider a process."""
    command = [sys.executable, "-m", "tests.performance.tracing_cost", "--one", str(requests)]
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": exporter}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stderr.splitlines()[-1])


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(asyncio.run(microseconds(int(sys.argv[2]))), file=sys.stderr)
        return
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    rounds = [{exporter: measured(exporter, requests) for exporter in ("none", "console")} for _ in range(ROUNDS)]
    for exporter in ("none", "console"):
        middle = statistics.median(one[exporter] for one in rounds)
        print(f"{exporter:8} {middle:7.0f} µs CPU a request, median of {ROUNDS} rounds of {requests:,}")
    ratio = statistics.median(one["console"] / one["none"] for one in rounds)
    print(f"with spans a request takes {ratio:.2f} times as long")


if __name__ == "__main__":
    main()
