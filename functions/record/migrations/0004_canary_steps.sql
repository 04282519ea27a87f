-- One row for each step that a candidate of the model took: up, away (0) or all the way (100). They are the platform's
-- own; the tenant is the reserved one.

CREATE TABLE IF NOT EXISTS canary_steps{on_cluster} (
    tenant_id LowCardinality(String),
    event_source LowCardinality(String),
    event_id String,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    canary LowCardinality(String),
    inference_service LowCardinality(String),
    step UInt32,
    from_percent UInt8,
    to_percent UInt8,
    decision LowCardinality(String),
    reason LowCardinality(String),
    mode LowCardinality(String),
    stable_revision LowCardinality(Nullable(String)),
    candidate_revision LowCardinality(Nullable(String)),
    stable_calls Nullable(UInt64),
    candidate_calls Nullable(UInt64),
    CONSTRAINT narrow CHECK length(tenant_id) <= 64 AND length(event_source) <= 256 AND length(event_id) <= 128
        AND length(canary) <= 253 AND length(inference_service) <= 253 AND length(reason) <= 128
        AND ifNull(length(stable_revision), 0) <= 253 AND ifNull(length(candidate_revision), 0) <= 253
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, event_source, event_id);
