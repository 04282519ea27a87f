"""Kill the local broker and its consumers in the middle of their work, and count what is lost, doubled, disordered.

usage: .venv/bin/python -m tests.performance.broker_crash [--events 100000] [--kills 3] [--seed 1]

Clients send events through the broker's ingress; record keeps rows on its embedded engine, for every tenth event
analyze replies, and the reply re-enters. `kill -9` meets the broker and record in turn at random points; then, in a
smaller run, the store. Baselines in the same run: record posted directly, and the broker before a subscriber that
does nothing.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.performance.crash_checks import Found, check, said
from tests.performance.crash_load import Plan, Sent, post_directly, send_all
from tests.performance.crash_parts import IN_FLIGHT, Parts
from tests.performance.crash_sink import broker_alone, stream_alone

VICTIMS = ("broker", "record")
CLIENTS = 8
POLL_SECONDS = 0.5
ZERO_POLLS = 3  # the Triggers are read one after the other, and a reply moves from one to the next


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    kills: Sequence[str]
    seconds: float
    sent: Sent
    dead_letters: int
    found: Found
    said: dict[str, int]

    @property
    def doubles(self) -> int:
        """Deliveries that record took beyond the first of each event."""
        return sum(self.said.values()) - self.plan.events - self.plan.replies

    def line(self) -> str:
        rows = ", ".join(
            f"{table} {count}" + ("" if count == self.found.expected[table] else f" of {self.found.expected[table]}")
            for table, count in self.found.rows.items()
        )
        deliveries = self.plan.events + 2 * self.plan.replies
        return (
            f"| {', '.join(self.kills) or 'none'} | {self.plan.events} | {self.plan.replies} | {self.seconds:.0f} "
            f"| {self.plan.events / self.seconds:.0f} | {deliveries / self.seconds:.0f} | {self.found.lost} "
            f"| {self.found.lost_replies} | {self.doubles} | {self.sent.unanswered} | {self.sent.turned_away} "
            f"| {self.dead_letters} | {self.found.out_of_order} | {rows} |"
        )


async def flow(folder: Path, plan: Plan, kills: Sequence[str], chance: random.Random, progress: Progress) -> Outcome:
    """Send *plan* through the broker, kill each of *kills* on the way, wait until all is settled, and look."""
    parts, sent = Parts(folder), Sent()
    points = sorted(chance.uniform(0.1, 0.9) * plan.events for _ in kills)
    left = list(zip(points, kills, strict=True))
    bar = progress.add_task(f"{plan.events} events, kills: {', '.join(kills) or 'none'}", total=plan.events)
    await parts.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            started = time.perf_counter()
            clients = asyncio.create_task(send_all(session, parts.broker.url, plan, CLIENTS, sent))
            zeros = 0
            while zeros < ZERO_POLLS:
                await asyncio.sleep(POLL_SECONDS)
                pending = await parts.triggers(session)
                if pending is None:
                    continue
                settled = sent.events - pending["record-findings"]
                progress.update(bar, completed=max(settled, 0))
                if left and settled >= left[0][0]:
                    await _kill(parts, left.pop(0)[1], progress, settled)
                zeros = zeros + 1 if clients.done() and not any(pending.values()) else 0
            seconds = time.perf_counter() - started - ZERO_POLLS * POLL_SECONDS
            await clients
            letters = await parts.dead_letters(session)
    finally:
        parts.stop()
    return Outcome(plan, kills, seconds, sent, letters, await check(parts.rows, plan), said(parts.record.log))


async def _kill(parts: Parts, name: str, progress: Progress, settled: int) -> None:
    part = parts.named(name)
    part.kill()
    started = time.perf_counter()
    await part.start()
    progress.console.print(
        f"killed {name} at {settled} events; ready again after {time.perf_counter() - started:.1f} s"
    )


async def record_alone(folder: Path, plan: Plan) -> float:
    """Return how many events a second record takes when it is posted directly."""
    parts = Parts(folder)
    await parts.record.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            started = time.perf_counter()
            await post_directly(session, parts.record.url, plan, IN_FLIGHT)
            return plan.events / (time.perf_counter() - started)
    finally:
        parts.record.stop()


async def run(events: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    small = Plan(max(events // 20, 200))
    with (
        tempfile.TemporaryDirectory(prefix="broker-crash-") as name,
        Progress(*columns, TimeRemainingColumn(), console=console) as progress,
    ):
        folder = Path(name)
        print("| baseline | events/s |\n|---|---|")
        print(f"| a stream, one event at a time, to a subscriber that only answers | {await stream_alone(small):.0f} |")
        print(f"| the broker before the same subscriber | {await broker_alone(folder / 'sink', small):.0f} |")
        print(f"| record posted directly, {IN_FLIGHT} at once | {await record_alone(folder / 'direct', small):.0f} |")
        print(
            "\n| kill -9 | events | replies | s | events/s | deliveries/s | lost | replies lost | doubles record took"
            " | events sent again unanswered | requests turned away | dead letters | out of order | rows |\n"
            + "|---" * 14
            + "|",
            flush=True,
        )
        victims = [VICTIMS[index % len(VICTIMS)] for index in range(kills)]
        outcomes = []
        for title, plan, killed in (
            ("crash", Plan(events), victims),
            ("store", Plan(max(events // 10, 200)), ["store"]),
        ):
            outcomes.append(await flow(folder / title, plan, killed, chance, progress))
            print(outcomes[-1].line(), flush=True)
    broken = [
        outcome
        for outcome in outcomes
        if outcome.found.lost or outcome.found.lost_replies or outcome.found.rows != outcome.found.expected
    ]
    print(json.dumps([outcome.said for outcome in outcomes]))
    if broken:
        raise SystemExit("something was lost or doubled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=3, help="of the broker and of record, in turn")
    parser.add_argument("--seed", type=int, default=1, help="of the points of the kills")
    given = parser.parse_args()
    asyncio.run(run(given.events, given.kills, given.seed))


if __name__ == "__main__":
    main()
