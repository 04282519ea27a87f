"""Prometheus metrics every service has; labels are route templates and codes, never ids or values."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)

REGISTRY = CollectorRegistry()
REQUESTS = Counter("llama_mapper_requests", "HTTP requests", ["service", "route", "status"], registry=REGISTRY)
DURATION = Histogram(
    "llama_mapper_request_seconds", "Time to answer", ["service", "route"], buckets=BUCKETS, registry=REGISTRY
)
EVENTS = Counter("llama_mapper_events", "CloudEvents consumed and sent", ["type", "outcome"], registry=REGISTRY)
FALLBACKS = Counter("llama_mapper_fallbacks", "Named fallbacks taken", ["name"], registry=REGISTRY)
FLAGS = Counter("llama_mapper_flags_switched", "Flags that were not as by default", ["flag"], registry=REGISTRY)
MAPPINGS = Counter("llama_mapper_mappings", "Vendor findings mapped", ["method"], registry=REGISTRY)
DECISIONS = Counter("llama_mapper_decisions", "Decisions by action", ["action"], registry=REGISTRY)
POLICY_RELOADS = Counter(
    "llama_mapper_policy_reload", "Changes of the policies by what became of them", ["outcome"], registry=REGISTRY
)
POLICY_SECONDS = Histogram(
    "llama_mapper_policy_seconds",
    "Time of one question to the policies",
    ["policy", "engine"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25),
    registry=REGISTRY,
)
DETECTIONS = Histogram(
    "llama_mapper_detector_seconds", "Time of one detector", ["detector", "status"], buckets=BUCKETS, registry=REGISTRY
)
# Tenants only where the settings name them, all others together as "other": whoever invents names must not make series.
TOKENS = Counter("llama_mapper_model_tokens", "Tokens of the model", ["tenant", "adapter", "kind"], registry=REGISTRY)
COMPUTE = Counter(
    "llama_mapper_model_compute_seconds", "Time the model was busy", ["tenant", "adapter"], registry=REGISTRY
)
COST = Counter(
    "llama_mapper_model_cost_microdollars", "Cost by the price table", ["tenant", "adapter"], registry=REGISTRY
)
BUDGET_ALERTS = Counter(
    "llama_mapper_budget_alerts", "Budget thresholds passed", ["tenant", "threshold"], registry=REGISTRY
)
SHED = Counter("llama_mapper_shed", "Requests refused for want of room", ["priority", "reason"], registry=REGISTRY)
CONCURRENCY = Gauge("llama_mapper_concurrency_limit", "Requests judged at once, as adapted", registry=REGISTRY)
IN_ROTATION = Gauge("llama_mapper_detector_in_rotation", "1 while it is asked", ["detector"], registry=REGISTRY)
PROBES = Counter("llama_mapper_detector_probes", "Health probes", ["detector", "outcome"], registry=REGISTRY)
HEDGES = Counter("llama_mapper_detector_hedges", "Second calls", ["detector", "outcome"], registry=REGISTRY)
VERSIONS = Counter(
    "llama_mapper_detector_versions",
    "Answers of a candidate version, and whether a shadow agreed",
    ["detector", "candidate", "outcome"],
    registry=REGISTRY,
)
JOBS = Counter("llama_mapper_jobs", "Asynchronous jobs by how they ended", ["outcome"], registry=REGISTRY)
JOB_SECONDS = Histogram(
    "llama_mapper_job_seconds", "Time from a job's last beginning to its end", ["priority"], registry=REGISTRY
)
JOBS_WAITING = Gauge("llama_mapper_jobs_open", "Jobs that wait or run", ["priority"], registry=REGISTRY)
JOBS_AGE = Gauge("llama_mapper_jobs_oldest_seconds", "Age of the oldest of them", ["priority"], registry=REGISTRY)
CALLBACKS = Counter("llama_mapper_job_callbacks", "Callbacks of jobs, by outcome", ["outcome"], registry=REGISTRY)
UP = Gauge("llama_mapper_up", "The service runs", ["service"], registry=REGISTRY)


def exposition() -> bytes:
    return generate_latest(REGISTRY)
