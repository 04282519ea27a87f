"""Cold start: spawn to the first 200 on /health, one function at a time, beside a bare Starlette application.

usage: .venv/bin/python -m tests.performance.cold_start [runs]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
BARE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
app = Starlette(routes=[Route("/health", lambda request: PlainTextResponse("ok"))])
"""


def spawn_to_200(command: list[str], environment: dict[str, str], cwd: Path) -> float:
    """Seconds from spawning *command* to the first 200; ``PORT`` in either is replaced; the process is then ended."""
    port = free_port()
    environment = {key: value.replace("PORT", str(port)) for key, value in environment.items()}
    started = time.perf_counter()
    process = subprocess.Popen(
        [part.replace("PORT", str(port)) for part in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200:
                    return time.perf_counter() - started
            except httpx.HTTPError:
                time.sleep(0.005)
        raise SystemExit(f"{command} ended with {process.returncode}")
    finally:
        process.terminate()
        process.wait()


def main(runs: int) -> None:
    python = sys.executable
    base = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    serve = [python, "-m", "uvicorn", "functions_framework.aio:app", "--port", "PORT", "--log-level", "critical"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(BARE)
        cases: dict[str, tuple[list[str], dict[str, str], Path]] = {
            "bare starlette": ([python, "-m", "uvicorn", "bare:app", "--port", "PORT"], base, Path(folder)),
        }
        for name in ("orchestrate", "detect", "analyze", "record", "console"):
            source = ROOT / "functions" / name / "main.py"
            own = {"FUNCTION_TARGET": "handle", "FUNCTION_SOURCE": str(source), "RECORD_DSN": f"chdb:///{folder}/rows"}
            cases[name] = (serve, base | own, ROOT)
        path = {"PYTHONPATH": str(ROOT / "inference-services/mapper"), "MAPPER_PORT": "PORT"}
        cases["mapper (kserve)"] = ([python, "-m", "mapper_serving"], base | path, ROOT)
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        for run in range(runs + 1):  # the first run writes bytecode and warms the page cache; it is not counted
            for name, (command, environment, cwd) in cases.items():
                took = spawn_to_200(command, environment, cwd)
                if run:
                    seconds[name].append(took)
                print(f"\r{run}/{runs} {name:20}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    bare = statistics.median(seconds["bare starlette"])
    print(f"| part | median s of {runs} | times bare |\n|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.2f} | {statistics.median(values) / bare:.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
