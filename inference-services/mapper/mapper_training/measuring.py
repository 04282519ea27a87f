"""All measures of one system over its outcomes, as ``result.json`` holds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import intervals, metrics
from .metrics import Outcome
from .systems import BASELINES

THRESHOLD = 0.6
WANTED_COVERAGE = 0.85


def measure(test: Sequence[Outcome], noise: Sequence[Outcome]) -> dict[str, Any]:
    """Measure *test*, and how often no label is given to *noise*, words that mean nothing.

    ``at_coverage`` compares systems where each answers the same share of all words, ``at_threshold`` is what serving
    does. Coverage counts words, ``coverage_by_vendor`` is its mean over vendors. Intervals are over vendors.
    """
    return {
        "macro_f1": round(metrics.over_vendors(test, metrics.macro_f1), 4),
        "accuracy_by_vendor": round(metrics.over_vendors(test, metrics.accuracy), 4),
        "accuracy": round(metrics.accuracy(test), 4),
        "accuracy_interval": intervals.interval(intervals.accuracy(test)),
        "hierarchical_f1": round(metrics.over_vendors(test, metrics.hierarchical_f1), 4),
        "at_coverage": _covered(test, noise, metrics.threshold_for(test, WANTED_COVERAGE)),
        "at_threshold": _covered(test, noise, THRESHOLD),
        "ece": round(metrics.calibration_error(test), 4),
        "reliability": metrics.reliability(test),
        "risk_coverage": metrics.risk_coverage(test),
    }


def _covered(test: Sequence[Outcome], noise: Sequence[Outcome], threshold: float) -> dict[str, Any]:
    """Macro-F1 is over the words that got a label; vendors of which none did are left out."""
    given = [o for o in test if metrics.covered(o, threshold)]
    return {
        "threshold": round(threshold, 4),
        "coverage": round(metrics.coverage(test, threshold), 4),
        "coverage_by_vendor": round(metrics.over_vendors(test, lambda o: metrics.coverage(o, threshold)), 4),
        "precision": round(metrics.precision(test, threshold), 4),
        "macro_f1_of_covered": round(metrics.over_vendors(given, metrics.macro_f1), 4),
        "macro_f1_interval": intervals.interval(intervals.macro_f1(test, threshold)),
        "nonsense_abstained": round(metrics.abstained(noise, threshold), 4),
    }


def best_baseline(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the best that needs no training, at the wanted coverage; one that says too little is no rival."""
    names = [name for name in (*BASELINES, "zero_shot") if name in measured]

    def order(name: str) -> tuple[bool, float]:
        at = measured[name]["at_coverage"]
        return at["coverage"] >= WANTED_COVERAGE, at["macro_f1_of_covered"]

    return max(names, key=order)


def compare(test: Mapping[str, Sequence[Outcome]], measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return each system's paired differences to the best baseline, and to the ranker: what the model itself adds.

    Args:
        test: outcomes by system, of the same words.
        measured: what ``measure`` said of them; macro-F1 is compared where each covers the wanted share of all words.
    """
    best = best_baseline(measured)
    # Not the rounded threshold of the measures, which may lie above the last word it covers.
    f1s = {name: intervals.macro_f1(o, metrics.threshold_for(o, WANTED_COVERAGE)) for name, o in test.items()}
    rights = {name: intervals.accuracy(outcomes) for name, outcomes in test.items()}
    return {"best_baseline": best} | {
        f"to_{key}": {
            name: {
                "macro_f1": intervals.difference(f1s[name], f1s[other]),
                "accuracy": intervals.difference(rights[name], rights[other]),
            }
            for name in test
            if name != other
        }
        for key, other in (("best_baseline", best), ("ranker", "ranker"))
        if other in test
    }
