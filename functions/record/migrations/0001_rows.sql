-- One row for each request or report, finding source, analysis and touched control. The constraints say what the
-- row models say: nothing here is long enough to hold content.

CREATE TABLE IF NOT EXISTS requests{on_cluster} (
    tenant_id LowCardinality(String),
    request_id String,
    correlation_id String,
    event_source LowCardinality(String),
    event_id String,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    origin LowCardinality(String),
    content_type LowCardinality(String),
    content_hmac Nullable(String),
    decision LowCardinality(Nullable(String)),
    reasons Array(LowCardinality(String)),
    policy_version LowCardinality(Nullable(String)),
    coverage Nullable(Float64),
    coverage_method LowCardinality(Nullable(String)),
    coverage_missing Array(LowCardinality(String)),
    detectors Array(LowCardinality(String)),
    detector_versions Array(LowCardinality(String)),
    detector_statuses Array(LowCardinality(String)),
    detector_latencies_ms Array(Float64),
    labels Array(LowCardinality(String)),
    mappings UInt32,
    negatives UInt32,
    reviews UInt32,
    taxonomy_version LowCardinality(String),
    mapper_version LowCardinality(String),
    frameworks_version LowCardinality(Nullable(String)),
    INDEX by_correlation correlation_id TYPE bloom_filter GRANULARITY 4,
    CONSTRAINT narrow_ids CHECK length(tenant_id) <= 64 AND length(request_id) <= 64 AND length(correlation_id) <= 64
        AND length(event_source) <= 256 AND length(event_id) <= 128,
    CONSTRAINT narrow_hmac CHECK ifNull(length(content_hmac), 0) <= 64,
    CONSTRAINT narrow_lists CHECK arrayAll(x -> length(x) <= 128, reasons) AND arrayAll(x -> length(x) <= 80, labels)
        AND arrayAll(x -> length(x) <= 128, detector_versions)
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, request_id, event_source, event_id);

CREATE TABLE IF NOT EXISTS findings{on_cluster} (
    tenant_id LowCardinality(String),
    request_id String,
    correlation_id String,
    event_source LowCardinality(String),
    event_id String,
    position UInt32,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    label LowCardinality(String),
    pillar LowCardinality(String),
    severity UInt8,
    confidence Float64,
    spans UInt32,
    detector LowCardinality(String),
    detector_version LowCardinality(String),
    vendor_label LowCardinality(String),
    vendor_severity Nullable(String),
    score Float64,
    relation LowCardinality(String),
    method LowCardinality(String),
    vocabulary LowCardinality(Nullable(String)),
    model LowCardinality(Nullable(String)),
    adapter LowCardinality(Nullable(String)),
    prompt LowCardinality(Nullable(String)),
    taxonomy_version LowCardinality(String),
    mapper_version LowCardinality(String),
    INDEX by_correlation correlation_id TYPE bloom_filter GRANULARITY 4,
    CONSTRAINT narrow_ids CHECK length(tenant_id) <= 64 AND length(request_id) <= 64 AND length(correlation_id) <= 64
        AND length(event_source) <= 256 AND length(event_id) <= 128,
    CONSTRAINT narrow_words CHECK length(label) <= 80 AND lengthUTF8(vendor_label) <= 200
        AND length(detector) <= 64 AND length(detector_version) <= 128 AND ifNull(length(vendor_severity), 0) <= 32
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, request_id, event_source, event_id, position);

CREATE TABLE IF NOT EXISTS analyses{on_cluster} (
    tenant_id LowCardinality(String),
    request_id String,
    correlation_id String,
    event_source LowCardinality(String),
    event_id String,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    risk_score Float64,
    risk_level LowCardinality(String),
    risk_formula LowCardinality(String),
    components Map(LowCardinality(String), Float64),
    coverage Nullable(Float64),
    controls UInt32,
    taxonomy_version LowCardinality(String),
    mapper_version LowCardinality(String),
    frameworks_version LowCardinality(Nullable(String)),
    INDEX by_correlation correlation_id TYPE bloom_filter GRANULARITY 4,
    CONSTRAINT narrow_ids CHECK length(tenant_id) <= 64 AND length(request_id) <= 64 AND length(correlation_id) <= 64
        AND length(event_source) <= 256 AND length(event_id) <= 128,
    CONSTRAINT narrow_words CHECK length(risk_formula) <= 128 AND arrayAll(x -> length(x) <= 128, mapKeys(components))
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, request_id, event_source, event_id);

CREATE TABLE IF NOT EXISTS controls{on_cluster} (
    tenant_id LowCardinality(String),
    request_id String,
    correlation_id String,
    event_source LowCardinality(String),
    event_id String,
    position UInt32,
    occurred_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    framework LowCardinality(String),
    framework_version LowCardinality(String),
    control LowCardinality(String),
    labels Array(LowCardinality(String)),
    CONSTRAINT narrow_ids CHECK length(tenant_id) <= 64 AND length(request_id) <= 64 AND length(correlation_id) <= 64
        AND length(event_source) <= 256 AND length(event_id) <= 128,
    CONSTRAINT narrow_words CHECK lengthUTF8(control) <= 40 AND arrayAll(x -> length(x) <= 80, labels)
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant_id, request_id, event_source, event_id, position);
