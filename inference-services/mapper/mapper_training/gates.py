"""The bounds within which a mapper is called good. They judge; serving decides by its threshold alone."""

from collections.abc import Mapping
from typing import Any

from llama_mapper.contracts.evaluation import Gate, GateName

from .measuring import WANTED_COVERAGE

MACRO_F1 = 0.90
NONSENSE = 0.95
CALIBRATION_ERROR = 0.05


def gates(measured: Mapping[str, Any], schema_valid: float | None = None) -> tuple[Gate, ...]:
    """Judge one system's measures; coverage, macro-F1 and nonsense at one and the same threshold.

    Args:
        measured: as ``measuring.measure`` returns it.
        schema_valid: share of a running mapper's answers that are mappings; that gate is there only where it was asked.
    """
    at = measured["at_coverage"]
    found = [
        _floor("coverage", at["coverage"], WANTED_COVERAGE),
        _floor("macro-f1", at["macro_f1_of_covered"], MACRO_F1),
        _floor("nonsense-abstained", at["nonsense_abstained"], NONSENSE),
        _ceiling("expected-calibration-error", measured["ece"], CALIBRATION_ERROR),
    ]
    if schema_valid is not None:
        found.append(_floor("schema-valid", schema_valid, 1.0))
    return tuple(found)


def _floor(name: GateName, value: float, floor: float) -> Gate:
    return Gate(name=name, value=value, floor=floor, passed=value >= floor)


def _ceiling(name: GateName, value: float, ceiling: float) -> Gate:
    return Gate(name=name, value=value, ceiling=ceiling, passed=value <= ceiling)
