"""``make images``: build every image, prove that it answers and what it cannot do, measure it, list what is in it.

usage: python -m tests.images [--output DIR] [--base IMAGE --builder IMAGE] [--runs N] [name ...]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import base as bases
from . import together
from .commands import CommandFailed, missing
from .package_index import open_index
from .proofs import ProofFailed
from .recipes import ROOT, Recipe, recipes
from .trial import Bench, Outcome, Say, trial

KEPT = ROOT / ".cache" / "images"
SKIPPED = 0
HEADINGS = ("image", "MiB", "base", "packed", "packages", "SBOM", "cold s", "no .pyc", "runtime", "peak MiB")
NO_CVES = (
    "Known vulnerabilities were not looked up: that needs a database from outside. Where there is one:"
    " `pip-audit --requirement constraints.txt --no-deps`, `grype sbom:analyze.cdx.json`."
)


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    chosen: tuple[Recipe, ...]
    output: Path
    base: str | None
    builder: str | None
    runs: int


def run_trials(asked: Asked, say: Say) -> tuple[list[Outcome], list[str]]:
    """Return each image's outcome, and why the others have none."""
    outcomes: list[Outcome] = []
    faults: list[str] = []
    asked.output.mkdir(parents=True, exist_ok=True)
    say("base")
    base, builder = (asked.base, asked.builder or asked.base) if asked.base else bases.make(KEPT)
    assert builder is not None
    revision, committed = _git("rev-parse", "--short", "HEAD"), _git("log", "-1", "--format=%ct")
    with open_index() as index:
        bench = Bench(base, builder, index, asked.output, revision, committed, asked.runs)
        for recipe in asked.chosen:
            say(recipe.short)
            try:
                outcomes.append(trial(recipe, bench, say))
            except (CommandFailed, ProofFailed, ValueError) as fault:
                faults.append(f"{recipe.name}: {fault}")
            say("next")
    return outcomes, faults


def main(arguments: Sequence[str]) -> int:
    asked = _asked(arguments)
    reason = missing(base=asked.base is None)
    err = Console(stderr=True)
    out = Console() if sys.stdout.isatty() else Console(width=120)
    if reason:
        out.print(f"Images were not built: {reason}", soft_wrap=True)
        return SKIPPED
    columns = (SpinnerColumn(), TextColumn("{task.description:38}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=len(asked.chosen))

        def say(what: str) -> None:
            progress.advance(task) if what == "next" else progress.update(task, description=what)

        outcomes, faults = run_trials(asked, say)
    out.print(_table(outcomes))
    faults += [f"{one.image}: no lock names {', '.join(one.not_locked)}" for one in outcomes if one.not_locked]
    for line in (*map(_sentence, outcomes), *_as_one(asked.chosen, outcomes, faults), NO_CVES):
        out.print(line, soft_wrap=True)
    (asked.output / "images.json").write_text(json.dumps([one.as_json() for one in outcomes], indent=1), "utf-8")
    out.print(f"Bills of materials, build logs, images.json: {asked.output}", soft_wrap=True)
    for told in faults:
        err.print(f"[red]{told}", soft_wrap=True)
    return int(bool(faults))


def _sentence(one: Outcome) -> str:
    return f"{one.image}: {one.answered}; {one.compiled:.1%} of the modules compiled; {one.digest}"


def _as_one(chosen: Sequence[Recipe], outcomes: Sequence[Outcome], faults: list[str]) -> Iterator[str]:
    """Say what the images did together, where the main ones are there; a fault is added to *faults*."""
    good = {one.image for one in outcomes}
    try:
        said = together.judge([recipe for recipe in chosen if recipe.name in good])
    except (CommandFailed, ProofFailed) as fault:
        faults.append(f"together: {fault}")
    else:
        if said:
            yield f"together: {said}"


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="images")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "image" else "right")
    for one in outcomes:
        cold = one.cold
        times = (cold.compiled, cold.uncompiled, cold.runtime) if cold else (None, None, None)
        table.add_row(
            *(one.image.removeprefix("llama-mapper-"), f"{one.mib:.0f}", f"{one.base_mib:.0f}"),
            *(f"{one.compressed_mib:.0f}", str(one.python_packages), str(one.components)),
            *("–" if seconds is None else f"{seconds:.2f}" for seconds in times),
            "–" if one.peak_mib is None else f"{one.peak_mib:.0f}",
        )
    return table


def _asked(arguments: Sequence[str]) -> Asked:
    known = {recipe.short: recipe for recipe in recipes()}
    parser = argparse.ArgumentParser(prog="python -m tests.images", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"all of {', '.join(known)} when left out")
    parser.add_argument("--output", type=Path, default=KEPT, help="folder of bills of materials, logs, images.json")
    parser.add_argument("--base", help="image to build on; a Debian made here when left out")
    parser.add_argument("--builder", help="the same with the venv module; the base itself when left out")
    parser.add_argument("--runs", type=int, default=7, help="cold starts of each kind")
    read = parser.parse_args(arguments)
    unknown = sorted(set(read.names) - set(known))
    if unknown:
        parser.error(f"there is no image {', '.join(unknown)}")
    chosen = tuple(known[name] for name in read.names or known)
    return Asked(chosen, read.output.resolve(), read.base, read.builder, max(1, read.runs))


def _git(*arguments: str) -> str:
    return subprocess.run(
        ("git", "-C", str(ROOT), *arguments), capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
