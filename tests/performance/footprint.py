"""Memory and CPU of each function: resident when idle, at its highest under load, and CPU time per request.

CPU time does not grow with a busy machine as waiting does, so it is what `containerConcurrency`, `requests` and
`limits` of each service.yaml are taken from.

usage: .venv/bin/python -m tests.performance.footprint [requests]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests/contracts/events/findings.mapped.v1.orchestrate.json"
SERVE = ("-m", "uvicorn", "functions_framework.aio:app", "--log-level", "critical", "--port")
CONTENT = "Please write to jane.roe@example.com about card 4111 1111 1111 1111. " * 7
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int, which: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(which))) / 1024


@contextmanager
def served(command: tuple[str, ...], environment: dict[str, str], port: int) -> Iterator[int]:
    """Run a part until the block ends; yields its process id once it is healthy."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def calls(urls: dict[str, str]) -> dict[str, tuple[str, dict[str, object] | None]]:
    """One typical call of each part: its address and body; None is a GET."""
    event = json.loads(SAMPLE.read_text("utf-8"))
    canonical = {"findings": event["data"]["findings"]}
    detectors = ["presidio", "llama-mapper-regex", "detect-secrets", "tox-block"]
    return {
        "analyze": (f"{urls['analyze']}/api/v1/analyze", canonical),
        "detect": (f"{urls['detect']}/api/v1/detect", {"content": CONTENT, "detectors": detectors}),
        "mapper": (f"{urls['mapper']}/api/v1/map", {"detector": "presidio", "label": "EMAIL_ADDRESS"}),
        "orchestrate": (f"{urls['orchestrate']}/api/v1/orchestrate", {"content": CONTENT, "detector_types": detectors}),
        "console": (f"{urls['console']}/taxonomy", None),
        "record": (f"{urls['record']}/events", event),
    }


def ask(http: httpx.Client, url: str, body: dict[str, object] | None, number: int) -> None:
    headers = {"X-Tenant-ID": "demo"}
    if body and "specversion" in body:
        body = {**body, "id": f"footprint-{number:06}"}
        headers |= {"content-type": "application/cloudevents+json"}
    else:
        headers |= {"content-type": "application/json"}
    answer = http.get(url) if body is None else http.post(url, content=json.dumps(body), headers=headers)
    answer.raise_for_status()


def main(requests: int) -> None:
    names = ("analyze", "record", "detect", "mapper", "orchestrate", "console")
    ports = {name: free_port() for name in names}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    print(f"| part | MiB idle | MiB after {requests} requests | CPU ms a request |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running, httpx.Client(timeout=300) as http:
        shared = {
            **{f"ORCHESTRATION_{name.upper()}_URL": urls[name] for name in ("detect", "mapper", "analyze")},
            **{f"CONSOLE_{name.upper()}_URL": urls[name] for name in ("orchestrate", "mapper", "analyze", "record")},
            "RECORD_DSN": f"chdb:///{folder}/rows",
            "MAPPER_PORT": str(ports["mapper"]),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}:{ROOT / 'inference-services/mapper'}",
            "FUNCTION_TARGET": "handle",
            "ORCHESTRATION_REQUESTS_PER_MINUTE": "1000000",
            "ORCHESTRATION_REQUESTS_PER_MINUTE_ADDRESS": "1000000",
        }
        for name, (url, body) in calls(urls).items():
            source = {"FUNCTION_SOURCE": str(ROOT / "functions" / name / "main.py")}
            command = ("-m", "mapper_serving") if name == "mapper" else (*SERVE, str(ports[name]))
            pid = running.enter_context(served(command, shared | source, ports[name]))
            idle = memory_mib(pid, "VmRSS")
            for number in range(20):
                ask(http, url, body, number)
            before = cpu_seconds(pid)
            for number in range(20, 20 + requests):
                ask(http, url, body, number)
            used = 1000 * (cpu_seconds(pid) - before) / requests
            print(f"| {name} | {idle:.0f} | {memory_mib(pid, 'VmHWM'):.0f} | {used:.1f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
