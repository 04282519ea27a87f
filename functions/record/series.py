"""Count one tenant's requests over time: the rows behind every pattern that analyze finds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.series import (
    MAX_BUCKETS,
    Bucket,
    DetectorPair,
    LabelPair,
    PairsAnswer,
    PairsQuery,
    Series,
    SeriesAnswer,
    SeriesQuery,
)

from . import series_queries
from .reading import Reader

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What ClickHouse's DateTime64 surely holds."""


def _checked(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    for name, at in (("from", start), ("to", end)):
        if not _EARLIEST <= at <= _LATEST:
            raise InvalidRequest(
                "a time is out of range", errors=(FieldError(field=f"query.{name}", message="out of range"),)
            )
    if end <= start:
        raise InvalidRequest(
            "to must be later than from", errors=(FieldError(field="query.to", message="not after from"),)
        )
    return start.astimezone(UTC), end.astimezone(UTC)


async def series(
    reader: Reader,
    tenant: TenantId,
    query: SeriesQuery,
    *,
    start: datetime,
    end: datetime,
    bucket: Bucket,
    labels: Sequence[str],
    detectors: Sequence[str],
    limit: int,
) -> SeriesAnswer:
    """Count the requests of [*start*, *end*), widened to whole buckets.

    Raises:
        InvalidRequest: the span is empty or has more buckets than one answer may have.
        Unavailable: the store does not answer, or not within its bounds.
    """
    start, end = _checked(start, end)
    width = series_queries.SECONDS[bucket]
    first, last = int(start.timestamp()) // width, -(-int(end.timestamp()) // width)
    if last - first > MAX_BUCKETS:
        wide = FieldError(field="query.to", message=f"at most {MAX_BUCKETS} buckets")
        raise InvalidRequest("the span is too long for this bucket", errors=(wide,))
    last = max(last, first + 1)
    begins = datetime.fromtimestamp(first * width, UTC)
    parameters = {
        "tenant": tenant,
        "start": begins,
        "end": begins + timedelta(seconds=(last - first) * width),
        "first": first * width,
        "width": width,
    }
    requests = [0] * (last - first)
    for row in await reader.query(series_queries.requests_sql(bucket), parameters):
        requests[int(row["at"])] = int(row["count"])
    narrowed = {"labels": list(labels), "detectors": list(detectors), "limit": limit}
    rows = await reader.query(series_queries.series_sql(query, bucket), parameters | narrowed)
    found = tuple(
        Series(
            label=row["label"] or None,
            detector=row["detector"] or None,
            at=tuple(int(at) for at, _ in row["points"]),
            counts=tuple(int(count) for _, count in row["points"]),
        )
        for row in rows
    )
    return SeriesAnswer(
        query=query,
        bucket=bucket,
        start=begins,
        buckets=last - first,
        requests=tuple(requests),
        series=found,
        left_out=int(rows[0]["found"]) - len(found) if rows else 0,
    )


async def pairs(
    reader: Reader, tenant: TenantId, query: PairsQuery, *, start: datetime, end: datetime, names: Sequence[str]
) -> PairsAnswer:
    """Count the requests of [*start*, *end*) that have two of *names* at once.

    Raises:
        InvalidRequest: the span is empty.
        Unavailable: the store does not answer, or not within its bounds.
    """
    start, end = _checked(start, end)
    parameters = {"tenant": tenant, "start": start, "end": end, "names": list(names)}
    rows = await reader.query(series_queries.PAIRS[query], parameters)
    if query == "requests-with-two-labels":
        return PairsAnswer(query=query, labels=tuple(LabelPair.model_validate(row) for row in rows))
    return PairsAnswer(query=query, detectors=tuple(DetectorPair.model_validate(row) for row in rows))
