"""The running system with a breakable link before everything that orchestrate and record depend on.

Every part is the real one, started as `llama-mapper up` starts it; ClickHouse is its own engine behind its own HTTP
interface. Detectors behind a model server and behind a vendor's API answer from this process.
"""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from llama_mapper.local import readiness
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.layout import Layout, Part
from llama_mapper.local.ports import HOST, OFFSETS
from llama_mapper.local.supervisor import Patience, Supervisor
from tests.fakes import opa_server
from tests.fakes.faulty_link import WRONG_HTTP, WRONG_REDIS, FaultyLink, linked
from tests.fakes.free_ports import free_port

ROOT = Path(__file__).parents[2]
OF_ORCHESTRATE = ("detect", "mapper", "analyze", "broker", "valkey")
MODEL_SERVER, VENDOR = "deberta-toxicity", "acme-moderation"
CONTENT = "Write to anna.schmidt@example.org about it, number {}."
DETECTORS = ("llama-mapper-regex", "tox-block", MODEL_SERVER, VENDOR)
_RUN_SECONDS = 240.0


@dataclass(frozen=True)
class Broken:
    """One answer while something was broken."""

    status: int
    error_code: str
    degraded: tuple[str, ...]
    seconds: float


class FaultySystem:
    """Made by ``running``; ``links`` are by the name of what they lead to."""

    def __init__(self, url: str, record: str, links: Mapping[str, FaultyLink]) -> None:
        self._url = url
        self._record = record
        self.links = links
        self._http = httpx.Client(timeout=120, headers={"X-Tenant-ID": "demo"})

    def ask(self, priority: str = "normal") -> tuple[Broken, str]:
        """Have a content judged that was never judged before; return the answer and its correlation id."""
        marker = uuid.uuid4().hex
        body = {"content": CONTENT.format(marker), "detector_types": DETECTORS, "priority": priority}
        started = time.monotonic()
        answer = self._http.post(
            f"{self._url}/api/v1/orchestrate",
            json=body,
            headers={"X-Correlation-ID": marker, "Idempotency-Key": marker},
        )
        seconds = time.monotonic() - started
        said = answer.json()
        return Broken(answer.status_code, said.get("error_code", ""), tuple(said.get("degraded", ())), seconds), marker

    def recorded(self, correlation_id: str) -> bool:
        """Whether the store has that request, with what analyze made of it."""
        answer = self._http.get(f"{self._record}/api/v1/findings", params={"correlation_id": correlation_id})
        return answer.status_code == 200 and answer.json()["analysis"] is not None

    def whole(self) -> bool:
        """Whether an answer is as if nothing had happened."""
        answer, _ = self.ask("low")
        return answer.status == 200 and not answer.degraded

    def close(self) -> None:
        self._http.close()


@contextmanager
def running(place: Path, **settings: str) -> Iterator[FaultySystem]:
    """Start everything; *settings* are orchestrate's variables on top of the usual ones."""
    directory = RunDirectory(place)
    directory.create()
    ports = {name: free_port() for name in OFFSETS}
    clickhouse = free_port()
    with ExitStack() as stack:
        links = {
            name: stack.enter_context(linked(ports[name], WRONG_REDIS if name == "valkey" else WRONG_HTTP))
            for name in OF_ORCHESTRATE
        }
        outside = stack.enter_context(_serving())
        links["clickhouse"] = stack.enter_context(linked(clickhouse))
        links["opa"] = stack.enter_context(linked(_port(stack.enter_context(opa_server.serving(_policies())))))
        links["model server"] = stack.enter_context(linked(outside))
        links["vendor's API"] = stack.enter_context(linked(outside))
        as_it_is = Layout(ROOT, directory, ports)
        as_seen = Layout(ROOT, directory, ports | {name: links[name].port for name in OF_ORCHESTRATE})
        chosen = {part.name: part for part in as_it_is.parts() if part.name not in ("predictor", "console")}
        chosen["orchestrate"] = _with(
            next(part for part in as_seen.parts() if part.name == "orchestrate"), _outside(links) | settings
        )
        dsn = f"clickhouse://default:@{HOST}:{links['clickhouse'].port}/default"
        chosen["record"] = _with(chosen["record"], {"RECORD_DSN": dsn})
        server = _clickhouse(chosen["record"], clickhouse, place)
        stack.enter_context(_kept_running((server, *chosen.values())))
        urls = [f"http://{HOST}:{ports[name]}" for name in ("orchestrate", "record")]
        system = FaultySystem(urls[0], urls[1], links)
        stack.callback(system.close)
        yield system


def _outside(links: Mapping[str, FaultyLink]) -> dict[str, str]:
    """What orchestrate is told of the dependencies that `up` does not have."""
    urls = {name: f"http://{HOST}:{link.port}" for name, link in links.items()}
    server = {MODEL_SERVER: f"{urls['model server']}/v1/models/toxicity:predict"}
    vendor = {VENDOR: {"adapter": "openai-moderation", "url": urls["vendor's API"], "secret_env": "ACME_KEY"}}
    return {
        "ACME_KEY": "a key of the test",
        "ORCHESTRATION_OPA_URL": urls["opa"],
        "ORCHESTRATION_MODEL_SERVERS": json.dumps(server),
        "ORCHESTRATION_HTTP_DETECTORS": json.dumps(vendor),
    }


def _with(part: Part, environment: Mapping[str, str]) -> Part:
    return replace(part, environment={**part.environment, **environment})


def _clickhouse(like: Part, port: int, place: Path) -> Part:
    module = [like.command[0], "-m", "tests.fakes.clickhouse_server", str(port), str(place / "clickhouse")]
    path = {"PYTHONPATH": f"{ROOT}:{like.environment['PYTHONPATH']}"}
    return replace(
        _with(like, path),
        name="clickhouse",
        port=port,
        command=tuple(module),
        probe=readiness.http(port, "/ping"),
        log=place / "clickhouse.log",
        cwd=ROOT,
    )


@contextmanager
def _kept_running(parts: tuple[Part, ...]) -> Iterator[None]:
    """All *parts* up, kept by a supervisor in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    supervisor = Supervisor(parts, lambda state, line: None, Patience(start=_RUN_SECONDS))
    try:
        asyncio.run_coroutine_threadsafe(supervisor.start(), loop).result(_RUN_SECONDS)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(supervisor.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _policies() -> opa_server.Evaluate:
    """The policies as an OPA server would answer them."""
    import regorus

    folder = ROOT / "policies"
    own = threading.local()  # an engine belongs to the thread that made it

    def engine() -> regorus.Engine:
        if not hasattr(own, "engine"):
            own.engine = regorus.Engine()
            for path in sorted(folder.rglob("*.rego")):
                if not path.stem.endswith("_test"):
                    own.engine.add_policy(str(path.relative_to(folder)), path.read_text("utf-8"))
            own.engine.add_data_json((folder / "data.json").read_text("utf-8"))
        made: regorus.Engine = own.engine
        return made

    def evaluate(path: str, question: object) -> object:
        engine().set_input_json(json.dumps(question))
        return engine().eval_rule("data." + path.replace("/", "."))

    return evaluate


@contextmanager
def _serving() -> Iterator[int]:
    """A classifier behind KServe's V1 protocol and a vendor's moderation API on one port."""
    import uvicorn

    async def predict(_: Request) -> JSONResponse:
        return JSONResponse({"predictions": [{"label": "toxic", "score": 0.01}], "model_version": "1"})

    async def moderate(_: Request) -> JSONResponse:
        flags = {"hate": False, "violence": False}
        scores = {"hate": 0.01, "violence": 0.01}
        result = {"flagged": False, "categories": flags, "category_scores": scores}
        return JSONResponse({"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": [result]})

    async def well(_: Request) -> JSONResponse:
        return JSONResponse({"name": "toxicity", "ready": True})

    routes = [
        Route("/v1/models/toxicity:predict", predict, methods=["POST"]),
        Route("/{rest:path}moderations", moderate, methods=["POST"]),
        Route("/{rest:path}", well),
    ]
    port = free_port()
    config = uvicorn.Config(Starlette(routes=routes), host=HOST, port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
