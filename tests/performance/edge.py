"""The edge (nginx, ModSecurity, Core Rule Set): what it refuses of honest traffic, and what it costs.

usage: PYTHONPATH=.:shared:inference-services/mapper .venv/bin/python -m tests.performance.edge DATA
(DATA as docs/measurements.md names it)
"""

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.edge import edge
from tests.fakes.front_door import front_door
from tests.fakes.services import standing
from tests.fakes.subscriber import Answer, Received, listening

HEADERS = {"X-Tenant-ID": "demo", "Host": "localhost"}
CALLS = 400


def honest(data: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind, path, body) of every real text as content, and of every vendor label as the mapper takes it."""
    for name, field in (
        ("pii_sentences", "text"),
        ("moderation_eval", "prompt"),
        ("hazard_prompts", "text"),
        ("emails", "text"),
        ("benign_security_questions", "text"),
    ):
        for line in (data / f"{name}.jsonl").read_text("utf-8").splitlines():
            yield name, "/api/v1/orchestrate", {"content": json.loads(line)[field], "detector_types": ["words"]}
    for word in sorted(set(_labels(json.loads((data / "vocabularies.json").read_text("utf-8"))))):
        yield "vendor labels", "/api/v1/map", {"detector": "a-detector", "label": word}


def _labels(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _labels(value) if key != "labels" else _words(value)
    elif isinstance(part, list):
        for value in part:
            yield from _labels(value)


def _words(labels: Any) -> Iterator[str]:
    for label in labels:
        yield str(label.get("label") or label.get("name")) if isinstance(label, dict) else str(label)


async def say_ok(_: Received) -> Answer:
    return Answer(200, {"content-type": "application/json"}, b"{}")


async def false_positives(data: Path) -> None:
    """Ask a server that takes everything, so that only the edge can refuse."""
    asked: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    async with listening(say_ok) as upstream:
        with edge(int(upstream.url.rpartition(":")[2]), limited=False) as started:
            async with httpx.AsyncClient(base_url=started.url, headers=HEADERS) as http:
                for kind, path, body in honest(data):
                    asked[kind] += 1
                    refused[kind] += (await http.post(path, json=body)).status_code != 200
    print("| honest requests | sent | refused |\n|---|---|---|")
    for kind, count in asked.items():
        print(f"| {kind} | {count} | {refused[kind]} |")


def timed(url: str) -> float:
    """The median of milliseconds of a call with 500 characters of content."""
    body = {"content": "Write to someone@example.org about it. " * 13, "detector_types": ["words"]}
    taken = []
    with httpx.Client(base_url=url, headers=HEADERS) as http:
        for _ in range(CALLS):
            started = time.perf_counter()
            http.post("/api/v1/orchestrate", json=body).raise_for_status()
            taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken[CALLS // 10 :])


def cost() -> None:
    with standing() as services, front_door(services.url) as port:
        direct = timed(f"http://127.0.0.1:{port}")
        with edge(port, firewall=False, limited=False) as started:
            plain = timed(started.url)
        with edge(port, limited=False) as started:
            guarded = timed(started.url)
    print("\n| to orchestrate (its services answer at once) | p50 ms | ratio |\n|---|---|---|")
    for name, value in (("directly", direct), ("through nginx", plain), ("with ModSecurity and the rule set", guarded)):
        print(f"| {name} | {value:.2f} | {value / direct:.2f} |")


if __name__ == "__main__":
    asyncio.run(false_positives(Path(sys.argv[1])))
    cost()
