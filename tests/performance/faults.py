"""Break every dependency of orchestrate and record in every way, and write down what callers get meanwhile.

usage: .venv/bin/python -m tests.performance.faults [DEPENDENCY ...]

Each cell: the answers to three requests of priority normal (deadline 2 s), which fallbacks they name, the longest
wait, and how long after the end of the fault the first answer without any fallback came, with nobody's help.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.e2e.faults import Broken, FaultySystem, running
from tests.fakes.faulty_link import FAULTS, Fault

REQUESTS = 3
GIVE_UP_SECONDS = 120.0


def until(done: Callable[[], bool]) -> float:
    """Seconds until *done*; infinite where that does not come."""
    started = time.monotonic()
    while time.monotonic() - started < GIVE_UP_SECONDS:
        if done():
            return time.monotonic() - started
        time.sleep(0.2)
    return float("inf")


def row(system: FaultySystem, dependency: str, fault: Fault) -> str:
    link = system.links[dependency]
    link.become(fault)
    asked = [system.ask() for _ in range(REQUESTS)]
    link.become("none")
    answers: list[Broken] = [answer for answer, _ in asked]
    back = until(system.whole)
    given = [correlation for answer, correlation in asked if answer.status in (200, 206)]
    kept = max((until(partial(system.recorded, correlation)) for correlation in given), default=0.0)
    statuses = Counter(f"{a.status} {a.error_code}".strip() for a in answers)
    said = sorted({name for answer in answers for name in answer.degraded})
    cells = (
        dependency,
        fault,
        ", ".join(f"{count} × {status}" for status, count in statuses.items()),
        ", ".join(f"`{name}`" for name in said) or "none",
        f"{max(answer.seconds for answer in answers):.1f}",
        f"{back:.1f}",
        f"{len(given)} of {len(given)} within {kept:.1f} s" if given else "nothing was answered",
    )
    return f"| {' | '.join(cells)} |"


def main(wanted: list[str]) -> None:
    head = ("dependency", "fault", "answers", "fallbacks named", "longest s", "whole again after s", "recorded")
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as system:
        for _ in range(8):
            system.ask("low")
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
        for dependency in wanted or list(system.links):
            for fault in FAULTS:
                print(row(system, dependency, fault), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
