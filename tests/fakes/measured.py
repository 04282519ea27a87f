"""A benchmark's result over a few made-up vendors, measured by the real code."""

import random
from collections.abc import Mapping
from typing import Any

from mapper_training.measuring import compare, measure
from mapper_training.metrics import Outcome

LABELS = ("PII.Email", "PII.Phone", "HARM.Hate", "SECRET.Key")
# How often each system is right; what says nothing where it is unsure covers less.
SYSTEMS = {"exact": 0.95, "fuzzy": 0.7, "minilm": 0.65, "nearest": 0.75, "ranker": 0.85, "model_and_ranker": 0.95}


def outcomes(system: str, vendors: int = 6, words: int = 20) -> list[Outcome]:
    """The same words for every system; surer answers are right more often."""
    chance = random.Random(system)
    found = []
    for vendor in range(vendors):
        for word in range(words):
            gold = LABELS[word % len(LABELS)]
            confidence = chance.uniform(0.2, 1.0)
            right = chance.random() < SYSTEMS[system] * (0.7 + 0.3 * confidence)
            silent = system == "exact" and word % 2 == 0
            chosen = None if silent else gold if right else LABELS[(word + 1) % len(LABELS)]
            found.append(Outcome(f"vendor-{vendor}", frozenset({gold}), chosen, 0.0 if silent else confidence))
    return found


def nonsense(system: str) -> list[Outcome]:
    chance = random.Random(f"{system} nonsense")
    return [Outcome("nonsense", frozenset(), LABELS[0], chance.uniform(0.0, 0.7)) for _ in range(40)]


def result(**changes: Any) -> dict[str, Any]:
    """What ``score.experiment`` returns, as far as a report reads it."""
    test = {name: outcomes(name) for name in SYSTEMS}
    measured = {name: measure(test[name], nonsense(name)) for name in SYSTEMS}
    differences = compare(test, measured)
    vendors = {f"vendor-{n}": {"words": 20} | dict.fromkeys(SYSTEMS, 0.5 + 0.05 * n) for n in range(6)}
    found = {
        "served": "model_and_ranker",
        "recall_of_candidates": 0.9,
        "systems": measured,
        "differences": differences,
        "vendors": vendors,
        "relation_accuracy": 0.8,
    } | changes
    return {name: value if name == "served" else by_kind(value) for name, value in found.items()}


def by_kind(value: Any) -> Mapping[str, Any]:
    return {"kind_unknown": value, "kind_told": value}
