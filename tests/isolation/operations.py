"""Every operation of every service, what it touches, and how it keeps tenants apart.

A new operation that stands nowhere here fails ``tests/integration/isolation/test_operations.py``.
"""

from dataclasses import dataclass
from typing import Literal

How = Literal["credential", "header", "event", "nothing"]
"""Whose data an operation works on follows from the caller's credential; from ``X-Tenant-ID``, for services that only
our own may call; from the event's ``tenantid``; or it touches nothing that is anybody's."""


@dataclass(frozen=True, slots=True)
class Operation:
    """*own* are the statuses that a tenant is answered which asks for another's things as if they were its own."""

    service: str
    name: str
    how: How
    stores: str
    own: tuple[int, ...] = ()

    @property
    def method(self) -> str:
        return self.name.split()[0]

    @property
    def path(self) -> str:
        return self.name.split()[1]


def _of(service: str, how: How, *rows: tuple[str, str, tuple[int, ...]]) -> tuple[Operation, ...]:
    return tuple(Operation(service, name, how, stores, own) for name, stores, own in rows)


_EVERYWHERE = ("GET /health", "GET /ready", "GET /metrics")
_SERVICES = ("analyze", "console", "detect", "mapper", "orchestrate", "promote", "record")
_NONE = "none"
_CONFIGURATION = "/api/v1/tenants/{tenant_id}/configuration"
_JUDGING = "judgements, answers kept for a second asking, registered detectors, outbox"
_KSERVE = (
    "GET /v1/models",
    "GET /v1/models/{model_name}",
    "POST /v1/models/{model_name}:predict",
    "GET /v2",
    "GET /v2/health/live",
    "GET /v2/health/ready",
    "GET /v2/models",
    "GET /v2/models/{model_name}",
    "GET /v2/models/{model_name}/ready",
    "POST /v2/models/{model_name}/infer",
)

FRONT_DOOR = _of(
    "orchestrate",
    "credential",
    ("POST /api/v1/orchestrate", _JUDGING, (200,)),
    ("POST /api/v1/orchestrate/batch", _JUDGING, (200,)),
    ("POST /api/v1/orchestrate/stream", "registered detectors, outbox", (200,)),
    ("POST /v1/moderations", _JUDGING, (200,)),
    ("GET /api/v1/keys", "API keys", (200,)),
    ("POST /api/v1/keys", "API keys, audit log", (201,)),
    ("POST /api/v1/keys/{key_id}/rotation", "API keys, audit log", (404,)),
    ("DELETE /api/v1/keys/{key_id}", "API keys, audit log", (404,)),
    ("POST /api/v1/keys/{key_id}/one-time-codes", "second factors, audit log", (404,)),
    ("GET /api/v1/audit", "audit log", (200,)),
    ("GET /api/v1/detectors", "registered detectors", (200,)),
    ("GET /api/v1/detectors/{detector}", "registered detectors", (404,)),
    ("PUT /api/v1/detectors/{detector}", "registered detectors, audit log", (404,)),
    ("DELETE /api/v1/detectors/{detector}", "registered detectors, audit log", (404,)),
    ("GET /api/v1/detectors/{detector}/health", "registered detectors", (404,)),
    # Last, since the name is free for a tenant that has no such detector.
    ("POST /api/v1/detectors", "registered detectors, audit log", (201, 409)),
    ("GET /api/v1/policies", "policies, which are the platform's", (200,)),
    ("POST /api/v1/policies/validate", "bundles, which are the platform's; rows of the tenant", (400,)),
    (f"GET {_CONFIGURATION}", "tenants' configuration", (403,)),
    (f"PUT {_CONFIGURATION}", "tenants' configuration, audit log", (403,)),
    (f"GET {_CONFIGURATION}/versions", "tenants' configuration", (403,)),
    (f"GET {_CONFIGURATION}/versions/{{number}}", "tenants' configuration", (403,)),
    (f"POST {_CONFIGURATION}/rollback", "tenants' configuration, audit log", (403,)),
    ("POST /api/v1/detokenize", "tokens, which are kept nowhere; audit log", (200,)),
    ("POST /api/v1/jobs", "jobs, claim checks, answers kept for a second asking", (202,)),
    ("GET /api/v1/jobs", "jobs", (200, 400)),
    ("GET /api/v1/jobs/{job_id}", "jobs", (404,)),
    ("DELETE /api/v1/jobs/{job_id}", "jobs, claim checks", (404,)),
    ("GET /api/v1/jobs/{job_id}/result", "jobs' results", (404,)),
    ("GET /api/v1/webhooks/secret", "webhook secrets, audit log", (200,)),
    ("POST /api/v1/webhooks/secret", "webhook secrets, audit log", (201,)),
    ("GET /api/v1/webhooks/dead", "dead callbacks", (200,)),
    ("POST /api/v1/webhooks/dead/{job_id}/replay", "dead callbacks, jobs", (404,)),
)

OPERATIONS: tuple[Operation, ...] = (
    *FRONT_DOOR,
    *_of(
        "mapper",
        "header",
        ("POST /api/v1/map", "review queue, budgets, remembered answers", (200,)),
        ("POST /api/v1/map/batch", "review queue, budgets, remembered answers", (200,)),
        ("GET /api/v1/reviews", "review queue", (200,)),
        ("GET /api/v1/reviews/{review_id}", "review queue", (404,)),
        ("POST /api/v1/reviews/{review_id}", "review queue", (404,)),
    ),
    *_of("mapper", "event", ("POST /events", "review queue, budgets, remembered answers", ())),
    *_of("mapper", "nothing", *((name, "the review queue of `anonymous`", ()) for name in _KSERVE)),
    *_of(
        "record",
        "header",
        ("GET /api/v1/findings", "findings, analyses, controls", (200,)),
        ("GET /api/v1/requests", "requests, analyses", (200,)),
        ("GET /api/v1/decisions", "requests, findings", (200,)),
        ("GET /api/v1/summary", "requests, findings, analyses", (200,)),
        ("GET /api/v1/costs", "mappings, budget alerts", (200,)),
        ("GET /api/v1/experiments", "mappings", (200,)),
        ("GET /api/v1/series", "requests, findings", (200,)),
        ("GET /api/v1/pairs", "findings", (200,)),
        ("GET /api/v1/dead-letters", "dead letters", (200,)),
        ("GET /api/v1/series", "requests, findings", (200,)),
        ("GET /api/v1/pairs", "findings", (200,)),
    ),
    *_of("record", "event", ("POST /events", "all tables", ()), ("POST /dead-letters", "dead letters", ())),
    *_of("analyze", "event", ("POST /events", _NONE, ())),
    *_of("analyze", "header", ("POST /api/v1/patterns", "rows that record keeps", ())),
    *_of("analyze", "header", ("POST /api/v1/patterns", "the tenant's rows, asked of record", (200,))),
    *_of(
        "analyze",
        "nothing",
        ("POST /api/v1/analyze", _NONE, ()),
        ("POST /api/v1/risk-score", _NONE, ()),
        ("POST /api/v1/compliance", _NONE, ()),
        ("POST /api/v1/compliance/gaps", _NONE, ()),
        ("POST /api/v1/compliance/gaps", _NONE, ()),
        ("POST /api/v1/rag/query", _NONE, ()),
    ),
    *_of("detect", "nothing", ("POST /api/v1/detect", _NONE, ()), ("GET /api/v1/detectors", _NONE, ())),
    *_of("promote", "event", ("POST /events", "the canary's state, which is the platform's", ())),
    *_of("promote", "nothing", ("POST /ticks", "the canary's state, which is the platform's", ())),
    *(Operation(service, name, "nothing", _NONE) for service in _SERVICES for name in _EVERYWHERE),
)

KEPT_APART: dict[How, str] = {
    "credential": "the credential's tenant; `X-Tenant-ID` never adds one",
    "header": "`X-Tenant-ID`; only our own services reach it (network policies, mTLS)",
    "event": "`tenantid` of the event; only the broker reaches it",
    "nothing": "nothing of a tenant's is read or kept",
}
