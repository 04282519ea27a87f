"""Schemathesis over one running service: every phase, every check, and a tally of what came of it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from .expectations import DICTIONARIES, EVERYWHERE, PARAMETERS, operations_of
from .surroundings import Running

SEED = 20261123
SHOWN_CHARACTERS = 500


@dataclass
class Tally:
    """What one run over one service came to; *failures* are told apart by operation and check, one of each shown."""

    operations: int = 0
    cases: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    def answered(self, least: int) -> int:
        """How many answers had a status of *least* or above."""
        return sum(count for (_, status), count in self.statuses.items() if status >= least)


def fuzzed(service: str, running: Running, examples: int, seed: int = SEED) -> Tally:
    """Ask every operation of the service's own document, with data that fits it and with data that does not.

    *examples* is how many are drawn at random for each operation; those that its document implies (each bound, each
    missing field, each other method) come on top.
    """
    return _run(running, _config(service, {**running.named, **running.credentials}, examples, seed))


def fuzzed_quickly(service: str, running: Running, examples: int, seed: int = SEED) -> Tally:
    """The same without what the schema of a body implies, case by case, which is most of the work."""
    config = _config(service, {**running.named, **running.credentials}, examples, seed)
    bodies = {"include-method": ["POST", "PUT", "PATCH"], "phases": {"coverage": {"enabled": False}}}
    return _run(running, config | {"operations": [*config["operations"], bodies]})


def without_credentials(service: str, running: Running, examples: int, seed: int = SEED) -> Tally:
    """Ask every operation with data that fits it, and nothing that says who asks."""
    config = _config(service, running.named, examples, seed)
    config = config | {"checks": {"enabled": False}, "operations": []}
    config["generation"] = config["generation"] | {"mode": "positive"}
    config["phases"] = {"coverage": {"enabled": False}, "stateful": {"enabled": False}}
    return _run(running, config)


def _config(service: str, headers: Mapping[str, str], examples: int, seed: int) -> dict[str, Any]:
    drawn = {name: {"dictionary": dictionary, "probability": 0.6} for name, dictionary in PARAMETERS.items()}
    return {
        "seed": seed,
        "headers": dict(headers),
        "continue-on-failure": True,
        "dictionaries": {name: {"values": list(values)} for name, values in DICTIONARIES.items()},
        "parameters": drawn,
        "generation": {
            "deterministic": True,
            "max-examples": examples,
            "no-shrink": True,
            "database": "none",
            "with-security-parameters": False,  # two credentials at once are a request that is never valid
        },
        "checks": EVERYWHERE,
        "operations": operations_of(service),
        "phases": {"stateful": {"generation": {"max-examples": max(examples // 5, 1)}}},
    }


@schemathesis.serializer("application/x-ndjson", "application/ndjson", "application/jsonl")
def _lines(_: Any, value: Any) -> Any:
    """A stream's body as it is, or a line of what is none."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else b"%s\n" % json.dumps(value).encode()


def _run(running: Running, config: dict[str, Any]) -> Tally:
    given = SchemathesisConfig.from_dict(config | {"base-url": running.url})
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json", config=given)
    tally = Tally(operations=schema.statistic.operations.selected)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _count(tally, event.recorder)
        elif isinstance(event, events.NonFatalError):
            tally.failures.setdefault(f"{event.label}: {event.info.title}", event.info.message[:SHOWN_CHARACTERS])
        elif isinstance(event, events.FatalError):
            raise event.exception
    return tally


def _count(tally: Tally, recorder: ScenarioRecorder) -> None:
    for case_id, interaction in recorder.interactions.items():
        tally.cases += 1
        operation = recorder.cases[case_id].value.operation.label
        if interaction.response is not None:
            tally.statuses[operation, interaction.response.status_code] += 1
        for check in recorder.checks.get(case_id, ()):
            if check.status is Status.FAILURE and check.failure_info is not None:
                said = f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                answer = interaction.response.text if interaction.response is not None else "(no answer)"
                tally.failures.setdefault(
                    f"{operation}: {check.name}", f"{said[:SHOWN_CHARACTERS]}\n{answer[:SHOWN_CHARACTERS]}"
                )
