"""Compare the adapter versions of one tenant's answers.

Means and their intervals are ClickHouse's (Student's t for one mean, Welch's for a difference of two). Shares have
Wilson's interval, and quantiles the order statistics whose ranks a binomial covers: neither is a function there.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any

from llama_mapper.contracts.experiments import AdapterReport, Agreement, Estimate, Experiments, Measure
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import FieldError, InvalidRequest

from . import queries
from .reading import Reader

Z = NormalDist().inv_cdf(0.975)


async def experiments(
    reader: Reader, tenant: TenantId, *, days: int, control: str | None, now: datetime
) -> Experiments:
    """Return a report on each version that answered in the *days* before *now*.

    Args:
        control: the version to compare with; None takes the one whose first row is the oldest.

    Raises:
        InvalidRequest: *control* answered nothing in that time.
    """
    asked: dict[str, Any] = {"tenant": tenant, "since": now - timedelta(days=days)}
    found = await reader.query(queries.ADAPTERS, asked)
    if not found and control is None:
        return Experiments(days=days, adapters=())
    names = [row["name"] for row in found]
    if control is not None and control not in names:
        error = FieldError(field="control", message="no mapping by that adapter in this time")
        raise InvalidRequest("check: control", errors=(error,))
    first = control or names[0]
    rows = sorted(found, key=lambda row: bool(row["name"] != first))
    reports = [await _report(reader, row, asked | {"adapter": row["name"], "control": first}) for row in rows]
    return Experiments(days=days, adapters=tuple(reports))


async def _report(reader: Reader, row: Mapping[str, Any], asked: Mapping[str, Any]) -> AdapterReport:
    is_control = asked["adapter"] == asked["control"]
    measures = {name: await _measure(reader, name, asked, is_control) for name in queries.VALUES}
    return AdapterReport(
        adapter=row["name"],
        control=is_control,
        labels=row["labels"],
        mappings=row["mappings"],
        calls=row["calls"],
        failed=wilson(row["failed"], row["calls"]),
        abstained=wilson(row["abstained"], row["calls"] - row["failed"]),
        agreement=None if is_control else await _agreement(reader, queries.AGREEMENT, asked),
        rules=await _agreement(reader, queries.RULE_AGREEMENT, asked),
        latency_p50_ms=await _quantile(reader, 0.50, row["timed"], asked),
        latency_p95_ms=await _quantile(reader, 0.95, row["timed"], asked),
        **measures,
    )


async def _measure(reader: Reader, name: str, asked: Mapping[str, Any], is_control: bool) -> Measure:
    value = queries.VALUES[name]
    mean = await reader.query(queries.MEANS.replace("{value}", value), asked)
    if is_control:
        return Measure(mean=_tested(mean))
    difference = await reader.query(queries.DIFFERENCES.replace("{value}", value), asked)
    return Measure(mean=_tested(mean), difference=_tested(difference))


def _tested(found: Sequence[Mapping[str, Any]]) -> Estimate:
    """A mean and the interval of its test, which is NaN where there are fewer than two values or all are equal."""
    test = found[0]["test"]
    low, high = test["confidence_interval_low"], test["confidence_interval_high"]
    return Estimate(value=_known(found[0]["mean"]), low=_known(low), high=_known(high))


async def _agreement(reader: Reader, sql: str, asked: Mapping[str, Any]) -> Agreement:
    found = (await reader.query(sql, asked))[0]
    return Agreement(labels=found["both"], share=wilson(found["agreed"], found["both"]))


async def _quantile(reader: Reader, at: float, count: int, asked: Mapping[str, Any]) -> Estimate:
    """The quantile *at* of the latency, with the order statistics around it.

    The values between the ranks n p - z sqrt(n p (1 - p)) and n p + z sqrt(n p (1 - p)) hold the true quantile with the
    level of z whatever the distribution (Hahn and Meeker, Statistical Intervals, 5.2.2). A rank beyond the sample says
    that it is too small for a bound on that side.
    """
    if not count:
        return Estimate()
    reach = Z * math.sqrt(at * (1 - at) / count)
    low, high = at - reach, at + reach
    levels = {"at": at, "low": max(low, 0.0), "high": min(high, 1.0)}
    found = (await reader.query(queries.QUANTILE, {**asked, **levels}))[0]
    return Estimate(
        value=found["value"], low=found["low"] if low > 0 else None, high=found["high"] if high < 1 else None
    )


def wilson(hits: int, trials: int) -> Estimate:
    """The share of *hits* with Wilson's score interval (E. B. Wilson, JASA 22, 1927); nothing without trials."""
    if not trials:
        return Estimate()
    share, weight = hits / trials, Z * Z / trials
    middle = (share + weight / 2) / (1 + weight)
    reach = Z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return Estimate(value=share, low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
