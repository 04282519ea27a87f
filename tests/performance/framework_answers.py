"""What more frameworks cost an answer: its size, its time, and the time of a question about gaps.

    python -m tests.performance.framework_answers

One process, no network; the default frameworks against all that are there, over findings of one to fifty labels.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from functions.analyze.compliance.detectors import Speakers, read
from functions.analyze.compliance.gaps import gaps
from functions.analyze.frameworks import Frameworks
from functions.analyze.service import analyze
from functions.analyze.settings import Settings
from llama_mapper.contracts.analysis import AnalyzeRequest
from llama_mapper.contracts.compliance import GapsRequest
from llama_mapper.taxonomy import Taxonomy, load
from tests.fakes.findings import found

ROUNDS = 200
RUNNING = ("presidio", "llama-mapper-regex", "detect-secrets", "tox-block", "jailguard")


def milliseconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median of *rounds*."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[rounds // 2]


def _answered(request: AnalyzeRequest, frameworks: Frameworks) -> str:
    return analyze(request, frameworks).model_dump_json()


def _asked(request: GapsRequest, frameworks: Frameworks, taxonomy: Taxonomy, speakers: Speakers) -> str:
    return gaps(request, frameworks, taxonomy, speakers).model_dump_json()


def answers(frameworks: Frameworks, names: Sequence[str]) -> None:
    labels = [label.name for label in load().labels]
    for count in (1, 3, 10, 50):
        chosen = labels[:: len(labels) // count][:count] if count > 1 else ["PII.Contact.Email"]
        request = AnalyzeRequest(
            findings=tuple(found(label) for label in chosen), coverage=1.0, frameworks=tuple(names)
        )
        size = len(analyze(request, frameworks).model_dump_json())
        took = milliseconds(partial(_answered, request, frameworks))
        print(f"| {len(names)} | {count} | {size / 1000:.1f} | {took:.2f} |")


def main() -> None:
    folder: Path = Settings.model_fields["frameworks"].default
    frameworks = Frameworks.load(folder)
    print("| frameworks | labels | answer kB | ms |\n|---|---|---|---|")
    answers(frameworks, Settings.model_fields["default_frameworks"].default)
    answers(frameworks, [one.framework for one in frameworks.all])
    taxonomy, speakers = load(), read()
    print("\n| gaps over | answer kB | ms |\n|---|---|---|")
    for names in (["pci-dss"], None):
        asked = {"detectors": [{"detector": name} for name in RUNNING], "frameworks": names}
        request = GapsRequest.model_validate(asked | {"seen": [{"label": "PII.Contact.Email"}]})
        answer = gaps(request, frameworks, taxonomy, speakers)
        took = milliseconds(partial(_asked, request, frameworks, taxonomy, speakers), 20)
        print(f"| {len(answer.frameworks)} | {len(answer.model_dump_json()) / 1000:.1f} | {took:.1f} |")
    print(f"\nreading all files: {milliseconds(lambda: Frameworks.load(folder), 5):.0f} ms")


if __name__ == "__main__":
    main()
