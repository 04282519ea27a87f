"""The SQL of the read API. Values are always bound as parameters; an empty one switches its condition off.

``FINAL`` puts the copies of a row that was delivered twice together before anything counts them.
"""

FINDINGS = """
SELECT label, vendor_label, detector, detector_version, method, relation, severity, confidence, request_id, occurred_at
FROM findings FINAL
WHERE tenant_id = {tenant:String}
  AND ({request:String} = '' OR request_id = {request:String})
  AND ({correlation:String} = '' OR correlation_id = {correlation:String})
  AND ({label:String} = '' OR label = {label:String} OR startsWith(label, concat({label:String}, '.')))
ORDER BY occurred_at DESC, severity DESC, confidence DESC, event_id, position
LIMIT {limit:UInt32}
"""

# The riskiest, where one correlation has several requests.
ANALYSIS = """
SELECT request_id, event_source, event_id, risk_score, risk_level
FROM analyses FINAL
WHERE tenant_id = {tenant:String}
  AND ({request:String} = '' OR request_id = {request:String})
  AND ({correlation:String} = '' OR correlation_id = {correlation:String})
ORDER BY risk_score DESC, occurred_at DESC
LIMIT 1
"""

CONTROLS = """
SELECT framework, control
FROM controls FINAL
WHERE tenant_id = {tenant:String} AND request_id = {request_id:String}
  AND event_source = {event_source:String} AND event_id = {event_id:String}
ORDER BY framework, position
"""

REQUESTS = """
SELECT request_id, correlation_id, occurred_at, origin, decision, reasons, coverage, risk_score, risk_level, labels,
    detectors
FROM (
    SELECT * FROM requests FINAL WHERE tenant_id = {tenant:String}
    ORDER BY occurred_at DESC, request_id LIMIT {limit:UInt32}
) AS request
LEFT ANY JOIN (
    SELECT request_id, risk_score, risk_level FROM analyses FINAL WHERE tenant_id = {tenant:String}
) AS analysis USING request_id
ORDER BY occurred_at DESC, request_id
SETTINGS join_use_nulls = 1
"""

# One position a source; the sources of one label stand together, as in the event.
DECISIONS = """
WITH latest AS (
    SELECT * FROM requests FINAL
    WHERE tenant_id = {tenant:String} AND isNotNull(decision) AND isNotNull(coverage) AND isNotNull(policy_version)
      AND ({request:String} = '' OR request_id = {request:String})
    ORDER BY occurred_at DESC, request_id LIMIT {limit:UInt32}
)
SELECT request_id, occurred_at, content_type, coverage, coverage_method, coverage_missing, decision, reasons,
    policy_version, found
FROM latest
LEFT ANY JOIN (
    SELECT request_id, arraySort(groupArray(
        (position, label, severity, confidence, detector, detector_version, vendor_label, method, relation, score)
    )) AS found
    FROM findings FINAL
    WHERE tenant_id = {tenant:String} AND request_id IN (SELECT request_id FROM latest)
    GROUP BY request_id
) AS finding USING request_id
ORDER BY occurred_at DESC, request_id
"""

TOTALS = """
SELECT count() AS requests, sum(length(labels)) AS findings
FROM requests FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
"""

DEAD_LETTER_TOTAL = """
SELECT count() AS dead_letters
FROM dead_letters FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
"""

BY_DAY = """
SELECT toDate(occurred_at) AS day, count() AS requests, sum(length(labels)) AS findings
FROM requests FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
GROUP BY day ORDER BY day
"""

BY_LABEL = """
SELECT arrayJoin(labels) AS name, count() AS count
FROM requests FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
GROUP BY name ORDER BY count DESC, name LIMIT {top:UInt32}
"""

BY_DETECTOR = """
SELECT detector AS name, count() AS count
FROM findings FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
GROUP BY name ORDER BY count DESC, name LIMIT {top:UInt32}
"""

BY_DECISION = """
SELECT assumeNotNull(decision) AS name, count() AS count
FROM requests FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')} AND decision IS NOT NULL
GROUP BY name ORDER BY count DESC, name
"""

BY_RISK_LEVEL = """
SELECT risk_level AS name, count() AS count
FROM analyses FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
GROUP BY name ORDER BY count DESC, name
"""

DEAD_LETTERS = """
SELECT event_id, event_source, event_type, destination, status, error_code, correlation_id, occurred_at, recorded_at
FROM dead_letters FINAL
WHERE tenant_id = {tenant:String}
ORDER BY recorded_at DESC, event_id
LIMIT {limit:UInt32}
"""

_COST = """
SELECT {name} AS name, count() AS mappings, count(m.cost_microdollars) AS asked,
    ifNull(sum(m.prompt_tokens), 0) AS prompt_tokens, ifNull(sum(m.completion_tokens), 0) AS completion_tokens,
    ifNull(sum(m.compute_seconds), 0) AS compute_seconds, ifNull(sum(m.cost_microdollars), 0) AS cost_microdollars
FROM mappings AS m FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
GROUP BY name ORDER BY {order} LIMIT {limit:UInt32}
"""


def _cost(name: str, order: str) -> str:
    return _COST.replace("{name}", name).replace("{order}", order)


COSTS = {
    "tenant": _cost("tenant_id", "name"),
    "vendor": _cost("vendor", "cost_microdollars DESC, name"),
    "day": _cost("toString(toDate(occurred_at))", "name DESC"),
    "request": _cost("request_id", "cost_microdollars DESC, name"),
}

BUDGET_ALERTS = """
SELECT month, threshold_percent, emergency_percent, budget_microdollars, spent_microdollars, occurred_at
FROM budget_alerts FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
ORDER BY occurred_at DESC, threshold_percent DESC
"""

# A call is a mapping for which the model was asked. Cached answers are none: they repeat one, and a label that comes
# often must not count as often.
_CALL = "(cost_microdollars IS NOT NULL OR model IS NULL)"

ADAPTERS = """
SELECT assumeNotNull(adapter) AS name, min(occurred_at) AS first,
    countIf(recent) AS mappings,
    uniqExactIf((detector, detector_version, vendor_label), recent) AS labels,
    countIf(recent AND {call}) AS calls,
    countIf(recent AND model IS NULL) AS failed,
    countIf(recent AND {call} AND model IS NOT NULL AND method = 'fallback') AS abstained,
    countIf(recent AND latency_ms IS NOT NULL) AS timed
FROM (
    SELECT *, occurred_at >= {since:DateTime64(3, 'UTC')} AS recent
    FROM mappings FINAL WHERE tenant_id = {tenant:String} AND adapter IS NOT NULL
)
GROUP BY name HAVING mappings > 0 ORDER BY first, name
""".replace("{call}", _CALL)

# Confidence is that of answers that were sure enough to be given; the rest is of all answers.
MEANS = """
SELECT avgOrNull(value) AS mean, studentTTestOneSample(0.95)(assumeNotNull(value), 0.) AS test
FROM (SELECT {value} AS value FROM mappings FINAL
    WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')} AND adapter = {adapter:String})
WHERE value IS NOT NULL
"""

DIFFERENCES = """
SELECT avgOrNullIf(value, side = 0) - avgOrNullIf(value, side = 1) AS mean,
    welchTTest(0.95)(assumeNotNull(value), side) AS test
FROM (SELECT {value} AS value, if(adapter = {control:String}, 1, 0) AS side FROM mappings FINAL
    WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')}
      AND adapter IN ({adapter:String}, {control:String}))
WHERE value IS NOT NULL
"""

VALUES = {
    "confidence": "if(method = 'model', confidence, NULL)",
    "latency_ms": "latency_ms",
    "tokens": "prompt_tokens + completion_tokens",
    "cost_microdollars": "cost_microdollars",
}

QUANTILE = """
SELECT quantileExactInclusive({at:Float64})(latency_ms) AS value,
    quantileExactLow({low:Float64})(latency_ms) AS low, quantileExactHigh({high:Float64})(latency_ms) AS high
FROM mappings FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')} AND adapter = {adapter:String}
  AND latency_ms IS NOT NULL
"""

# What each side said last about each label, cached answers included; OTHER.Unknown is an answer too.
_SAID = """
SELECT detector, detector_version, vendor_label, argMax(m.label, m.occurred_at) AS label,
    argMax(m.labels, m.occurred_at) AS labels, max(m.occurred_at) AS at
FROM mappings AS m FINAL
WHERE tenant_id = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')} AND {who}
GROUP BY detector, detector_version, vendor_label
"""

_AGREEMENT = """
SELECT count() AS both, countIf({agree}) AS agreed
FROM ({one}) AS one INNER JOIN ({other}) AS other USING detector, detector_version, vendor_label
WHERE {when}
"""


def _agreement(other: str, agree: str, when: str) -> str:
    one = _SAID.replace("{who}", "adapter = {adapter:String} AND model IS NOT NULL")
    asked = _AGREEMENT.replace("{agree}", agree).replace("{when}", when)
    return asked.replace("{one}", one).replace("{other}", _SAID.replace("{who}", other))


AGREEMENT = _agreement("adapter = {control:String} AND model IS NOT NULL", "one.label = other.label", "true")
# A rule that a person made after the model had answered says who was right.
RULE_AGREEMENT = _agreement("method = 'rule'", "has(other.labels, one.label)", "other.at > one.at")
