"""How `llama-mapper policies` shows what it found."""

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from functions.orchestrate.policies.bundle_explain import Explanation, Fired
    from functions.orchestrate.policies.bundle_proof import TestRuns
    from functions.orchestrate.policies.bundle_replay import Again
    from llama_mapper.contracts.policies import PolicyFault

MOST_SHOWN = 20
WORDS = {
    "rego_parse_error": "is not Rego v1",
    "rego_compile_error": "names what does not exist",
    "test_failed": "this test does not hold",
    "test_repeated": "two tests have this name: one hides the other",
    "default_missing": "has no default",
    "default_lets_through": "lets something through where it is asked nothing",
    "builtin_forbidden": "asks somebody else, or the clock: the same question must get the same answer",
    "builtin_unknown": "calls what no engine has, or what only one of the two has",
    "package_not_file": "package, folder and file are not named alike",
    "negated_comparison": "negates a comparison with what may be missing, which the two engines take differently",
    "root_missing": "lies outside the manifest's roots: OPA refuses to load it",
    "no_policies": "there is no policy",
    "no_version": "data.json has no version, and there is no revision",
    "not_json": "is no JSON object",
    "data_conflict": "says again what another file says",
    "file_refused": "has a name, a size or a kind that bundles do not have",
}


def print_faults(faults: "Sequence[PolicyFault]", *, json: bool) -> None:
    if json:
        _json([fault.model_dump() for fault in faults])
    for fault in () if json else faults:
        typer.echo(f"{fault.file}:{fault.line}: {fault.code}: {WORDS.get(fault.code, 'cannot be used')}")
    if not faults and not json:
        typer.echo("nothing is wrong")


def print_tests(ran: "TestRuns", *, json: bool) -> None:
    covered = {file: (len(seen), sorted(every - seen)) for file, (seen, every) in ran.covered.items()}
    if json:
        failed = [{"file": run.file, "line": run.line, "name": run.name} for run in ran.failed]
        lines = {file: {"covered": seen, "not_covered": missed} for file, (seen, missed) in covered.items()}
        _json({"tests": len(ran.runs), "failed": failed, "coverage": lines})
        return
    for run in ran.failed:
        typer.echo(f"{run.file}:{run.line}: {run.name} does not hold")
    typer.echo(f"{len(ran.runs) - len(ran.failed)} of {len(ran.runs)} tests hold")
    if covered:
        table = _table("file", "lines", "covered", "no test evaluates")
        for file, (seen, missed) in sorted(covered.items()):
            every = seen + len(missed)
            table.add_row(file, str(every), f"{seen / max(1, every):.0%}", ", ".join(map(str, missed)) or "-")
        Console().print(table)


def print_explanation(explanation: "Explanation", *, every: bool, json: bool) -> None:
    shown = [one for one in explanation.fired if every or one.own]
    if json:
        fired = [{"rule": one.rule, "file": one.file, "lines": one.lines, "value": one.value} for one in shown]
        said = {"policy": explanation.policy, "version": explanation.version, "input": explanation.question}
        _json(said | {"answer": explanation.answer, "fired": fired, "silent": explanation.silent})
        return
    typer.echo(f"{explanation.policy} {explanation.version}")
    for name, value in (explanation.answer or {"answer": "none"}).items():
        typer.echo(f"  {name}: {_short(value)}")
    table = _table("rule that fired", "where", "what it says")
    for one in shown:
        table.add_row(Text(one.rule), Text(_place(one)), Text(_short(one.value)))
    Console().print(table)
    silent = [rule for rule in explanation.silent if every or "." not in rule]
    if silent:
        typer.echo(f"said nothing, or no: {', '.join(silent)}")


def print_diff(old: str, new: str, again: "Sequence[Again]", *, json: bool) -> None:
    from functions.orchestrate.policies.bundle_replay import dry_run

    changed = [one for one in again if one.changed]
    counted = dry_run(again)
    if json:
        requests = [
            {"request_id": one.request.request_id, "before": one.before, "after": one.after, "reasons": one.reasons}
            for one in changed
        ]
        _json({"old": old, "new": new} | counted.model_dump() | {"changed_requests": requests})
        return
    typer.echo(f"{old} -> {new}: {counted.changed} of {counted.requests} requests would be decided otherwise")
    if not changed:
        return
    summary = _table("before", "after", "requests", "share")
    for change in counted.changes:
        share = change.requests / counted.requests
        summary.add_row(change.before, change.after, str(change.requests), f"{share:.1%}")
    Console().print(summary)
    detail = _table("request", "before", "after", "reasons gone", "reasons new")
    for one in changed[:MOST_SHOWN]:
        was, becomes = (set(reasons) for reasons in one.reasons)
        words = (_words(was - becomes), _words(becomes - was))
        detail.add_row(Text(one.request.request_id), one.before, one.after, *map(Text, words))
    Console().print(detail)
    if len(changed) > MOST_SHOWN:
        typer.echo(f"and {len(changed) - MOST_SHOWN} more; --json lists all")


def print_built(archive: bytes, output: Path, name: str | None, *, json: bool) -> None:
    from functions.orchestrate.policies.bundle_archives import read

    bundle = read(archive)
    facts: dict[str, Any] = {
        "bundle": str(output),
        "version": bundle.version,
        "revision": bundle.revision,
        "sha256": bundle.sha256,
        "bytes": len(archive),
        "policies": len(bundle.policies),
        "tests": len(bundle.tests),
        "stored": name,
    }
    if json:
        _json(facts)
        return
    for fact, value in facts.items():
        if value is not None:
            typer.echo(f"{fact}: {value}")


def _place(one: "Fired") -> str:
    if not one.lines:
        return one.file
    return f"{one.file}:{one.lines[0]}" + (f"-{one.lines[-1]}" if len(one.lines) > 1 else "")


def _words(reasons: set[str]) -> str:
    return ", ".join(sorted(reasons)) or "-"


def _short(value: object) -> str:
    return value if isinstance(value, str) else json_module.dumps(value, ensure_ascii=False, sort_keys=True)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _json(found: object) -> None:
    typer.echo(json_module.dumps(found, indent=2, default=list))
