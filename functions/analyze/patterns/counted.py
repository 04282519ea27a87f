"""record over HTTP: the counts of a period and the four weeks before it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from llama_mapper.chassis.calls import ServiceClient
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.patterns import PatternsRequest, Period
from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.series import PairsAnswer, PairsQuery, Series, SeriesAnswer, SeriesQuery

BASELINE = timedelta(days=28)
"""Four weeks: each weekday four times, and no more of the past than is still like the present."""

LONGEST = timedelta(days=31)
MAX_SERIES = 200
_YEARS = range(2001, 2200)

MAX_PAIRED = 60
MIN_PAIRED = 10
"""Names that are paired: the most frequent, with so many requests in the period that chance can be told from more."""


@dataclass(frozen=True)
class Evidence:
    """What record counted: ``sources`` by label and detector; names that were paired, and how often they met."""

    begins: datetime
    sources: SeriesAnswer
    pairs: tuple[tuple[SeriesAnswer, PairsAnswer], ...] = ()


def checked(period: Period) -> None:
    """Refuse a period that record could not count.

    Raises:
        InvalidRequest: it is longer than 31 days, or out of range.
    """
    if period.start.year not in _YEARS or period.end.year not in _YEARS:
        wrong = FieldError(field="period", message="out of range")
        raise InvalidRequest("the period is out of range", errors=(wrong,))
    if period.end - period.start > LONGEST:
        wrong = FieldError(field="period", message=f"at most {LONGEST.days} days")
        raise InvalidRequest("the period is too long", errors=(wrong,))


class Counted:
    """record's read API; *seconds* is for one question."""

    def __init__(self, record: ServiceClient, seconds: float) -> None:
        self._record = record
        self._seconds = seconds

    async def evidence(self, request: PatternsRequest, tenant: TenantId) -> Evidence:
        """Ask for what *request* needs.

        Raises:
            Problem: the period cannot be counted, or record does not answer.
        """
        checked(request.period)
        begins = _hour(request.period.start)
        answer = await self._series("requests-with-source", request, begins, tenant)
        if "correlation" not in request.kinds:
            return Evidence(begins, answer)
        labels = await self._pairs("requests-with-two-labels", "requests-with-label", request, begins, tenant)
        detectors = await self._pairs("requests-with-two-detectors", "requests-with-detector", request, begins, tenant)
        return Evidence(begins, answer, (*labels, *detectors))

    async def _series(
        self, query: SeriesQuery, request: PatternsRequest, begins: datetime, tenant: TenantId
    ) -> SeriesAnswer:
        params = [
            ("query", query),
            ("from", (begins - BASELINE).isoformat()),
            ("to", request.period.end.astimezone(UTC).isoformat()),
            ("limit", str(MAX_SERIES)),
            *(("label", label) for label in request.labels or ()),
            *(("detector", detector) for detector in request.detectors or ()),
        ]
        return await self._record.get(
            "/api/v1/series", params, SeriesAnswer, timeout_seconds=self._seconds, tenant_id=tenant
        )

    async def _pairs(
        self, query: PairsQuery, single: SeriesQuery, request: PatternsRequest, begins: datetime, tenant: TenantId
    ) -> tuple[tuple[SeriesAnswer, PairsAnswer], ...]:
        found = _frequent(await self._series(single, request, begins, tenant), begins)
        if len(found.series) < 2:
            return ()
        params = [
            ("query", query),
            ("from", begins.isoformat()),
            ("to", _hour(request.period.end, up=True).isoformat()),
            *(("name", str(series.label or series.detector)) for series in found.series),
        ]
        pairs = await self._record.get(
            "/api/v1/pairs", params, PairsAnswer, timeout_seconds=self._seconds, tenant_id=tenant
        )
        return ((found, pairs),)


def _frequent(answer: SeriesAnswer, begins: datetime) -> SeriesAnswer:
    """*answer* with the series that are worth pairing in the period."""
    split = int((begins - answer.start).total_seconds()) // 3600

    def within(series: Series) -> int:
        return sum(count for at, count in zip(series.at, series.counts, strict=True) if at >= split)

    enough = [series for series in answer.series if within(series) >= MIN_PAIRED]
    enough.sort(key=lambda series: (-within(series), series.label or series.detector or ""))
    return answer.model_copy(update={"series": tuple(enough[:MAX_PAIRED])})


def _hour(at: datetime, *, up: bool = False) -> datetime:
    whole = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return whole + timedelta(hours=1) if up and whole < at else whole
