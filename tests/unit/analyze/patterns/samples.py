"""Tables with known rates: *rates* an hour, 28 days of baseline and *days* of the period."""

from collections.abc import Sequence

import numpy as np

from functions.analyze.patterns.expecting import Expected, expect
from functions.analyze.patterns.table import Array, Name, Table
from llama_mapper.contracts.identifiers import CanonicalLabel, DetectorId
from tests.fakes.seasonal_counts import PERIOD_START, World

BASELINE = 28 * 24
START = World(0).evidence().sources.start


def name(row: int) -> Name:
    return Name(CanonicalLabel(f"HARM.L{row:03d}"), DetectorId("detector"))


def table(counts: Array, requests: Array | None = None, split: int = BASELINE) -> Table:
    asked = np.full(counts.shape[1], 400.0) if requests is None else requests
    return Table(tuple(map(name, range(len(counts)))), counts, asked, START, split)


def poisson(rates: Sequence[float], days: int = 7, seed: int = 7) -> Array:
    random = np.random.default_rng(seed)
    return random.poisson(np.array(rates)[:, None], (len(rates), BASELINE + days * 24)).astype(float)


def known(counts: Array) -> tuple[Table, Expected]:
    made = table(counts)
    return made, expect(made)


__all__ = ["BASELINE", "PERIOD_START", "known", "name", "poisson", "table"]
