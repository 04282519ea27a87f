"""The SQL of the counts over time. Each query ends by itself: rows read and seconds are bounded.

A request counts once in a bucket however often it has a label: the counts never exceed the requests.
"""

from llama_mapper.contracts.series import Bucket, PairsQuery, SeriesQuery

_BOUNDED = "SETTINGS max_execution_time = 20, max_rows_to_read = 100000000"
_START: dict[Bucket, str] = {"hour": "toStartOfHour(occurred_at, 'UTC')", "day": "toStartOfDay(occurred_at, 'UTC')"}
SECONDS: dict[Bucket, int] = {"hour": 3_600, "day": 86_400}

_NAMED: dict[SeriesQuery, tuple[str, str]] = {
    "requests-with-source": ("label", "detector"),
    "requests-with-label": ("label", "''"),
    "requests-with-detector": ("''", "detector"),
}

_IN_SPAN = """tenant_id = {tenant:String}
      AND occurred_at >= {start:DateTime64(3, 'UTC')} AND occurred_at < {end:DateTime64(3, 'UTC')}"""

_REQUESTS = """
SELECT intDiv(toUnixTimestamp(<start>) - {first:Int64}, {width:Int64}) AS at, count() AS count
FROM requests FINAL
WHERE <in span>
GROUP BY at ORDER BY at
<bounded>
"""

_SERIES = """
SELECT name_label AS label, name_detector AS detector, sum(count) AS total,
    arraySort(groupArray((at, count))) AS points, count() OVER () AS found
FROM (
    SELECT <label> AS name_label, <detector> AS name_detector,
        intDiv(toUnixTimestamp(<start>) - {first:Int64}, {width:Int64}) AS at, uniqExact(request_id) AS count
    FROM findings FINAL
    WHERE <in span>
      AND (empty({labels:Array(String)}) OR label IN {labels:Array(String)})
      AND (empty({detectors:Array(String)}) OR detector IN {detectors:Array(String)})
    GROUP BY name_label, name_detector, at
)
GROUP BY name_label, name_detector
ORDER BY total DESC, name_label, name_detector
LIMIT {limit:UInt32}
<bounded>
"""

_PAIRS = """
WITH found AS (
    SELECT request_id, groupUniqArray(<name>) AS names
    FROM findings FINAL
    WHERE <in span> AND <name> IN {names:Array(String)}
    GROUP BY request_id HAVING length(names) > 1
)
SELECT first, second, count() AS requests
FROM (SELECT names, arrayJoin(names) AS first FROM found) ARRAY JOIN names AS second
WHERE first < second
GROUP BY first, second ORDER BY first, second
<bounded>
"""


def _whole(sql: str, **parts: str) -> str:
    """Put our own words into *sql*; a caller's values are bound by the engine."""
    for name, part in (parts | {"in span": _IN_SPAN, "bounded": _BOUNDED}).items():
        sql = sql.replace(f"<{name}>", part)
    return sql


PAIRS: dict[PairsQuery, str] = {
    "requests-with-two-labels": _whole(_PAIRS, name="label"),
    "requests-with-two-detectors": _whole(_PAIRS, name="detector"),
}


def requests_sql(bucket: Bucket) -> str:
    return _whole(_REQUESTS, start=_START[bucket])


def series_sql(query: SeriesQuery, bucket: Bucket) -> str:
    label, detector = _NAMED[query]
    return _whole(_SERIES, label=label, detector=detector, start=_START[bucket])
