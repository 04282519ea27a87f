"""Schemathesis over every service's own OpenAPI document: cases, answers of 5xx, and answers that break the document.

usage: .venv/bin/python -m tests.performance.fuzz_apis [--cases 100] [--seed 20261123] [SERVICE …]

CASES are drawn at random for each operation, on top of those that its document implies. Ends with 1 where a check
failed; each failure is printed with a command that shows it again.
"""

import argparse
import sys

from tests.fuzz.engine import SEED, Tally, fuzzed, without_credentials
from tests.fuzz.services import SERVICES, started


def row(service: str, asked: Tally, stranger: Tally) -> str:
    let_in = sum(count for (_, status), count in stranger.statuses.items() if status not in (401, 403))
    alone = f"{stranger.cases - let_in} of {stranger.cases}" if service == "orchestrate" else "(none asked for)"
    cells = (service, asked.operations, asked.cases, asked.answered(500), len(asked.failures), alone)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main(services: list[str], cases: int, seed: int) -> int:
    failed = 0
    print("| service | operations | cases | 5xx | checks failed | refused without a credential |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    for service in services:
        with started(service) as running:
            asked = fuzzed(service, running, cases, seed)
            stranger = without_credentials(service, running, max(cases // 10, 1), seed)
        print(row(service, asked, stranger), flush=True)
        for check, shown in asked.failures.items():
            print(f"{service}: {check}\n{shown}\n", file=sys.stderr)
        failed += len(asked.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fuzz every service by its OpenAPI document.")
    parser.add_argument("services", nargs="*", choices=[*SERVICES, []], help="all, unless some are named")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    raise SystemExit(main(given.services or list(SERVICES), given.cases, given.seed))
