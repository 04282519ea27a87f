"""`llama-mapper review`: labels that nobody knew for sure, and a person's say on them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .refusing import FAILED, MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_mapper.contracts.reviews import ReviewItem, ReviewRequest

    from .review_queue import Queue

app = typer.Typer(help="Labels that wait for a person: look, decide, export the decisions.", no_args_is_help=True)

RelationName = Literal["exact", "broader", "narrower", "related"]
StateName = Literal["waiting", "accepted", "rejected"]
ScopeName = Literal["tenant", "platform"]

Id = Annotated[str, typer.Argument(metavar="ID", help="As `review list` shows it.")]
By = Annotated[str | None, typer.Option(help="Who decides, for the record; your login name unless given.")]
Note = Annotated[str | None, typer.Option(help="Why, in a line; kept with the rule.")]
Scope = Annotated[ScopeName, typer.Option(help="For this tenant, or for every tenant without a decision of its own.")]
Tenant = Annotated[str, typer.Option(help="Whose queue.")]
Url = Annotated[str | None, typer.Option(help="Where the mapper answers; else where the local run has it.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]

MOST_LISTED, MOST_EXPORTED = 1_000, 10_000


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="At most so many.")] = 50,
    state: Annotated[StateName, typer.Option(help="What waits, or what was decided.")] = "waiting",
    scope: Scope = "tenant",
    tenant: Tenant = "demo",
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Show what waits, most frequent first, and what each label might be; or what was decided, newest first.

    Example: llama-mapper review list --limit 20
    """
    with in_plain_words():
        found = _queue(tenant, url, run_dir).listed(limit, state, scope)
    if json:
        typer.echo(_json(found))
    elif not found:
        typer.echo("nothing waits for a person" if state == "waiting" else f"nothing is {state}")
    else:
        from .review_table import print_list

        print_list(found)


@app.command()
def show(review_id: Id, tenant: Tenant = "demo", json: Json = False, url: Url = None, run_dir: RunDir = None) -> None:
    """Show all that is known of one label.

    Example: llama-mapper review show 9f86d081884c7d65
    """
    with in_plain_words():
        found = _queue(tenant, url, run_dir).one(_checked(review_id))
    if json:
        typer.echo(_json(found))
    else:
        from .review_table import print_one

        print_one(found)


@app.command()
def accept(
    review_id: Id,
    label: Annotated[
        list[str] | None, typer.Argument(metavar="[LABEL]...", help="What it means; the best candidate unless given.")
    ] = None,
    relation: Annotated[
        RelationName | None,
        typer.Option(help="The canonical label is … the vendor's; as the model said, else exact."),
    ] = None,
    by: By = None,
    note: Note = None,
    scope: Scope = "tenant",
    tenant: Tenant = "demo",
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Say what a label means. It is a rule at once.

    Example: llama-mapper review accept 9f86d081884c7d65 PII.Contact.Email --note "their word for an address"
    """
    queue = _queue(tenant, url, run_dir)
    with in_plain_words():
        item = queue.one(_checked(review_id))
        names = label or [candidate.label for candidate in item.candidates[:1]]
        if not names:
            refuse("nothing is suggested for this label: say what it means", MISUSED)
        request = _request(item, names, relation, by or _login(), note, scope)
        _tell(queue.decide(item.id, request), json)


@app.command()
def reject(
    review_id: Id,
    by: By = None,
    note: Note = None,
    scope: Scope = "tenant",
    tenant: Tenant = "demo",
    json: Json = False,
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Say that no canonical label fits. The label is OTHER.Unknown from now on and does not come back.

    Example: llama-mapper review reject 9f86d081884c7d65 --note "a test of theirs"
    """
    queue = _queue(tenant, url, run_dir)
    with in_plain_words():
        item = queue.one(_checked(review_id))
        _tell(queue.decide(item.id, _request(item, (), None, by or _login(), note, scope)), json)


@app.command("next")
def next_(
    by: By = None, scope: Scope = "tenant", tenant: Tenant = "demo", url: Url = None, run_dir: RunDir = None
) -> None:
    """Go through what waits, one label after another.

    Answer with a candidate's number, a canonical label, r (no label fits), s (skip) or q (quit).

    Example: llama-mapper review next
    """
    queue, who = _queue(tenant, url, run_dir), by or _login()
    from .review_table import print_one

    with in_plain_words():
        waiting = queue.listed(MOST_LISTED)
    if not waiting:
        typer.echo("nothing waits for a person")
    for place, item in enumerate(waiting, start=1):
        typer.echo(f"\n{place} of {len(waiting)}")
        print_one(item)
        if not _settle(queue, item, who, scope):
            return


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    scope: Scope = "tenant",
    tenant: Tenant = "demo",
    url: Url = None,
    run_dir: RunDir = None,
) -> None:
    """Write what was accepted as vocabularies, a file for each detector and version.

    In the mapper's folder of vocabularies they are rules after its next start, and data for the next training.

    Example: llama-mapper review export inference-services/mapper/vocabularies
    """
    from .rooms import MAPPER, open_rooms

    root, queue = open_rooms(), _queue(tenant, url, run_dir)
    from llama_mapper.taxonomy import load
    from mapper_serving.review_export import export as write
    from mapper_serving.vocabulary import Vocabularies, VocabularyError, read_all

    with in_plain_words():
        decided = [item for state in ("accepted", "rejected") for item in queue.listed(MOST_EXPORTED, state, scope)]
    try:
        known = Vocabularies(read_all(root / MAPPER / "vocabularies"))
        written = write(decided, folder, load(), known)
    except VocabularyError as error:
        refuse(error.faults[0], FAILED)
    for path in written.files:
        typer.echo(path)
    for line in written.left_out:
        typer.echo(f"left out: {line}", err=True)
    if not written.files:
        typer.echo("nothing to write")


def _settle(queue: "Queue", item: "ReviewItem", by: str, scope: str) -> bool:
    """Ask until *item* is decided or skipped; False to stop."""
    from .services import ServiceRefused

    numbered = {str(number): candidate.label for number, candidate in enumerate(item.candidates, start=1)}
    while True:
        answer = typer.prompt("number, label, r, s or q", default="s").strip()
        if answer in ("s", "q"):
            return bool(answer == "s")
        try:
            request = _request(item, () if answer == "r" else (numbered.get(answer, answer),), None, by, None, scope)
            _tell(queue.decide(item.id, _with_relation(request)), json=False)
        except typer.Exit:  # refused with a line on stderr: ask again
            continue
        except ServiceRefused as refused:
            typer.echo(f"error: {refused}", err=True)
        else:
            return True


def _with_relation(request: "ReviewRequest") -> "ReviewRequest":
    """*request* with the relation that the person says, the suggested one where they say none."""
    from llama_mapper.contracts.prompt import RELATION_MARKS

    if not request.labels:
        return request
    (label,) = request.labels
    said = None
    while said not in RELATION_MARKS:
        question = f"{label.label} is … the vendor's word ({', '.join(RELATION_MARKS)})"
        said = typer.prompt(question, default=label.relation).strip()
    return request.model_copy(update={"labels": (label.model_copy(update={"relation": said}),)})


def _queue(tenant: str, url: str | None, run_dir: Path | None) -> "Queue":
    from .review_queue import Queue

    return Queue(tenant, url, run_dir)


def _request(
    item: "ReviewItem", names: "Sequence[str]", relation: str | None, by: str, note: str | None, scope: str
) -> "ReviewRequest":
    """The decision that *item* means *names*, or nothing."""
    from pydantic import ValidationError

    from llama_mapper.contracts.reviews import ReviewRequest

    from .review_queue import meant

    try:
        labels = [label.model_dump() for label in meant(item, names, relation)]
        decision = {"decision": "accept" if names else "reject", "labels": labels}
        return ReviewRequest.model_validate(decision | {"by": by, "note": note, "scope": scope})
    except ValidationError as error:
        named = ".".join(str(part) for part in error.errors()[0]["loc"])
        refuse(f"{named or 'labels'}: {error.errors()[0]['msg']}", MISUSED)


def _tell(item: "ReviewItem", json: bool) -> None:
    from .review_table import meaning

    typer.echo(_json(item) if json else f"{item.detector} {item.label}: {meaning(item)}")


def _json(found: "ReviewItem | tuple[ReviewItem, ...]") -> str:
    import json as encoder

    several = isinstance(found, tuple)
    plain = [item.model_dump(mode="json") for item in (found if isinstance(found, tuple) else (found,))]
    return encoder.dumps(plain if several else plain[0], indent=2)


def _checked(review_id: str) -> str:
    """*review_id*, which becomes a part of a path."""
    if not re.fullmatch(r"[0-9a-f]{16}", review_id):
        refuse("an id is sixteen hexadecimal digits, as `review list` shows it", MISUSED)
    return review_id


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        refuse("the record names who decided: give --by", MISUSED)
