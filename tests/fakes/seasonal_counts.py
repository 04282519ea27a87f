"""Counts as a tenant's rows give them: daily and weekly seasons, noise that hangs together, labels by Zipf's law.

What is planted is known, so a method's hits and false alarms can be counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.analyze.patterns.counted import Evidence
from llama_mapper.contracts.identifiers import CanonicalLabel, DetectorId
from llama_mapper.contracts.patterns import Period
from llama_mapper.contracts.series import LabelPair, PairsAnswer, Series, SeriesAnswer

Array = NDArray[np.float64]
PERIOD_START = datetime(2026, 11, 2, tzinfo=UTC)
"""A Monday."""


@dataclass
class World:
    """*series* labels over *baseline* and *period* days; *factors* (series x hours) multiply what is due."""

    seed: int
    series: int = 200
    baseline: int = 28
    period: int = 7
    requests_an_hour: float = 400.0
    noise: float = 0.1
    season: float = 0.3
    factors: dict[int, Array] = field(default_factory=dict)
    shared: Mapping[int, Array] = field(default_factory=dict)
    lifted: Mapping[tuple[int, int], float] = field(default_factory=dict)

    @property
    def hours(self) -> int:
        return (self.baseline + self.period) * 24

    @property
    def split(self) -> int:
        return self.baseline * 24

    @property
    def span(self) -> Period:
        return Period(start=PERIOD_START, end=PERIOD_START + timedelta(days=self.period))

    def label(self, row: int) -> CanonicalLabel:
        return CanonicalLabel(f"HARM.L{row:03d}")

    def name(self, row: int) -> tuple[CanonicalLabel, DetectorId]:
        return self.label(row), DetectorId(f"detector-{row % 4}")

    def plant(self, row: int, first: int, last: int, factor: float) -> None:
        """Multiply *row* by *factor* in the hours [*first*, *last*) of the period."""
        self.factors.setdefault(row, np.ones(self.hours))[self.split + first : self.split + last] *= factor

    def counts(self) -> tuple[Array, Array]:
        """The requests of each hour, and the counts of each series."""
        random = np.random.default_rng(self.seed)
        hour = np.arange(self.hours)
        week = np.where(hour // 24 % 7 >= 5, 1 - self.season, 1.0)
        shape = week * np.exp(2 * self.season * np.sin(2 * np.pi * (hour - 9) / 24))
        requests = random.poisson(self.requests_an_hour * shape * np.exp(_noise(random, self.hours, self.noise)))
        rows = []
        for row in range(self.series):
            rate = 0.2 / (row + 1)
            phase, amplitude = random.uniform(0, 24), random.uniform(0, self.season)
            due = rate * np.exp(amplitude * np.sin(2 * np.pi * (hour - phase) / 24))
            due = due * np.exp(_noise(random, self.hours, self.noise)) * self.factors.get(row, 1.0)
            due = due * np.exp(self.shared.get(row, np.zeros(self.hours)))
            rows.append(random.binomial(requests, np.minimum(due, 0.95)))
        return requests.astype(float), np.array(rows, dtype=float)

    def evidence(self) -> Evidence:
        requests, counts = self.counts()
        sources = self._answer(requests, counts, sources=True)
        single = self._answer(requests, counts[: self.paired], sources=False)
        return Evidence(PERIOD_START, sources, ((single, self._met(requests, counts)),))

    @property
    def paired(self) -> int:
        return min(self.series, 60)

    def _answer(self, requests: Array, counts: Array, *, sources: bool) -> SeriesAnswer:
        series = []
        for row, values in enumerate(counts):
            label, detector = self.name(row)
            at = np.flatnonzero(values)
            found = {"at": tuple(at.tolist()), "counts": tuple(values[at].astype(int).tolist())}
            series.append(Series(label=label, detector=detector if sources else None, **found))
        return SeriesAnswer(
            query="requests-with-source" if sources else "requests-with-label",
            bucket="hour",
            start=PERIOD_START - timedelta(days=self.baseline),
            buckets=self.hours,
            requests=tuple(requests.astype(int).tolist()),
            series=tuple(series),
            left_out=0,
        )

    def _met(self, requests: Array, counts: Array) -> PairsAnswer:
        """Labels meet as chance has it in each hour, times the lift that is planted."""
        random = np.random.default_rng([self.seed, 1])
        within = counts[: self.paired, self.split :]
        chance = within @ (within / np.maximum(requests[self.split :], 1)).T
        pairs = []
        for first in range(self.paired):
            for second in range(first + 1, self.paired):
                lift = self.lifted.get((first, second), 1.0)
                if met := int(random.poisson(chance[first, second] * lift)):
                    pairs.append(LabelPair(first=self.label(first), second=self.label(second), requests=met))
        return PairsAnswer(query="requests-with-two-labels", labels=tuple(pairs))


def _noise(random: np.random.Generator, hours: int, spread: float) -> Array:
    """Logarithms that hang together from hour to hour (0.6) and from day to day."""
    steps = random.normal(0, spread * 0.8, hours)
    for hour in range(1, hours):
        steps[hour] += 0.6 * steps[hour - 1]
    return np.asarray(steps + np.repeat(random.normal(0, spread / 2, hours // 24), 24))


def latent(seed: int, hours: int, spread: float) -> Array:
    """What two linked labels share: a noise of its own, with *spread*."""
    return np.random.default_rng([seed, 2]).normal(0, spread, hours)


def request_body(world: World, **changes: Any) -> dict[str, Any]:
    return {"period": world.span.model_dump(mode="json"), **changes}
