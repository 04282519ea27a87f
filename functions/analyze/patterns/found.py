"""What a method found, before it is put into words, and how sure the whole of it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llama_mapper.contracts.patterns import PatternKind, Period
from llama_mapper.contracts.series import EvidenceQuery

from .table import Array, Name

LEVEL = 0.05
"""The share of false findings that is borne: findings with a greater q value are not told."""

Effect = Literal[
    "burst-rate-ratio",
    "change-rate-ratio",
    "rate-ratio",
    "daily-seasonal-strength",
    "weekly-seasonal-strength",
    "lag-correlation",
    "lift",
    "deviance-ratio",
]


@dataclass(frozen=True)
class Found:
    """One pattern. ``high`` is None where there is none, ``observed`` and ``expected`` are counts, ``lag`` is hours."""

    kind: PatternKind
    effect: Effect
    names: tuple[Name, ...]
    period: Period
    size: float
    low: float
    high: float | None
    p: float
    q: float
    observed: float = 0.0
    expected: float = 0.0
    lag: int = 0
    evidence: EvidenceQuery = "requests-with-source"


@dataclass(frozen=True)
class Searched:
    """A method's findings and the names of the series it had enough data to test."""

    found: tuple[Found, ...] = ()
    tested: frozenset[Name] = frozenset()


def corrected(p: Array | Sequence[float], *, dependent: bool = False) -> Array:
    """q values: Benjamini and Hochberg (1995), or Benjamini and Yekutieli (2001) for tests that share their data."""
    from scipy.stats import false_discovery_control

    values: Array = np.clip(np.asarray(p, dtype=float), 0.0, 1.0)
    if not values.size:
        return values
    return np.asarray(false_discovery_control(values, method="by" if dependent else "bh"), dtype=np.float64)
