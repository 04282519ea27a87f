"""All measures of one system over its outcomes, as ``result.json`` holds them."""

from collections.abc import Sequence
from typing import Any

from . import metrics
from .metrics import Outcome

THRESHOLD = 0.6
WANTED_COVERAGE = 0.85


def measure(test: Sequence[Outcome], noise: Sequence[Outcome]) -> dict[str, Any]:
    """Measure *test*, and how often no label is given to *noise*, words that mean nothing.

    ``at_coverage`` compares systems where each answers the same share of all words, ``at_threshold`` is what serving
    does. Coverage counts words, ``coverage_by_vendor`` is its mean over vendors.
    """
    return {
        "macro_f1": round(metrics.over_vendors(test, metrics.macro_f1), 4),
        "accuracy_by_vendor": round(metrics.over_vendors(test, metrics.accuracy), 4),
        "accuracy": round(metrics.accuracy(test), 4),
        "hierarchical_f1": round(metrics.over_vendors(test, metrics.hierarchical_f1), 4),
        "at_coverage": _covered(test, noise, metrics.threshold_for(test, WANTED_COVERAGE)),
        "at_threshold": _covered(test, noise, THRESHOLD),
        "ece": round(metrics.calibration_error(test), 4),
        "reliability": metrics.reliability(test),
        "risk_coverage": metrics.risk_coverage(test),
    }


def _covered(test: Sequence[Outcome], noise: Sequence[Outcome], threshold: float) -> dict[str, float]:
    """Macro-F1 is over the words that got a label; vendors of which none did are left out."""
    given = [o for o in test if metrics.covered(o, threshold)]
    return {
        "threshold": round(threshold, 4),
        "coverage": round(metrics.coverage(test, threshold), 4),
        "coverage_by_vendor": round(metrics.over_vendors(test, lambda o: metrics.coverage(o, threshold)), 4),
        "precision": round(metrics.precision(test, threshold), 4),
        "macro_f1_of_covered": round(metrics.over_vendors(given, metrics.macro_f1), 4),
        "nonsense_abstained": round(metrics.abstained(noise, threshold), 4),
    }
