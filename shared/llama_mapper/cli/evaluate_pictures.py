"""The pictures of `llama-mapper evaluate mapper`, drawn by matplotlib without a display."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .evaluate_report import SYSTEMS, WANTED_COVERAGE, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Systems worth a line each, in colours that stay apart for colour-blind eyes (Okabe and Ito, 2008).
COLOURS = {
    "fuzzy": "#999999",
    "minilm": "#56B4E9",
    "nearest": "#009E73",
    "ranker": "#E69F00",
    "zero_shot": "#CC79A7",
    "model_and_ranker": "#0072B2",
}
DPI = 120


def draw(report: Report, folder: Path) -> list[Path]:
    """Write the pictures into *folder* and return their files."""
    shown = {name: report.systems[name] for name in COLOURS if name in report.systems}
    paths = [folder / f"{name}.png" for name in ("reliability", "risk-coverage", "vendors")]
    reliability(shown, paths[0])
    risk_coverage(shown, paths[1])
    vendors(report, paths[2])
    return paths


def reliability(systems: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """One panel a system: how often an answer of that confidence is right; a dot's area is how many there are."""
    from matplotlib.figure import Figure

    columns = min(3, len(systems))
    lines = -(-len(systems) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.4 * lines), layout="constrained")
    panels = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    for panel, (name, measured) in zip(panels, systems.items(), strict=False):
        confidence, right, counts = zip(*measured["reliability"], strict=True)
        total = sum(counts)
        panel.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
        panel.plot(confidence, right, color=COLOURS[name], linewidth=1)
        panel.scatter(
            confidence, right, s=[8 + 600 * count / total for count in counts], color=COLOURS[name], alpha=0.6
        )
        panel.set_title(f"{SYSTEMS[name]}\nECE {measured['ece']:.3f}", fontsize=9)
    for panel in panels[len(systems) :]:
        panel.set_visible(False)
    figure.supxlabel("confidence")
    figure.supylabel("share right")
    figure.savefig(path, dpi=DPI)


def risk_coverage(systems: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """How many of the surest answers are wrong, for every share of the words that gets one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, measured in systems.items():
        coverage, risk = zip(*measured["risk_coverage"], strict=True)
        axes.plot(coverage, risk, color=COLOURS[name], label=SYSTEMS[name], linewidth=1.6)
    axes.axvline(WANTED_COVERAGE, color="#bbbbbb", linewidth=1, linestyle="--")
    axes.set(xlabel="coverage: share of words that get a label", ylabel="share of them wrong", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _plain(axes)
    figure.savefig(path, dpi=DPI)


def vendors(report: Report, path: Path) -> None:
    """Accuracy on each vendor's words, lowest first: what is served against the best baseline."""
    from matplotlib.figure import Figure

    served, best = report.result["served"], report.differences["best_baseline"]
    found = sorted(report.vendors.items(), key=lambda one: (-one[1][served], one[0]))
    figure = Figure(figsize=(8, 1.5 + 0.24 * len(found)), layout="constrained")
    axes = figure.subplots()
    places = range(len(found))
    for shift, name, colour in ((-0.2, served, "#0072B2"), (0.2, best, "#999999")):
        shares = [shares[name] for _, shares in found]
        axes.barh([place - shift for place in places], shares, height=0.4, color=colour, label=SYSTEMS[name])
    axes.set_yticks(list(places), [f"{name} ({shares['words']:.0f})" for name, shares in found], fontsize=7)
    axes.set(xlabel="accuracy, all words (how many in brackets)", xlim=(0, 1))
    axes.margins(y=0.01)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    _plain(axes)
    figure.savefig(path, dpi=DPI)


def _plain(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
