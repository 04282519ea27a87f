"""A mapper as its own process before a predictor that runs already, for the benchmarks of this folder."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from llama_mapper.local.layout import EXPERIMENT
from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
ADAPTER = ROOT / "inference-services" / "mapper" / "experiments" / EXPERIMENT / "adapter"
VECTORS = ROOT / ".cache" / "vectors.npz"
READY_SECONDS = 240.0


@contextmanager
def mapper(predictor: str, **settings: str) -> Iterator[str]:
    """Start the mapper with the adapter of the checkout before *predictor*; give its URL once the model answers."""
    port = free_port()
    own = {
        "MAPPER_HOST": "127.0.0.1",
        "MAPPER_PORT": str(port),
        "MAPPER_PREDICTOR_URL": predictor,
        "MAPPER_ADAPTER": str(ADAPTER),
        "MAPPER_VECTORS": str(VECTORS),
        "MAPPER_LOG_LEVEL": "WARNING",
        "PYTHONPATH": os.pathsep.join((str(ROOT / "shared"), str(ROOT / "inference-services" / "mapper"))),
    }
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mapper_serving"], cwd=ROOT, env=os.environ | own | settings, stdout=output
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Ask until the model has answered; an answer that comes too late is there when the same is asked again."""
    deadline = time.monotonic() + READY_SECONDS
    body = {"detector": "warm-up", "label": "email address", "threshold": 0.0}
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("the mapper ended at its start")
        try:
            if httpx.post(f"{url}/api/v1/map", json=body, timeout=30).json()["method"] == "model":
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"the model did not answer within {READY_SECONDS:g} s")
