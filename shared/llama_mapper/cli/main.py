"""The command's root. A room's module has an ``app`` and imports what is slow inside its commands, so that
``llama-mapper --help`` answers at once."""

import typer

from . import (
    canary,
    costs,
    dead_letters,
    demo,
    evaluate,
    experiments,
    flags,
    frameworks,
    guidance,
    jobs,
    keys,
    models,
    patterns,
    policies,
    review,
    run,
    scan,
    schemas,
    taxonomy,
    tenants,
    train,
    vocabularies,
)

app = typer.Typer(
    help="Any detector's labels in; one taxonomy, a risk and framework controls out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks print local variables, and those may hold content
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Commands of their own (no name) and groups of commands. A new room is one line here.
for name, room in (
    (None, run.app),
    (None, demo.app),
    (None, scan.app),
    (None, costs.app),
    (None, patterns.app),
    ("canary", canary.app),
    ("dead-letters", dead_letters.app),
    ("evaluate", evaluate.app),
    ("experiments", experiments.app),
    ("flags", flags.app),
    ("frameworks", frameworks.app),
    ("guidance", guidance.app),
    ("audit", keys.audit),
    ("jobs", jobs.app),
    ("keys", keys.app),
    ("models", models.app),
    ("policies", policies.app),
    ("review", review.app),
    ("schemas", schemas.app),
    ("taxonomy", taxonomy.app),
    ("tenants", tenants.app),
    ("train", train.app),
    ("vocabularies", vocabularies.app),
):
    app.add_typer(room, name=name)
