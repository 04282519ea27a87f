"""`llama-mapper taxonomy`: read the canonical labels, compare versions, move records between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, MISUSED, refuse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.tree import Tree

    from llama_mapper.taxonomy import Label, Taxonomy
    from llama_mapper.taxonomy.migration import Plan

app = typer.Typer(help="The canonical labels: read, search, compare and migrate.", no_args_is_help=True)
migrate = typer.Typer(help="Move records from one taxonomy version to another, and back.", no_args_is_help=True)
app.add_typer(migrate, name="migrate")

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
OldFile = Annotated[Path, typer.Argument(metavar="OLD.yaml", help="The earlier taxonomy.")]
NewFile = Annotated[Path, typer.Argument(metavar="NEW.yaml", help="The later taxonomy.")]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that `migrate plan` or `migrate invert` wrote.")]


@app.command()
def show(
    label: Annotated[str | None, typer.Argument(help="A canonical label; all of them when left out.")] = None,
    tree: Annotated[bool, typer.Option("--tree", help="The label and everything below it, as a tree.")] = False,
) -> None:
    """Show one label in full, or the whole taxonomy.

    Example: llama-mapper taxonomy show PII.Contact.Email
    """
    taxonomy = _ours()
    if label:
        _known(label, taxonomy)
    _console().print(_details(taxonomy[label], taxonomy) if label and not tree else _tree(label, taxonomy))


@app.command()
def search(words: Annotated[list[str], typer.Argument(help="Every one of them must occur.")]) -> None:
    """Find labels by name, alias or definition, best first.

    Example: llama-mapper taxonomy search credit card
    """
    taxonomy = _ours()
    found = taxonomy.search(" ".join(words))
    if not found:
        refuse("no label has all of these words in its name, aliases or definition", FAILED)
    table = _table("label", "severity", "sensitivity", "definition")
    for label in found:
        table.add_row(label.name, str(label.severity), label.sensitivity, label.definition)
    _console().print(table)


@app.command()
def crosswalk(
    name: Annotated[str, typer.Argument(metavar="LABEL|SCHEME", help="A canonical label, or a scheme's id.")],
) -> None:
    """Show what a label is called in other risk lists, or one such list with our labels.

    Example: llama-mapper taxonomy crosswalk owasp_llm
    """
    from llama_mapper.taxonomy import load_crosswalk

    taxonomy = _ours()
    table = load_crosswalk(taxonomy)
    if scheme := next((s for s in table.schemes if s.id == name), None):
        rows = _table("code", "title", "labels", title=scheme.name)
        for entry in scheme.entries:
            rows.add_row(entry.code, entry.title, "\n".join(entry.labels) or f"none: {entry.reason}")
    elif name in taxonomy:
        rows = _table("scheme", "code", "title", title=name)
        for scheme_id, entry in table.of(name):
            rows.add_row(scheme_id, entry.code, entry.title)
    else:
        refuse(f"neither a label nor a scheme; the schemes are {', '.join(s.id for s in table.schemes)}", MISUSED)
    _console().print(rows if rows.row_count else f"No other list has a category for {name}.")


@app.command()
def diff(old: OldFile, new: NewFile) -> None:
    """List every change between two taxonomy files, breaking ones first.

    Example: llama-mapper taxonomy diff old.yaml new.yaml
    """
    from llama_mapper.taxonomy.migration import diff as changes_between

    changes = changes_between(_read(old), _read(new))
    table = _table("kind", "label", "change")
    for change in changes:
        table.add_row(change.kind, change.label, change.what)
    _console().print(table if changes else "No difference.")


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A taxonomy file.")]) -> None:
    """Check a taxonomy file and name every fault; exit status 1 where there is one.

    Example: llama-mapper taxonomy check taxonomy.yaml
    """
    from llama_mapper.taxonomy import TaxonomyError, load

    _must_be_file(file)
    try:
        taxonomy = load(file)
    except TaxonomyError as error:
        for fault in error.faults:
            typer.echo(fault)
        refuse(f"{file.name}: {_count(len(error.faults), 'fault')}", FAILED)
    typer.echo(f"{file.name}: taxonomy {taxonomy.version}, {_count(len(taxonomy.labels), 'label')}, no faults")


@migrate.command("plan")
def plan_(old: OldFile, new: NewFile, output: Output) -> None:
    """Work out how records of OLD become records of NEW, by the moves that NEW states.

    Example: llama-mapper taxonomy migrate plan old.yaml new.yaml -o plan.json
    """
    from llama_mapper.taxonomy import TaxonomyError
    from llama_mapper.taxonomy.migration import plan

    before, after = _read(old), _read(new)
    try:
        made = plan(before, after)
    except TaxonomyError as error:
        refuse("; ".join(error.faults), FAILED)
    _write_plan(made, output)
    if made.lossy:
        typer.echo(f"merged, so that bare names cannot be told apart again: {', '.join(made.lossy)}")


@migrate.command("apply")
def apply_(
    plan: PlanFile,
    records: Annotated[Path, typer.Argument(metavar="RECORDS.jsonl", help="One JSON object a line.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else stdout.")] = None,
) -> None:
    """Move every record to the plan's version; nothing is written if one of them cannot be moved.

    Example: llama-mapper taxonomy migrate apply plan.json records.jsonl -o moved.jsonl
    """
    import json

    from llama_mapper.taxonomy.migration import apply

    migration = _read_plan(plan)
    try:
        moved = apply(migration, list(_records(records)))
    except ValueError as error:  # names the two versions
        refuse(f"{records.name}: {error}", FAILED)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in moved)
    if output is None:
        typer.echo(text, nl=False)
        return
    with _writing(output):
        output.write_text(text, encoding="utf-8")
    typer.echo(f"{_count(len(moved), 'record')} of taxonomy {migration.to_version} in {output}")


@migrate.command()
def invert(plan: PlanFile, output: Output) -> None:
    """Write the plan that leads back.

    Example: llama-mapper taxonomy migrate invert plan.json -o back.json
    """
    from llama_mapper.taxonomy.migration import invert as inverted

    _write_plan(inverted(_read_plan(plan)), output)


def _ours() -> "Taxonomy":
    from llama_mapper.taxonomy import load

    return load()


def _known(label: str, taxonomy: "Taxonomy") -> None:
    if label not in taxonomy:
        from difflib import get_close_matches

        near = get_close_matches(label, list(taxonomy.by_name), n=3, cutoff=0.5)
        refuse(f"no such label{'; did you mean ' + ' or '.join(near) + '?' if near else ''}", MISUSED)


def _read(file: Path) -> "Taxonomy":
    from llama_mapper.taxonomy import TaxonomyError, load

    _must_be_file(file)
    try:
        return load(file)
    except TaxonomyError as error:
        more = f" and {_count(len(error.faults) - 1, 'more fault')}" if len(error.faults) > 1 else ""
        refuse(f"{file.name}: {error.faults[0]}{more}", MISUSED)


def _read_plan(file: Path) -> "Plan":
    from pydantic import ValidationError

    from llama_mapper.taxonomy.migration import Plan

    _must_be_file(file)
    try:
        return Plan.model_validate_json(file.read_bytes())
    except ValidationError:
        refuse(f"{file.name}: this is not a plan that `taxonomy migrate plan` wrote", MISUSED)


def _records(file: Path) -> Iterator[object]:
    import json

    _must_be_file(file)
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                refuse(f"{file.name}, line {number}: not JSON", MISUSED)


def _must_be_file(file: Path) -> None:
    if not file.is_file():
        refuse(f"{file}: no such file", MISUSED)


def _write_plan(plan: "Plan", output: Path) -> None:
    with _writing(output):
        output.write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
    steps = _count(len(plan.steps), "label")
    typer.echo(f"{plan.from_version} -> {plan.to_version}: {steps} moved, {len(plan.added)} added, in {output}")


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        refuse(f"cannot write {output}: {error.strerror}", MISUSED)


def _details(label: "Label", taxonomy: "Taxonomy") -> "Table":
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, title=label.name, title_justify="left")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "definition": label.definition,
        "includes": "\n".join(label.includes),
        "excludes": "\n".join(label.excludes),
        "aliases": ", ".join(label.aliases),
        "severity": f"{label.severity} of 4",
        "sensitivity": label.sensitivity,
        "references": "\n".join(f"{scheme}: {', '.join(codes)}" for scheme, codes in label.references.items()),
        "below it": ", ".join(child.name for child in taxonomy.children(label.name)),
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    return table


def _tree(name: str | None, taxonomy: "Taxonomy") -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(name or f"taxonomy {taxonomy.version}, {_count(len(taxonomy.labels), 'label')}")

    def grow(branch: "Tree", parent: str | None) -> None:
        for child in taxonomy.children(parent):
            last = child.name.rpartition(".")[2]
            grow(branch.add(Text.assemble(last, (f"  {child.severity} {child.sensitivity}", "dim"))), child.name)

    grow(root, name)
    return root


def _console() -> "Console":
    from rich.console import Console

    return Console(markup=False, highlight=False)  # labels and notes may hold square brackets


def _table(*headings: str, title: str | None = None) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
