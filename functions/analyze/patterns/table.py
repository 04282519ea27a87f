"""Counts by hour: a baseline, and the period after it in which patterns are looked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from llama_mapper.contracts.identifiers import CanonicalLabel, DetectorId
from llama_mapper.contracts.patterns import Period
from llama_mapper.contracts.series import SeriesAnswer

Array = NDArray[np.float64]
Indexes = NDArray[np.intp]

DAY = 24
MIN_BASELINE_HOURS = 7 * DAY
"""Below a week there is no weekly pattern to tell from a change, and nothing is tested."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a series counts; neither label nor detector: every request."""

    label: CanonicalLabel | None = None
    detector: DetectorId | None = None

    @property
    def labels(self) -> tuple[CanonicalLabel, ...]:
        return (self.label,) if self.label else ()

    @property
    def detectors(self) -> tuple[DetectorId, ...]:
        return (self.detector,) if self.detector else ()

    def __str__(self) -> str:
        if self.label and self.detector:
            return f"{self.label} from {self.detector}"
        return self.label or self.detector or "Requests"


@dataclass(frozen=True)
class Table:
    """``counts`` (series x hours) and the ``requests`` of each hour; the period begins at hour ``split``."""

    names: tuple[Name, ...]
    counts: Array
    requests: Array
    start: datetime
    split: int

    @property
    def hours(self) -> int:
        return int(self.requests.size)

    @property
    def enough(self) -> bool:
        """Whether there is a baseline to compare with and a period to compare."""
        return self.split >= MIN_BASELINE_HOURS and self.hours > self.split and bool(self.names)

    def between(self, first: int, last: int) -> Period:
        """The hours [*first*, *last*) as times."""
        return Period(start=self.start + timedelta(hours=first), end=self.start + timedelta(hours=last))

    def take(self, kept: Sequence[int]) -> "Table":
        chosen = tuple(self.names[i] for i in kept)
        return Table(chosen, self.counts[list(kept)], self.requests, self.start, self.split)


def table_of(answer: SeriesAnswer, period_start: datetime) -> Table:
    """Fill the hours that record left out with zeros.

    Hours before the first request and after the last are no evidence of silence: the tenant was not there yet, or the
    hours have not come. Series stand in the order of their names, so that no result depends on the store's.
    """
    counts = np.zeros((len(answer.series), answer.buckets))
    for row, series in enumerate(answer.series):
        counts[row, list(series.at)] = series.counts
    requests = np.asarray(answer.requests, dtype=float)
    there = np.flatnonzero(requests)
    first, last = (int(there[0]), int(there[-1]) + 1) if there.size else (0, 0)
    names = [Name(series.label, series.detector) for series in answer.series]
    order = sorted(range(len(names)), key=lambda i: (names[i].label or "", names[i].detector or ""))
    split = int((period_start - answer.start).total_seconds()) // 3600
    return Table(
        names=tuple(names[i] for i in order),
        counts=counts[order, first:last],
        requests=requests[first:last],
        start=answer.start + timedelta(hours=first),
        split=max(0, split - first),
    )


def blocks(values: Array, split: int, width: int) -> tuple[Array, Array]:
    """Sum *values* over whole blocks of *width* hours before and after *split*, counted from there."""
    before, after = split // width, (values.shape[-1] - split) // width
    shape = values.shape[:-1]
    left = values[..., split - before * width : split].reshape(*shape, before, width).sum(-1)
    right = values[..., split : split + after * width].reshape(*shape, after, width).sum(-1)
    return left, right
