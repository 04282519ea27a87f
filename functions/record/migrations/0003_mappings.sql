-- One row for each vendor label that was mapped, with what asking the model took, and one for each share of its
-- monthly budget that a tenant passed. What the model took is null where it was not asked.

CREATE TABLE IF NOT EXISTS mappings{on_cluster} (
    tenant_id LowCardinality(String),
    request_id String,
    correlation_id String,
    event_source LowCardinality(String),
    event_id String,
    position UInt32,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    vendor LowCardinality(String),
    detector LowCardinality(String),
    detector_version LowCardinality(String),
    vendor_label LowCardinality(String),
    label LowCardinality(String),
    labels Array(LowCardinality(String)),
    relation LowCardinality(String),
    confidence Float64,
    method LowCardinality(String),
    negative Bool,
    review Bool,
    vocabulary LowCardinality(Nullable(String)),
    model LowCardinality(Nullable(String)),
    adapter LowCardinality(Nullable(String)),
    prompt LowCardinality(Nullable(String)),
    prompt_tokens Nullable(UInt32),
    completion_tokens Nullable(UInt32),
    compute_seconds Nullable(Float64),
    latency_ms Nullable(Float64),
    cost_microdollars Nullable(Float64),
    prices LowCardinality(Nullable(String)),
    taxonomy_version LowCardinality(String),
    mapper_version LowCardinality(String),
    CONSTRAINT narrow_ids CHECK length(tenant_id) <= 64 AND length(request_id) <= 64 AND length(correlation_id) <= 64
        AND length(event_source) <= 256 AND length(event_id) <= 128,
    CONSTRAINT narrow_words CHECK length(label) <= 80 AND arrayAll(x -> length(x) <= 80, labels)
        AND lengthUTF8(vendor_label) <= 200 AND length(vendor) <= 128 AND length(detector) <= 64
        AND length(detector_version) <= 128
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, request_id, event_source, event_id, position);

CREATE TABLE IF NOT EXISTS budget_alerts{on_cluster} (
    tenant_id LowCardinality(String),
    event_source LowCardinality(String),
    event_id String,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    month LowCardinality(String),
    threshold_percent UInt16,
    emergency_percent UInt16,
    budget_microdollars Float64,
    spent_microdollars Float64,
    budgets LowCardinality(String),
    CONSTRAINT narrow CHECK length(tenant_id) <= 64 AND length(event_source) <= 256 AND length(event_id) <= 128
        AND length(month) <= 7 AND length(budgets) <= 128
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, event_source, event_id);
