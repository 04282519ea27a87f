"""record's counts over time, which patterns are looked for in: how many requests had what, bucket by bucket.

The queries are a closed list. A finding of analyze names one of them as its evidence, and record serves it again.
"""

from typing import Literal, get_args

from pydantic import AwareDatetime, Field, NonNegativeInt

from .identifiers import AnyCanonicalLabel, AnyDetectorId
from .wire import Wire

Bucket = Literal["hour", "day"]
SeriesQuery = Literal["requests-with-source", "requests-with-label", "requests-with-detector"]
PairsQuery = Literal["requests-with-two-labels", "requests-with-two-detectors"]
EvidenceQuery = Literal[SeriesQuery, PairsQuery]
EVIDENCE_QUERIES: frozenset[str] = frozenset((*get_args(SeriesQuery), *get_args(PairsQuery)))

MAX_BUCKETS = 1_500
"""Two months of hours: what one answer may span."""

MAX_SERIES = 500


class Series(Wire):
    """Requests of each bucket that had a label, by a detector where both are there. Buckets without one are left out.

    ``at`` are the buckets' numbers from the answer's start; ``counts`` stand in the same order.
    """

    label: AnyCanonicalLabel | None = None
    detector: AnyDetectorId | None = None
    at: tuple[NonNegativeInt, ...] = Field(max_length=MAX_BUCKETS)
    counts: tuple[NonNegativeInt, ...] = Field(max_length=MAX_BUCKETS)


class SeriesAnswer(Wire):
    """GET /api/v1/series: the most frequent series first; ``left_out`` are those beyond the limit.

    ``start`` is the first bucket's beginning, ``requests`` those of every bucket of the span.
    """

    query: SeriesQuery
    bucket: Bucket
    start: AwareDatetime
    buckets: int = Field(ge=1, le=MAX_BUCKETS)
    requests: tuple[NonNegativeInt, ...] = Field(max_length=MAX_BUCKETS)
    series: tuple[Series, ...] = Field(max_length=MAX_SERIES)
    left_out: NonNegativeInt


class LabelPair(Wire):
    first: AnyCanonicalLabel
    second: AnyCanonicalLabel
    requests: NonNegativeInt


class DetectorPair(Wire):
    first: AnyDetectorId
    second: AnyDetectorId
    requests: NonNegativeInt


class PairsAnswer(Wire):
    """GET /api/v1/pairs: requests that had both; pairs that never met are left out. One of the lists is empty."""

    query: PairsQuery
    labels: tuple[LabelPair, ...] = ()
    detectors: tuple[DetectorPair, ...] = ()
