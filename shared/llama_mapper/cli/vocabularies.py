"""`llama-mapper vocabularies`: the curated rule maps from vendors' labels to canonical ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, MISUSED, refuse
from .rooms import MAPPER, open_rooms

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mapper_serving.lint import Report
    from mapper_serving.vocabulary import Vocabularies, Vocabulary

app = typer.Typer(help="The curated maps from detectors' labels to canonical ones.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option(help="Folder of vocabularies; the mapper's own unless given.")]
Detector = Annotated[str, typer.Argument(help="A detector's id, or another name it goes by.")]


@app.command()
def lint(folder: Folder = None) -> None:
    """Prove every map sound and show what is covered; exit status 1 with faults.

    Example: llama-mapper vocabularies lint
    """
    root = open_rooms()
    from llama_mapper.taxonomy import load
    from mapper_serving.lint import lint as check

    report = check(_folder(folder, root), load())
    if report.coverage:
        _print_coverage(report, _console())
    if report.faults:
        for fault in report.faults:
            typer.echo(fault)
        refuse("1 fault" if len(report.faults) == 1 else f"{len(report.faults)} faults", FAILED)


@app.command()
def show(
    detector: Detector,
    version: Annotated[str | None, typer.Option(help="The detector's version; every map of it unless given.")] = None,
    folder: Folder = None,
) -> None:
    """Show what each label of a detector means.

    Example: llama-mapper vocabularies show presidio
    """
    root = open_rooms()
    console = _console()
    vocabularies = _read(_folder(folder, root))
    for vocabulary in _chosen(vocabularies, detector, version):
        _print_map(vocabulary, console)


@app.command()
def explain(
    detector: Detector,
    version: Annotated[str, typer.Argument(help="The detector's version, or `unknown`.")],
    label: Annotated[str, typer.Argument(help="The detector's own word.")],
    folder: Folder = None,
) -> None:
    """Say which rule of which file maps a label, as the mapper would choose it.

    Example: llama-mapper vocabularies explain llama-guard 3-8b S5
    """
    root = open_rooms()
    where = _folder(folder, root)
    vocabularies = _read(where)
    (vocabulary,) = _chosen(vocabularies, detector, version)
    found = vocabularies.lookup(detector, version, label)
    if found is None:
        why = vocabulary.unmapped.get(label)
        file = _file_of(vocabulary, where)
        refuse(f"{file.name} has no rule for this label{f': {why}' if why else ''}", FAILED)
    vocabulary, rule = found
    table = _table("", "")
    table.show_header = False
    word = next(w for w, r in vocabulary.labels.items() if r is rule)
    trust = {
        "parsed": "read from the vendor's code",
        "public-file": "read from a public file",
        "reviewed": "decided in review",
    }
    rows = {
        "file": str(_file_of(vocabulary, where)),
        "vocabulary": vocabulary.id,
        "rule": word,
        "means": "nothing found" if rule.negative else "\n".join(f"{t.label} ({t.relation})" for t in rule.targets),
        "vendor says": rule.description or "",
        "note": rule.note or "",
        "decided": f"{rule.reviewed.by}, {rule.reviewed.at:%Y-%m-%d}" if rule.reviewed else "",
        "source": f"{vocabulary.source.reference} ({trust.get(vocabulary.source.read, 'not verified')})",
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    _console().print(table)


def _folder(folder: Path | None, root: Path) -> Path:
    chosen = folder or root / MAPPER / "vocabularies"
    if not chosen.is_dir():
        refuse(f"{chosen}: no such folder", MISUSED)
    return chosen


def _read(folder: Path) -> "Vocabularies":
    from mapper_serving.vocabulary import Vocabularies, VocabularyError, read_all

    try:
        return Vocabularies(read_all(folder))
    except VocabularyError as error:
        more = f" (and {len(error.faults) - 1} more: run `vocabularies lint`)" if len(error.faults) > 1 else ""
        refuse(error.faults[0] + more, MISUSED)


def _chosen(vocabularies: "Vocabularies", detector: str, version: str | None) -> "tuple[Vocabulary, ...]":
    ours = tuple(v for v in vocabularies.all if detector in (v.detector, *v.aliases))
    if not ours:
        from difflib import get_close_matches

        names = [name for v in vocabularies.all for name in (v.detector, *v.aliases)]
        near = get_close_matches(detector, names, n=3, cutoff=0.5)
        refuse(f"no map for that detector{'; did you mean ' + ' or '.join(near) + '?' if near else ''}", MISUSED)
    if version is None:
        return ours
    found = vocabularies.find(detector, version)
    if found is None:
        known = ", ".join(pattern for v in ours for pattern in v.versions)
        refuse(f"no map of {detector} fits that version; there is {known}", MISUSED)
    return (found,)


def _file_of(vocabulary: "Vocabulary", folder: Path) -> Path:
    from mapper_serving.vocabulary import read

    return next(path for path in sorted(folder.glob("*.yaml")) if read(path) == vocabulary)


def _print_coverage(report: "Report", console: "Console") -> None:
    table = _table("vendor", "version")
    for heading in ("published", "mapped", "negatives", "unmapped", "covered", "exact"):
        table.add_column(heading, justify="right")
    for row in report.coverage:
        vocabulary = row.vocabulary
        counts = (vocabulary.published, row.mapped, row.negatives, row.unmapped)
        targets = sum(len(rule.targets) for rule in vocabulary.labels.values())
        exact = f"{row.exact / targets:.0%}" if targets else "–"
        table.add_row(vocabulary.detector, " ".join(vocabulary.versions), *map(str, counts), f"{row.share:.0%}", exact)
    console.print(table)
    mapped, published = sum(row.mapped for row in report.coverage), sum(r.vocabulary.published for r in report.coverage)
    console.print(f"{len(report.coverage)} maps, {mapped} labels mapped of {published} published")
    total = len(report.reached) + len(report.unreached)
    console.print(f"canonical labels reached: {len(report.reached)} of {total} ({report.reached_share:.1%})")
    if report.unreached:
        console.print("not reached: " + ", ".join(report.unreached))


def _print_map(vocabulary: "Vocabulary", console: "Console") -> None:
    title = f"{vocabulary.name} ({vocabulary.id}), {vocabulary.covered:.0%} of {vocabulary.published} published labels"
    table = _table("label", "means", "relation", "note")
    table.title, table.title_justify = title, "left"
    for word, rule in vocabulary.labels.items():
        means = "\n".join(target.label for target in rule.targets) or "nothing found"
        relations = "\n".join(target.relation for target in rule.targets)
        table.add_row(word, means, relations, rule.note or rule.description or "")
    for word, why in vocabulary.unmapped.items():
        table.add_row(word, "not mapped", "", why)
    console.print(table)


def _console() -> "Console":
    from rich.console import Console

    return Console(markup=False, highlight=False)  # labels and notes may hold square brackets


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
