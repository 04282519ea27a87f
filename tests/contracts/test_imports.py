"""The rooms point one way (import-linter), and each function runs from its own folder alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/main.py"))
SECONDS = 120

# Run in the copy: serve /health as Knative would, then name every module that came from the checkout's other rooms.
SERVE = """
import asyncio, pathlib, sys
import functions_framework.aio, httpx
app = functions_framework.aio.create_asgi_app("handle", "main.py", "http")

async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://function") as client:
        return (await client.get("/health")).status_code

status = asyncio.run(ask())
root = pathlib.Path(sys.argv[1])
rooms = [root / name for name in ("functions", "inference-services", "tests")]
files = [pathlib.Path(f) for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))]
print("answer", status, *[str(f) for f in files if any(room in f.parents for room in rooms)])
"""


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return subprocess.run(
        command, cwd=cwd, env=inherited | environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_the_rooms_point_one_way(tmp_path: Path) -> None:
    paths = os.pathsep.join(str(ROOT / room) for room in (".", "shared", "inference-services/mapper"))
    result = run(
        str(Path(sys.executable).with_name("lint-imports")),
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
        cwd=tmp_path,
        PYTHONPATH=paths,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_are_functions_to_look_at() -> None:
    assert {folder.name for folder in FUNCTIONS} >= {"orchestrate", "detect", "analyze", "record"}


@pytest.mark.slow
@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_runs_from_its_own_folder_alone(folder: Path, tmp_path: Path) -> None:
    if folder.name == "record":
        pytest.importorskip("chdb", reason="the embedded engine is not installed")
    alone = tmp_path / folder.name
    shutil.copytree(folder, alone, ignore=shutil.ignore_patterns("__pycache__"))
    result = run(
        sys.executable,
        "-c",
        SERVE,
        str(ROOT),
        cwd=alone,
        PYTHONPATH=str(ROOT / "shared"),
        ORCHESTRATION_POLICIES=str(ROOT / "policies"),
        RECORD_DSN=f"chdb://{tmp_path}/rows",
        DETECT_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert [line for line in result.stdout.splitlines() if line.startswith("answer")] == ["answer 200"]
