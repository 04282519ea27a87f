"""Measure retrieval on the questions held back from tuning: words alone, meaning alone, both.

.venv/bin/python -m tests.performance.guidance [--fit] [--part test|tuning]
"""

import argparse
import resource
import statistics
import time
from pathlib import Path

from functions.analyze.guidance import retrieval
from functions.analyze.guidance.knowledge import Knowledge
from functions.analyze.guidance.retrieval import Guidance, Way
from functions.analyze.settings import Settings
from llama_mapper.contracts.retrieval import RetrievalRequest

from .fitting import fit
from .questions import Asked, read
from .scoring import Scores, score

WAYS: tuple[Way, ...] = ("lexical", "vectors", "hybrid")
KINDS = {
    "other law or standard": "other-law",
    "another topic": "other-topic",
    "near miss": "near-miss",
}
CALIBRATION = Path(retrieval.__file__).with_name("calibration.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit calibration.yaml on the tuning part first")
    parser.add_argument("--part", choices=("test", "tuning"), default="test")
    chosen = parser.parse_args()
    knowledge = Path(Settings.model_fields["knowledge"].default)
    before = _megabytes()
    started = time.perf_counter()
    Knowledge.load(knowledge)
    read_in = time.perf_counter() - started
    started = time.perf_counter()
    guidance = Guidance.load(knowledge)
    built = time.perf_counter() - started
    questions = read()
    if chosen.fit:
        tuning = [asked for asked in questions if asked.for_tuning]
        fitted = {way: fit(guidance, tuning, way) for way in WAYS}
        CALIBRATION.write_text(_calibration(fitted), "utf-8")
        guidance = Guidance.load(knowledge)
    part = [asked for asked in questions if asked.for_tuning == (chosen.part == "tuning")]
    _print(part, {way: score(guidance, part, way) for way in WAYS})
    print(f"\n{len(guidance.passages)} passages: read in {read_in:.2f} s, read and indexed in {built:.2f} s")
    for way in ("lexical", "hybrid"):
        print(f"a question, {way}: p50 {_milliseconds(guidance, part, way):.1f} ms")
    print(f"memory: {_megabytes() - before:.0f} MB above a process with the contracts alone")


def _calibration(fitted: dict[Way, retrieval.Weights]) -> str:
    lines = ["# Written by `python -m tests.performance.guidance --fit` from the tuning part of the questions."]
    for way, weights in fitted.items():
        values = ", ".join(f"{name}: {value}" for name, value in weights.model_dump().items())
        lines.append(f"{way}: {{{values}}}")
    return "\n".join(lines) + "\n"


def _print(part: list[Asked], scores: dict[Way, Scores]) -> None:
    answerable = sum(bool(asked.right) for asked in part)
    print(f"{answerable} answerable questions, {len(part) - answerable} without an answer\n")
    rows = {way: each.row() for way, each in scores.items()}
    print(f"{'':34}" + "".join(f"{way:>10}" for way in WAYS))
    for measure in rows["hybrid"]:
        print(f"{measure:34}" + "".join(f"{rows[way][measure]:10.3f}" for way in WAYS))
    for said, kind in KINDS.items():
        shares = (scores[way].not_answered(kind) for way in WAYS)
        count = sum(asked.kind == kind for asked in part)
        print(f"{f'  abstained: {said} ({count})':34}" + "".join(f"{share:10.3f}" for share in shares))


def _milliseconds(guidance: Guidance, part: list[Asked], way: Way) -> float:
    taken = []
    for asked in part:
        started = time.perf_counter()
        guidance.answer(RetrievalRequest(question=asked.ask), way)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def _megabytes() -> float:
    """The most that this process ever had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
