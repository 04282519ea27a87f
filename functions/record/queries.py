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
