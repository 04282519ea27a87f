"""`llama-mapper policies`: test policies, see why they decide, what a change would change, and pack them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .costs import Json, Tenant
from .refusing import FAILED, MISUSED, in_plain_words, refuse
from .run import RunDir

if TYPE_CHECKING:
    from functions.orchestrate.policies.bundles import Bundle
    from llama_mapper.contracts.policies import PolicyFault

app = typer.Typer(
    help="The Rego policies: test and check them, see why they decide, try a change on recorded requests, pack them.",
    no_args_is_help=True,
)

MOST_REQUESTS = 10_000

Policies = Annotated[
    Path | None, typer.Argument(metavar="[PATH]", help="A folder of policies or a bundle file; else the checkout's.")
]
Record = Annotated[str | None, typer.Option(help="Where record answers; else where the local run has it.")]
Last = Annotated[int, typer.Option(min=1, max=MOST_REQUESTS, help="So many recorded requests, the newest.")]


@app.command("test")
def run_all_tests(
    path: Policies = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Also show which lines no test evaluates.")] = False,
    json: Json = False,
) -> None:
    """Run every test_ rule in process; exit status 1 where one fails.

    Example: llama-mapper policies test

    Example: llama-mapper policies test my-policies --coverage
    """
    bundle = _read(path)
    from functions.orchestrate.policies.bundle_proof import run_tests
    from functions.orchestrate.policies.bundles import BrokenBundle
    from functions.orchestrate.policies.rego import POLICIES

    from .policies_output import print_tests

    try:
        ran = run_tests(bundle, POLICIES, coverage=coverage)
    except BrokenBundle as broken:
        refuse(broken.detail)
    print_tests(ran, json=json)
    if ran.failed or not ran.runs:
        raise typer.Exit(FAILED)


@app.command()
def lint(path: Policies = None, json: Json = False) -> None:
    """Say what is wrong with policies: they do not compile, call what they may not, fail their tests, let through.

    This is what a new version must pass before orchestrate takes it. Exit status 1 where something is wrong.

    Example: llama-mapper policies lint
    """
    from .policies_output import print_faults

    found = _faults(_read(path))
    print_faults(found, json=json)
    if found:
        raise typer.Exit(FAILED)


@app.command()
def explain(
    path: Policies = None,
    label: Annotated[list[str] | None, typer.Option(help="A label that is found; may be given more than once.")] = None,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Of every --label.")] = 0.9,
    severity: Annotated[int, typer.Option(min=0, max=4, help="Of every --label.")] = 3,
    detectors: Annotated[int, typer.Option(min=1, max=20, help="How many detectors say so.")] = 1,
    coverage: Annotated[float, typer.Option(min=0, max=1, help="How much of what had to be judged was.")] = 1.0,
    request: Annotated[str | None, typer.Option(metavar="ID", help="A recorded request, in place of labels.")] = None,
    question: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="The whole input as JSON; - is standard input.")
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Which policy answers; another than `decision` needs --input.")
    ] = "decision",
    every: Annotated[bool, typer.Option("--all", help="Also the rules of the packages it imports.")] = False,
    tenant: Tenant = "demo",
    json: Json = False,
    url: Record = None,
    run_dir: RunDir = None,
) -> None:
    """Show what is decided and which rules fired, with their lines and what they say.

    Example: llama-mapper policies explain --label PII.Contact.Email --confidence 0.4

    Example: llama-mapper policies explain --label JAILBREAK.RolePlay --detectors 2 --coverage 0.7

    Example: llama-mapper policies explain --request 2f1c5b8e9a4d4c0fb6f3a7e1d2c3b4a5

    Example: llama-mapper policies explain --policy access --input question.json
    """
    if sum((bool(label), request is not None, question is not None)) > 1:
        refuse("give --label, --request or --input, one of them", MISUSED)
    if policy != "decision" and question is None:
        refuse("another policy than `decision` needs its input: --input FILE", MISUSED)
    bundle = _read(path)
    from .policies_input import asked_file, asked_labels, asked_request, explained
    from .policies_output import print_explanation

    if question is not None:
        explanation = asked_file(bundle, policy, question)
    elif request is not None:
        with in_plain_words():
            explanation = explained(bundle, asked_request(request, tenant, url, run_dir), tenant)
    else:
        found = asked_labels(label or (), confidence, severity, detectors, coverage)
        explanation = explained(bundle, found, tenant)
    print_explanation(explanation, every=every, json=json)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A folder of policies or a bundle file.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same, changed.")],
    last: Last = 1000,
    requests: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Recorded requests as JSON lines; - is standard input."),
    ] = None,
    fail_on_change: Annotated[bool, typer.Option("--fail-on-change", help="Exit status 1 where one differs.")] = False,
    tenant: Tenant = "demo",
    json: Json = False,
    url: Record = None,
    run_dir: RunDir = None,
) -> None:
    """Show what NEW would have decided otherwise than OLD over recorded requests.

    Requests come from record, or from a file whose lines are what its /api/v1/decisions lists.

    Example: llama-mapper policies diff policies my-policies --last 5000

    Example: llama-mapper policies diff old.tar.gz new.tar.gz --from decisions.jsonl --fail-on-change
    """
    before, after = _read(old), _read(new)
    from .policies_input import compared, read_requests, recorded_requests
    from .policies_output import print_diff

    with in_plain_words():
        taken = read_requests(requests) if requests else recorded_requests(tenant, last, url, run_dir)
    again = compared(before, after, taken, tenant)
    print_diff(before.version, after.version, again, json=json)
    if fail_on_change and any(one.changed for one in again):
        raise typer.Exit(FAILED)


@app.command()
def build(
    path: Policies = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle to write.")] = Path("policies.tar.gz"),
    revision: Annotated[str | None, typer.Option(help="Its revision; else the version that decisions name.")] = None,
    tests: Annotated[bool, typer.Option("--tests/--no-tests", help="With them it is proven again when loaded.")] = True,
    store: Annotated[
        str | None, typer.Option(help="Also put it into this bundle store: a folder or s3://bucket.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Under this name, such as platform/decision:2026.11.")] = None,
    move: Annotated[bool, typer.Option("--move", help="The name may be there already and name another.")] = False,
    json: Json = False,
) -> None:
    """Pack policies as an OPA bundle; the same policies always give the same bytes. What lint refuses is not packed.

    Example: llama-mapper policies build -o policies.tar.gz

    Example: llama-mapper policies build --store s3://bundles --name platform/decision:2026.11
    """
    if (store is None) != (name is None):
        refuse("--store and --name go together", MISUSED)
    bundle = _read(path)
    if found := _faults(bundle):
        from .policies_output import print_faults

        print_faults(found, json=False)
        refuse("nothing is packed while something is wrong")
    from .policies_output import print_built
    from .policies_pack import packed, stored

    archive = packed(bundle, revision, tests=tests)
    output.write_bytes(archive)
    if store and name:
        stored(archive, store, name, move=move)
    print_built(archive, output, name, json=json)


def _read(path: Path | None) -> "Bundle":
    from .rooms import open_rooms

    root = open_rooms()
    from functions.orchestrate.policies.bundle_archives import read_path
    from functions.orchestrate.policies.bundles import BrokenBundle

    try:
        return read_path(path or root / "policies")
    except BrokenBundle as broken:
        refuse(broken.detail)


def _faults(bundle: "Bundle") -> "tuple[PolicyFault, ...]":
    from functions.orchestrate.policies.bundle_lint import faults
    from functions.orchestrate.policies.rego import POLICIES

    return faults(bundle, POLICIES)
