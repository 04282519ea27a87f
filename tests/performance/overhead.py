"""What orchestrate adds to its detectors: the same detectors asked in one process, and through the whole system.

usage: .venv/bin/python -m tests.performance.overhead [seconds a row] [run directory]

Rows: the detectors alone (detect's own code, without HTTP), then `POST /api/v1/orchestrate` that judges anew
(`Cache-Control: no-cache`), then the same content again out of the response cache; each at 1, 8 and 32 clients.
CPU is that of all parts of the system together; "requests a core" is requests for each second of it.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from functions.detect.adapters import open_runtime
from functions.detect.settings import Settings
from llama_mapper.contracts.detection import DetectRequest
from llama_mapper.local import state
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.ports import OFFSETS
from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
CONTENT = "Please send the contract to anna.schmidt@example.org, she is the one who asked for it on Monday. Thank you!"
DETECTORS = ("presidio", "llama-mapper-regex", "detect-secrets", "tox-block", "minilm-injection", "jailguard")
CLIENTS = (1, 8, 32)
PARTS = ("orchestrate", "detect", "mapper", "analyze")


@dataclass
class Row:
    name: str
    clients: int
    milliseconds: list[float] = field(default_factory=list)
    refused: int = 0
    partial: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


async def drive(row: Row, seconds: float, ask: Callable[[], Awaitable[int]], cpu: Callable[[], float]) -> Row:
    """Ask by *row.clients* clients for *seconds*; *ask* returns the status."""
    before, started = cpu(), time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            status = await ask()
            if status in (429, 503):
                row.refused += 1
                await asyncio.sleep(0.05)  # a client that is told to come again does not spin
                continue
            row.partial += status == 206
            row.milliseconds.append((time.perf_counter() - begun) * 1000)

    await asyncio.gather(*(client() for _ in range(row.clients)))
    row.seconds, row.cpu_seconds = time.perf_counter() - started, cpu() - before
    return row


async def alone(seconds: float) -> list[Row]:
    """The detectors in this process, as many threads as detect has."""
    runtime = open_runtime(Settings())
    request = DetectRequest.model_validate({"content": CONTENT, "detectors": DETECTORS, "timeout_seconds": 60})

    async def ask() -> int:
        return 200 if all(r.status == "ok" for r in (await runtime.detect(request)).reports) else 206

    for _ in range(3):
        await ask()
    rows = [await drive(Row("detectors alone", clients), seconds, ask, time.process_time) for clients in CLIENTS]
    runtime.close()
    return rows


async def through(url: str, pids: list[int], seconds: float) -> list[Row]:
    limits = httpx.Limits(max_connections=64)

    def cpu() -> float:
        return sum(_cpu_seconds(pid) for pid in pids)

    rows = []
    async with httpx.AsyncClient(base_url=url, headers={"X-Tenant-ID": "demo"}, timeout=60, limits=limits) as http:
        # The cache first: what an overloaded system answers by fallbacks is not kept.
        for name, headers in (("orchestrate, cached", {}), ("orchestrate", {"Cache-Control": "no-cache"})):

            async def ask(headers: dict[str, str] = headers) -> int:
                body = {"content": CONTENT, "priority": "low"}
                return (await http.post("/api/v1/orchestrate", json=body, headers=headers)).status_code

            for _ in range(5):
                await ask()
            rows += [await drive(Row(name, clients), seconds, ask, cpu) for clients in CLIENTS]
    return rows


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5): fields 14 and 15 of its stat)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def told(row: Row, baseline: Row) -> str:
    p50, p99 = statistics.median(row.milliseconds), statistics.quantiles(row.milliseconds, n=100)[-1]
    rate = len(row.milliseconds) / row.seconds
    times = p50 / statistics.median(baseline.milliseconds)
    return (
        f"| {row.name} | {row.clients} | {len(row.milliseconds)} | {p50:.0f} | {p99:.0f} | {times:.2f} "
        f"| {rate:.1f} | {len(row.milliseconds) / row.cpu_seconds:.1f} | {row.partial} | {row.refused} |"
    )


def main(seconds: float, place: Path) -> None:
    cli = [sys.executable, "-m", "llama_mapper.cli"]
    directory = RunDirectory(place)
    ports = {name: free_port() for name in OFFSETS}
    run = ["--run-dir", str(place)]
    flags = [word for name, port in ports.items() for word in ("--port", f"{name}={port}")]
    subprocess.run([*cli, "up", "--detach", *run, *flags], check=True, cwd=ROOT)
    try:
        found = state.read(directory)
        assert found is not None, "it does not run"
        pids = [part.pid for part in found.parts if part.pid and part.name in PARTS]
        measured = asyncio.run(through(f"http://127.0.0.1:{ports['orchestrate']}", pids, seconds))
    finally:
        subprocess.run([*cli, "down", *run], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    bare = asyncio.run(alone(seconds))
    head = (
        "clients | answers | p50 ms | p99 ms | times the detectors | answers/s | answers a core-second | 206 | refused"
    )
    print(f"| what | {head} |\n|{'---|' * (head.count('|') + 2)}")
    for row in (*bare, *measured):
        print(told(row, next(one for one in bare if one.clients == row.clients)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(
            float(sys.argv[1]) if len(sys.argv) > 1 else 20.0, Path(sys.argv[2] if len(sys.argv) > 2 else scratch) / "r"
        )
