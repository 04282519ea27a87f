"""`llama-mapper frameworks`: read the frameworks, compare versions, release them, find gaps in what is judged."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, MISUSED, refuse
from .rooms import MAPPER, open_rooms

if TYPE_CHECKING:
    from rich.console import Console

    from functions.analyze.frameworks import Framework, Frameworks

app = typer.Typer(help="The frameworks: editions, controls, changes between versions, gaps.", no_args_is_help=True)

ANALYZE = Path("functions", "analyze")
Folder = Annotated[
    Path | None, typer.Option(help="A folder of frameworks; the checkout's unless given.", show_default=False)
]
Named = Annotated[str, typer.Argument(metavar="NAME", help="A framework, with @VERSION for an earlier one, or a file.")]


@app.command("list")
def list_(folder: Folder = None) -> None:
    """List the frameworks with edition, dates and coverage of the taxonomy.

    Example: llama-mapper frameworks list
    """
    where = _folder(folder)
    from llama_mapper.taxonomy import load

    from .frameworks_tables import list_table

    _console().print(list_table(_read(where), load()))


@app.command()
def show(
    name: Named,
    control: Annotated[str | None, typer.Option(help="One control: its labels and its relations.")] = None,
    folder: Folder = None,
) -> None:
    """Show a framework's controls with the labels that touch them, or one control in full.

    Example: llama-mapper frameworks show iso27001 --control A.5.17
    """
    where = _folder(folder)
    from llama_mapper.taxonomy import load

    from .frameworks_tables import control_table, framework_tables

    framework = _find(where, name)
    if control is None:
        for table in framework_tables(framework, load()):
            _console().print(table)
        return
    if control not in {one.id for one in framework.controls}:
        refuse(f"{framework.framework} has no control {control} here", MISUSED)
    from functions.analyze.compliance.crosswalks import CrosswalkError
    from functions.analyze.compliance.crosswalks import load as load_crosswalks

    try:
        crosswalks = load_crosswalks(_read(where))
    except CrosswalkError as error:
        refuse(str(error), FAILED)
    _console().print(control_table(framework, control, load(), crosswalks))


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A framework, NAME@VERSION, or a file.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same.")],
    folder: Folder = None,
) -> None:
    """Print what changed between two versions: controls added, removed, reworded, labels moved; meaning first.

    Example: llama-mapper frameworks diff soc2@2026.11 soc2.yaml
    """
    where = _folder(folder)
    from functions.analyze.compliance.changes import diff as changes_between
    from llama_mapper.taxonomy import load

    from .frameworks_tables import changes_table

    before, after = _find(where, old), _find(where, new)
    changes = changes_between(before, after, [label.name for label in load().labels])
    _console().print(changes_table(changes) if changes else "No difference.")


@app.command()
def check(folder: Folder = None) -> None:
    """Check files, crosswalks and the lock of released versions; exit status 1 with faults.

    Example: llama-mapper frameworks check
    """
    where = _folder(folder)
    from functions.analyze.compliance import crosswalks, releases

    frameworks = _read(where)
    try:
        faults = releases.faults(where)
        pairs = crosswalks.load(frameworks)
    except (releases.ReleaseError, crosswalks.CrosswalkError) as error:
        refuse(str(error), FAILED)
    for fault in faults:
        typer.echo(fault)
    if faults:
        refuse("1 fault" if len(faults) == 1 else f"{len(faults)} faults", FAILED)
    related = sum(len(pair.relations) for pair in pairs.pairs)
    typer.echo(f"{len(frameworks.all)} frameworks as released, {related} relations in {len(pairs.pairs)} crosswalks")


@app.command()
def release(folder: Folder = None) -> None:
    """Lock new versions; refused where a released one was changed or lost.

    Example: llama-mapper frameworks release
    """
    where = _folder(folder)
    from functions.analyze.compliance import releases

    _read(where)
    try:
        done = releases.release(where)
    except releases.ReleaseError as error:
        refuse(str(error), FAILED)
    typer.echo(f"released: {', '.join(done)}" if done else "nothing new to release")


@app.command()
def detectors() -> None:
    """Write anew what each detector can report, from the mapper's vocabularies.

    Example: llama-mapper frameworks detectors
    """
    root = open_rooms()
    from functions.analyze.compliance.detectors import FILE
    from mapper_serving.vocabulary import VocabularyError, read_all

    from .frameworks_detectors import text_of

    try:
        text = text_of(read_all(root / MAPPER / "vocabularies"))
    except VocabularyError as error:
        refuse(error.faults[0], MISUSED)
    FILE.write_text(text, "utf-8")
    typer.echo(f"{FILE.name}: {text.count('versions')} vocabularies")


@app.command()
def gaps(
    detector: Annotated[list[str], typer.Option(help="A detector that ran, with @VERSION where known; repeatable.")],
    seen: Annotated[list[str] | None, typer.Option(help="A label seen, with =COUNT; repeatable.")] = None,
    framework: Annotated[list[str] | None, typer.Option(help="Only this framework; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole answer, as the service gives it.")] = False,
    folder: Folder = None,
) -> None:
    """Show which controls have evidence, which have none, and which detectors would close the gap.

    Example: llama-mapper frameworks gaps --detector presidio@2.2 --detector detect-secrets --seen PII.Contact.Email=12
    """
    where = _folder(folder)
    from pydantic import ValidationError

    from functions.analyze.compliance.detectors import DetectorsError, read
    from functions.analyze.compliance.gaps import gaps as find
    from llama_mapper.contracts.compliance import GapsRequest
    from llama_mapper.contracts.problems import InvalidRequest
    from llama_mapper.taxonomy import load

    from .frameworks_tables import gap_tables

    asked = {
        "detectors": [_split(each, "@", "detector", "version") for each in detector],
        "seen": [_split(each, "=", "label", "findings") for each in seen or ()],
        "frameworks": framework,
    }
    try:
        answer = find(GapsRequest.model_validate(asked), _read(where), load(), read())
    except ValidationError as error:
        refuse(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", MISUSED)
    except InvalidRequest as error:
        refuse(error.errors[0].message, MISUSED)
    except DetectorsError as error:
        refuse(str(error), FAILED)
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
        return
    for table in gap_tables(answer):
        _console().print(table)


def _split(text: str, sign: str, name: str, rest: str) -> dict[str, str | int]:
    head, _, tail = text.partition(sign)
    if not tail:
        return {name: head}
    return {name: head, rest: int(tail) if sign == "=" and tail.isdecimal() else tail}


def _folder(folder: Path | None) -> Path:
    root = open_rooms()
    chosen = folder or root / ANALYZE / "frameworks"
    if not chosen.is_dir():
        refuse(f"{chosen}: no such folder", MISUSED)
    return chosen


def _read(folder: Path) -> "Frameworks":
    from functions.analyze.frameworks import FrameworkError, Frameworks

    try:
        return Frameworks.load(folder)
    except FrameworkError as error:
        refuse(str(error), FAILED)


def _find(folder: Path, name: str) -> "Framework":
    from functions.analyze.compliance.releases import find
    from functions.analyze.frameworks import FrameworkError, read

    try:
        return read(Path(name)) if name.endswith((".yaml", ".yml")) else find(folder, name)
    except FrameworkError as error:
        refuse(str(error), MISUSED)


def _console() -> "Console":
    from rich.console import Console

    return Console(markup=False, highlight=False)
