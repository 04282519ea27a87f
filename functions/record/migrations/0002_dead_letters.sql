-- That an event could not be handled, by whom and why: its ids and the error's code, not its data.
-- The tenant is empty where the event named none that could be one.

CREATE TABLE IF NOT EXISTS dead_letters{on_cluster} (
    tenant_id LowCardinality(String),
    event_source LowCardinality(String),
    event_id String,
    event_type LowCardinality(String),
    destination LowCardinality(String),
    status UInt16,
    error_code LowCardinality(Nullable(String)),
    correlation_id Nullable(String),
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    CONSTRAINT narrow CHECK length(tenant_id) <= 64 AND length(event_source) <= 256 AND length(event_id) <= 128
        AND length(event_type) <= 128 AND length(destination) <= 256 AND ifNull(length(error_code), 0) <= 64
        AND ifNull(length(correlation_id), 0) <= 64
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, event_source, event_id, destination);
