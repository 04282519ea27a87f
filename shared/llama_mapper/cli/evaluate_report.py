"""What `llama-mapper evaluate mapper` says: one set of rows for the terminal and for Markdown."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_mapper.contracts.evaluation import Gate

from .evaluate_running import NOT_HELD_OUT, Running

if TYPE_CHECKING:
    from mapper_training.golden import Case

SYSTEMS = {
    "exact": "same spelling",
    "fuzzy": "spelling (n-grams)",
    "minilm": "meaning (MiniLM)",
    "nearest": "spelling and meaning",
    "ranker": "ranker, calibrated",
    "zero_shot": "base, zero-shot",
    "model_letter": "adapter alone",
    "model_and_ranker": "adapter and ranker",
}
WANTED_COVERAGE = 0.85
# Two tables of one line a system: a terminal of 80 columns has no room for all figures beside each other.
COMPARED = ("surest 85 %", "F1", "95 %", "nonsense", "accuracy", "95 %", "hier. F1")
SERVED = ("above 0.6", "F1", "covered", "by vendor", "precision", "nonsense", "ECE")
LEGEND = (
    "F1: macro over labels within a vendor, then over vendors, of the words that got a label; in brackets the share of "
    "words that did, where a system has less than 85 % to say. 0.6 is serving's threshold; covered: share of words "
    "that got a label, by vendor: its mean over vendors; nonsense: share of words without meaning that got none. "
    "Accuracy and hierarchical F1: all words. ECE: all answers that name a label. 95 %: bootstrap over vendors, 2,000 "
    "resamples."
)


class GoldenSet(NamedTuple):
    cases: int
    vendors: int
    sha256: str


def golden_set(cases: "Sequence[Case]") -> GoldenSet:
    """Return its size, and a digest that changes with any case."""
    text = "\n".join(case.model_dump_json() for case in cases)
    return GoldenSet(len(cases), len({case.vendor for case in cases}), hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Report:
    """*result* is what ``mapper_training.score.experiment`` returns; *kind*: was the detector's kind told."""

    experiment: str
    kind: str
    result: Mapping[str, Any]
    golden: GoldenSet
    gates: tuple[Gate, ...]
    running: Running | None = None

    @property
    def systems(self) -> dict[str, Mapping[str, Any]]:
        """Measures by system, baselines first."""
        found = self.result["systems"][f"kind_{self.kind}"]
        return {name: found[name] for name in SYSTEMS if name in found}

    @property
    def differences(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.result["differences"][f"kind_{self.kind}"]
        return found

    @property
    def vendors(self) -> Mapping[str, Mapping[str, float]]:
        found: Mapping[str, Mapping[str, float]] = self.result["vendors"][f"kind_{self.kind}"]
        return found

    def as_json(self) -> str:
        """The whole result, so that the file can stand in an experiment's folder, with what is said here."""
        said = {
            "experiment": self.experiment,
            "kind": self.kind,
            "golden_set": self.golden._asdict(),
            "gates": [gate.model_dump(mode="json", exclude_none=True) for gate in self.gates],
            "running": asdict(self.running) if self.running else None,
        }
        return json.dumps({**self.result, **said}, indent=1)

    def markdown(self, pictures: Iterable[Path]) -> str:
        parts = [
            f"# {self.experiment}: vendors never seen",
            title(self),
            _markdown(COMPARED, compared(self)),
            _markdown(SERVED, served(self)),
            LEGEND,
            "\n".join(f"- {line}" for line in facts(self)),
            _markdown(GATE_COLUMNS, gate_rows(self)),
            "\n".join(f"![{path.stem.replace('-', ' ')}]({path.name})" for path in pictures),
        ]
        if self.running:
            parts += ["## The running mapper", NOT_HELD_OUT, _markdown(("", ""), self.running.rows())]
        return "\n\n".join(part for part in parts if part) + "\n"


def title(report: Report) -> str:
    known = "is told" if report.kind == "told" else "is not told"
    return (
        f"{report.golden.cases:,} words of {report.golden.vendors} vendors, each asked about with its vendor's family "
        f"left out; what the detector is for {known}."
    )


def compared(report: Report) -> list[tuple[str, ...]]:
    """Every system where each labels the same share of all words, and over all words."""
    found: list[tuple[str, ...]] = []
    for name, measured in report.systems.items():
        at = measured["at_coverage"]
        short = at["coverage"] < WANTED_COVERAGE
        cells = (
            _share(at["macro_f1_of_covered"]) + (f" ({at['coverage']:.2f})" if short else ""),
            _ends(at["macro_f1_interval"]),
            f"{at['nonsense_abstained']:.2f}",
            _share(measured["accuracy"]),
            _ends(measured["accuracy_interval"]),
            _share(measured["hierarchical_f1"]),
        )
        found.append((SYSTEMS[name], *cells))
    return found


def served(report: Report) -> list[tuple[str, ...]]:
    """Every system at the threshold that serving has."""
    found: list[tuple[str, ...]] = []
    for name, measured in report.systems.items():
        at = measured["at_threshold"]
        cells = (
            _share(at["macro_f1_of_covered"]),
            f"{at['coverage']:.2f}",
            f"{at['coverage_by_vendor']:.2f}",
            _share(at["precision"]),
            f"{at['nonsense_abstained']:.2f}",
            _share(measured["ece"]),
        )
        found.append((SYSTEMS[name], *cells))
    return found


def facts(report: Report) -> list[str]:
    """Sentences that a table has no room for: what the served system gains, and what bounds it."""
    chosen, best = report.result["served"], report.differences["best_baseline"]
    lines = []
    for key, other in (("to_best_baseline", best), ("to_ranker", "ranker")):
        found = report.differences.get(key, {}).get(chosen)
        if found:
            lines.append(
                f"{SYSTEMS[chosen]} against {SYSTEMS[other]}{' (best baseline)' if other == best else ''}: "
                f"F1 {_difference(found['macro_f1'])}, accuracy {_difference(found['accuracy'])}"
            )
    tag = f"kind_{report.kind}"
    lines.append(f"right label among the candidates: {_share(report.result['recall_of_candidates'][tag])} of words")
    if relations := report.result.get("relation_accuracy"):
        lines.append(f"right relation, where the adapter's label is right: {_share(relations[tag])}")
    return lines


GATE_COLUMNS = ("gate", "value", "bound", "")


def gate_rows(report: Report) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for gate in report.gates:
        bound = f"≥ {gate.floor:g}" if gate.floor is not None else f"≤ {gate.ceiling:g}"
        found.append((gate.name, f"{gate.value:.3f}", bound, "passed" if gate.passed else "failed"))
    if report.running is None:
        found.append(("schema-valid", "–", "≥ 1", "not measured: needs --url"))
    return found


def show(report: Report) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.print(title(report))
    console.print()
    console.print(_table(COMPARED, compared(report)))
    console.print()
    console.print(_table(SERVED, served(report)))
    console.print()
    console.print(LEGEND, style="dim")
    for line in facts(report):
        console.print(line)
    console.print()
    console.print(_table((f"gate ({SYSTEMS[report.result['served']]})", *GATE_COLUMNS[1:]), gate_rows(report)))
    if report.running:
        console.print()
        console.print(f"The running mapper. {NOT_HELD_OUT}")
        console.print(_table(("", ""), report.running.rows()))


def _table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    return table


def _markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *lines))


def _share(value: float) -> str:
    return f"{value:.3f}"


def _ends(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.2f}–{interval[1]:.2f}" if interval else "–"


def _difference(found: Mapping[str, float | None]) -> str:
    ends = "" if found["low"] is None else f" [{found['low']:+.3f}, {found['high']:+.3f}]"
    return f"{found['difference']:+.3f}{ends}"
