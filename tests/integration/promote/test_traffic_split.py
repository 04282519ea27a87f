"""A real split: Envoy with the weights that the gate sets, two predictors behind, the mapper's own client in front."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import sqrt
from pathlib import Path
from typing import Any

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.cluster import services
from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from mapper_serving.completion import CompletionServer
from mapper_serving.revisions import HEADER
from tests.fakes import envoy
from tests.fakes.kserve import FIRST, SECOND
from tests.fakes.predictor import answered
from tests.fakes.promotion import Promotion

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not envoy.BINARY.is_file(), reason="there is no envoy; tests/requirements.txt brings one"),
]
GOOD = answered({"A": 0.9, "Z": 0.1}, {"<": 1.0})
# By the candidate's share: enough that it gets some dozens.
CALLS = {0: 50, 5: 600, 25: 200, 50: 150}


class Predictor(BaseHTTPRequestHandler):
    """Answers as vLLM behind the middleware does; a broken one names no choice."""

    protocol_version = "HTTP/1.1"
    name: str
    broken: bool
    asked: list[str]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_POST(self) -> None:
        prompt = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        self.asked.append(prompt)
        body = json.dumps({"choices": []} if self.broken else GOOD).encode()
        self.send_response(200)
        self.send_header(HEADER, self.name)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def predictor(name: str, *, broken: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Serve as revision *name*; its port, and the prompts that it gets."""
    asked: list[str] = []
    handler = type("Handler", (Predictor,), {"name": name, "broken": broken, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Rollout:
    """The gate's cluster with Envoy as its gateway."""

    def __init__(
        self, world: Promotion, gateway: envoy.Envoy, asked: dict[str, list[str]], client: httpx.AsyncClient
    ) -> None:
        self.world, self._gateway, self._asked = world, gateway, asked
        self._server = CompletionServer(
            gateway.url,
            "mapper-llm",
            client,
            AsyncCircuitBreakerFactory(),
            30.0,
            0.0,
            revisions=world.revisions,
        )
        self._number = 0

    async def warm(self) -> None:
        """Ask until the server counts as warm, then forget what was asked."""
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Unavailable, RequestTimeout):
                    await self._server.ask("warm ->", 2)
                    break
                await asyncio.sleep(0)

    async def calls(self, number: int) -> dict[str, int]:
        """Let the mapper ask *number* times; how many calls each revision's server got."""
        self._gateway.follow(self._traffic())
        self._gateway.has_it()
        before = {name: len(prompts) for name, prompts in self._asked.items()}
        self._number += number
        prompts = [f"{self._number} {n} ->" for n in range(number)]
        await asyncio.gather(*(self._ask(prompt) for prompt in prompts))
        return {name: len(prompts) - before[name] for name, prompts in self._asked.items()}

    async def _ask(self, prompt: str) -> None:
        with contextlib.suppress(Unavailable, RequestTimeout):
            completion = await self._server.ask(prompt, 2)
            self.world.revisions.judged(completion.revision, "PII.Contact.Email", 0.9)

    def _traffic(self) -> list[dict[str, Any]]:
        status = self.world.api.get(services.GROUP, services.PLURAL, "mapper")["status"]
        found: list[dict[str, Any]] = status["components"]["predictor"]["traffic"]
        return found


@asynccontextmanager
async def rollout(world: Promotion, folder: Path, *, broken: bool) -> AsyncIterator[Rollout]:
    with ExitStack() as stack:
        stable, candidate = (
            stack.enter_context(predictor(FIRST)),
            stack.enter_context(predictor(SECOND, broken=broken)),
        )
        ports = {FIRST: stable[0], SECOND: candidate[0]}
        everything = [{"revisionName": FIRST, "percent": 100}]
        gateway = stack.enter_context(envoy.running(folder, ports, everything))
        async with httpx.AsyncClient(trust_env=False) as client:
            yield Rollout(world, gateway, {FIRST: stable[1], SECOND: candidate[1]}, client)


def as_split(got: dict[str, int], percent: int) -> bool:
    """Whether the candidate's calls are within four and a half standard deviations of its share."""
    calls, share = sum(got.values()), percent / 100
    return abs(got[SECOND] - calls * share) <= 4.5 * sqrt(calls * share * (1 - share))


async def test_a_healthy_candidate_gets_its_share_at_each_step_and_all_in_the_end(
    world: Promotion, tmp_path: Path
) -> None:
    async with rollout(world, tmp_path, broken=False) as run:
        await run.warm()
        assert (await run.calls(CALLS[0]))[SECOND] == 0
        world.start()
        assert await world.ticks(2) == ["Started", "StepBegan"]
        await world.evaluated()
        seen = []
        for percent in (5, 25, 50):
            assert world.percent == percent
            reason = ""
            while reason != "NotWorse":
                got = await run.calls(CALLS[percent])
                assert as_split(got, percent), (percent, got)
                reason = await world.tick()
                assert reason in ("Collecting", "NotWorse")
            seen.append(percent)
            if percent < 50:
                assert await world.tick() == "StepBegan"
        assert seen == [5, 25, 50]
        assert world.canary.status.phase == "Promoted"
        assert world.percent is None
        assert (await run.calls(CALLS[0]))[FIRST] == 0


async def test_a_broken_candidate_loses_its_calls_at_the_first_look_that_sees_enough(
    world: Promotion, tmp_path: Path
) -> None:
    async with rollout(world, tmp_path, broken=True) as run:
        await run.warm()
        world.start()
        assert await world.ticks(2) == ["Started", "StepBegan"]
        got = await run.calls(CALLS[5])
        assert as_split(got, 5), got
        assert await world.tick() == "WorseInvalid"
        assert (world.percent, world.canary.status.phase) == (0, "RolledBack")
        assert (await run.calls(200))[SECOND] == 0
