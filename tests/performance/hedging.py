"""What hedging does to the tail of a detector of whose calls 5 % take 20 times as long, beside the same without.

A model server in a process of its own answers; KServeModelServers asks it, over HTTP, with and without ``Hedging``. The
ways take turns, so that what else the machine does hits all of them. Also an outage: every call is slow.

usage: .venv/bin/python -m tests.performance.hedging [calls] [clients]
"""

import asyncio
import json
import multiprocessing
import random
import socket
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from functions.orchestrate.detectors.hedging import Hedge, Hedging
from functions.orchestrate.detectors.model_servers import KServeModelServers
from llama_mapper.contracts.identifiers import DetectorId

USUAL_SECONDS = 0.05
SLOW_SECONDS = 20 * USUAL_SECONDS
SLOW_SHARE = 0.05
SEED = 5
ROUNDS = 6
DETECTOR = DetectorId("model")
ANSWER = json.dumps({"predictions": [[{"label": "toxic", "score": 0.9}]]})
HEDGES: dict[str, Hedge | None] = {
    "no hedging": None,
    "after 100 ms, 5 %": Hedge(after_seconds=2 * USUAL_SECONDS, budget=0.05),
    "after 100 ms, 10 %": Hedge(after_seconds=2 * USUAL_SECONDS, budget=0.1),
    "95th percentile, 5 %": Hedge(percentile=95, budget=0.05),
    "90th percentile, 10 %": Hedge(percentile=90, budget=0.1),
}


def serve(listener: socket.socket, share: float) -> None:
    """A detector that is slow for a *share* of its calls."""
    draw = random.Random(SEED)

    async def predict(_: Request) -> Response:
        await asyncio.sleep(SLOW_SECONDS if draw.random() < share else USUAL_SECONDS)
        return Response(ANSWER, media_type="application/json")

    app = Starlette(routes=[Route("/v1/models/model:predict", predict, methods=["POST"])])
    uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off")).run(sockets=[listener])


@dataclass
class Way:
    hedging: Hedging | None
    outcomes: Counter[str]
    seconds: list[float] = field(default_factory=list)


def made(hedge: Hedge | None) -> Way:
    outcomes: Counter[str] = Counter()
    told = Hedging(hedge, lambda outcome: outcomes.update([outcome])) if hedge else None
    return Way(told, outcomes)


async def calls(way: Way, servers: KServeModelServers, count: int, clients: int) -> None:
    """Make *count* calls, *clients* at once."""
    loop, left = asyncio.get_running_loop(), iter(range(count))

    async def client() -> None:
        for _ in left:
            started = loop.time()
            if way.hedging:
                await way.hedging(lambda seconds: servers.detect(DETECTOR, "some content", seconds), 5.0)
            else:
                await servers.detect(DETECTOR, "some content", 5.0)
            way.seconds.append(loop.time() - started)

    await asyncio.gather(*(client() for _ in range(clients)))


async def side_by_side(url: str, count: int, clients: int) -> dict[str, Way]:
    ways = {name: made(hedge) for name, hedge in HEDGES.items()}
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None)) as client:
        servers = KServeModelServers({DETECTOR: f"{url}/v1/models/model:predict"}, client)
        await calls(made(None), servers, 100, clients)
        for _ in range(ROUNDS):
            for way in ways.values():
                await calls(way, servers, count // ROUNDS, clients)
    return ways


def row(name: str, way: Way) -> str:
    cut: Any = statistics.quantiles(way.seconds, n=1000)
    p50, p95, p99 = (f"{cut[at - 1] * 1000:.0f}" for at in (500, 950, 990))
    more = (way.outcomes["won"] + way.outcomes["lost"]) / len(way.seconds)
    return f"| {name} | {p50} | {p95} | {p99} | {more:.1%} | {way.outcomes['over_budget']} |"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    for title, share in ((f"{SLOW_SHARE:.0%} of the calls slow", SLOW_SHARE), ("an outage: all calls slow", 1.0)):
        made_calls = count if share < 1 else count // 20
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = multiprocessing.get_context("fork").Process(target=serve, args=(listener, share), daemon=True)
        server.start()
        ways = asyncio.run(side_by_side(f"http://127.0.0.1:{listener.getsockname()[1]}", made_calls, clients))
        server.terminate()
        print(f"\n{title} ({made_calls:,} calls each, {clients} at once)\n")
        print("| hedging | p50 ms | p95 ms | p99 ms | second calls | over budget |\n|---|---|---|---|---|---|")
        print("\n".join(row(name, way) for name, way in ways.items()))


if __name__ == "__main__":
    main()
