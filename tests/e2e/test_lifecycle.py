"""Start, watch and end the system as a person does."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from llama_mapper.local import state
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.ports import OFFSETS
from tests.e2e.running import ROOT, STOP_SECONDS, System, command, environment, wait_for
from tests.fakes.free_ports import free_port

pytestmark = pytest.mark.slow


def call(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*words), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_every_required_part_is_ready(system: System) -> None:
    assert {part.name for part in system.now().parts if part.state != "ready"} <= {"console", "predictor"}


def test_status_shows_the_parts_to_programs(system: System) -> None:
    result = call("status", "--json", "--run-dir", str(system.directory.path))
    assert result.returncode == 0
    shown = {part["name"]: part for part in json.loads(result.stdout)["parts"]}
    assert shown["orchestrate"]["port"] == system.ports["orchestrate"]
    assert shown["detect"]["memory_bytes"] > 0


def test_a_second_start_in_the_same_place_is_refused(system: System) -> None:
    result = call("up", "--run-dir", str(system.directory.path))
    assert result.returncode == 1
    assert result.stderr.startswith("error: already running in ")


def test_the_demo_uses_what_runs_and_leaves_it_running(system: System) -> None:
    pids = system.pids()
    result = call("demo", "--run-dir", str(system.directory.path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "12 texts and 5 reports" in result.stdout
    assert system.pids() == pids


def test_scan_finds_the_running_system_by_its_directory(system: System, tmp_path: Path) -> None:
    (tmp_path / "mails.txt").write_text("Mail me at ada.lovelace@example.org\nBread and butter\n")
    place = ("--run-dir", str(system.directory.path))
    result = call("scan", str(tmp_path / "mails.txt"), *place, "--format", "jsonl", "--fail-on", "flag")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert "PII.Contact.Email" in [found["label"] for found in first["labels"]]
    assert second["action"] == "allow"
    assert result.returncode == 1
    assert "ada.lovelace" not in result.stdout + result.stderr


def test_a_crashed_part_comes_back(system: System) -> None:
    def mapper() -> tuple[str, int, int]:
        part = next(part for part in system.now().parts if part.name == "mapper")
        return part.state, part.restarts, part.pid or 0

    _, before, pid = mapper()
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for(lambda: mapper()[:2] == ("ready", before + 1), "the mapper is back", 60)
    assert "mapper was ended by SIGKILL; starting it again" in system.output


def test_ctrl_c_ends_everything_cleanly(own_system: System) -> None:
    pids = own_system.pids()
    assert own_system.stop(signal.SIGINT) == 0
    assert not any(alive(pid) for pid in pids)
    assert "did not stop in time" not in own_system.output


def test_a_killed_supervisor_leaves_no_orphan(own_system: System) -> None:
    pids = own_system.pids()
    assert len(pids) >= 7
    own_system.stop(signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in pids), "every part is gone", STOP_SECONDS)


def test_a_killed_demo_leaves_nothing_running(tmp_path: Path) -> None:
    place = RunDirectory(tmp_path / "run")
    flags = [word for name in OFFSETS for word in ("--port", f"{name}={free_port()}")]
    demo = subprocess.Popen(
        command("demo", "--run-dir", str(place.path), *flags), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL
    )

    def starting() -> bool:
        run = state.read(place)
        return run is not None and bool(run.parts)

    try:
        wait_for(starting, "the demo starts the system", 60)
    finally:
        demo.kill()
        demo.wait()
    wait_for(lambda: not place.in_use(), "the system is gone", STOP_SECONDS)
