"""Latency of the README's call through the whole system, beside its detectors called directly in one process.

usage: .venv/bin/python tests/performance/latency.py [calls] [url]     (starts the system unless *url* is given)
"""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
CALL = {
    "content": "Sample content for analysis",
    "detector_types": ["presidio", "deberta"],
    "processing_mode": "standard",
}
HEADERS = {"X-Tenant-ID": "demo"}


async def measure(url: str, calls: int, clients: int) -> list[float]:
    """Milliseconds of each of *calls* answers, asked by *clients* at once."""
    taken: list[float] = []
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as http:
        left = iter(range(calls))

        async def client() -> None:
            for _ in left:
                started = time.perf_counter()
                answer = await http.post("/api/v1/orchestrate", json=CALL)
                answer.raise_for_status()
                taken.append((time.perf_counter() - started) * 1000)

        await asyncio.gather(*(client() for _ in range(clients)))
    return taken


def direct(calls: int) -> list[float]:
    """Milliseconds of the same detectors without any service around them."""
    sys.path[:0] = [str(ROOT)]
    from functions.detect.detectors import presidio, tox_block
    from functions.detect.settings import Settings

    settings = Settings()
    detectors = [presidio.build(settings), tox_block.build(settings)]
    for detector in detectors:
        detector.load()
        detector.detect(str(CALL["content"]))
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        for detector in detectors:
            detector.detect(str(CALL["content"]))
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def row(name: str, taken: list[float], baseline: float) -> str:
    p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    return f"| {name} | {len(taken)} | {p50:.1f} | {p95:.1f} | {p50 / baseline:.1f} |"


def main(calls: int, url: str | None) -> None:
    cli = [sys.executable, "-m", "llama_mapper.cli"]
    if url is None:
        subprocess.run([*cli, "up", "--detach"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    target = url or "http://127.0.0.1:8000"
    try:
        asyncio.run(measure(target, 20, 1))
        alone = asyncio.run(measure(target, calls, 1))
        crowd = asyncio.run(measure(target, calls, 8))
    finally:
        if url is None:
            subprocess.run([*cli, "down"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    bare = direct(calls)
    baseline = statistics.median(bare)
    print("| what | calls | p50 ms | p95 ms | times the detectors alone |\n|---|---|---|---|---|")
    print(row("detectors alone, in process", bare, baseline))
    print(row("orchestrate, 1 client", alone, baseline))
    print(row("orchestrate, 8 clients", crowd, baseline))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, sys.argv[2] if len(sys.argv) > 2 else None)
