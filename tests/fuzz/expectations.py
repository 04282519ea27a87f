"""Words that the services know, and answers that a check would blame though they are right, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemathesis.config._checks import (
    MISSING_REQUIRED_HEADER_EXPECTED_STATUSES,
    NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES,
    POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES,
)

# Drawn three times in five where a parameter or a field has the name: at random nobody finds a tenant or a detector.
DICTIONARIES: Mapping[str, Sequence[str]] = {
    "tenants": ("demo",),
    "detectors": ("presidio", "llama-mapper-regex", "detect-secrets", "nobody"),
    "frameworks": ("gdpr", "hipaa", "iso27001", "soc2", "eu-ai-act", "nist-ai-rmf", "nist-csf"),
    "models": ("mapper",),
    "labels": ("EMAIL_ADDRESS", "PII.Contact.Email", "toxic"),
}
PARAMETERS: Mapping[str, str] = {
    "header.X-Tenant-ID": "tenants",
    "header.ce-tenantid": "tenants",
    "path.detector": "detectors",
    "path.model_name": "models",
    "path.tenant_id": "tenants",
    "query.label": "labels",
    "body.frameworks[*]": "frameworks",
    "body.detectors[*]": "detectors",
    "body.detector_types[*]": "detectors",
    "body.items[*].detector_types[*]": "detectors",
}

POSITIVE, NEGATIVE = "positive_data_acceptance", "negative_data_rejection"
ALLOW = "allow_header_conformance"
_EXPECTED: Mapping[str, Sequence[str]] = {
    POSITIVE: POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES,
    NEGATIVE: NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES,
    "missing_required_header": MISSING_REQUIRED_HEADER_EXPECTED_STATUSES,
}


def _also(check: str, *statuses: str) -> dict[str, Any]:
    return {"expected-statuses": [*_EXPECTED[check], *statuses]}


EVERYWHERE: Mapping[str, Any] = {
    # A content, or a list of them, that is longer than its schema allows is too large; JSON Schema knows no bytes.
    NEGATIVE: _also(NEGATIVE, "413"),
}


@dataclass(frozen=True)
class Expectation:
    """*check* of *operation* takes *statuses* too, or is not made where there are none."""

    service: str
    operation: str
    check: str
    why: str
    statuses: tuple[str, ...] = ()


_EVENT = "which of several bodies fits is said by ce-type, and a schema cannot tie a header to a body"
_RULES = "a span ends after it starts and a label is no value: rules that a schema cannot hold"
_QUESTION = "a question holds no value, and names no framework that is not known"
_PERIOD = "a period ends after it starts, and is no longer than can be counted at once"
_KNOWN = "a name that fits the pattern need not be one that is known"
_ADDRESS = "an address that fits the pattern need not be one that may be called"
_TENANT = "the address and X-Tenant-ID have to name one tenant"
_AGAIN = "an Idempotency-Key may have come with another body before"
_CANCELLED = "DELETE cancels a job, which stays to be asked for"
_IN_PLACE = "an item that is not valid is answered in its place, and the others are mapped"
_LINES = "the body is lines, which no JSON Schema describes"
_STREAM = "POST /api/v1/orchestrate/stream"
_AT = "/api/v1/tenants/{tenant_id}/configuration"

EXPECTATIONS: Sequence[Expectation] = (
    Expectation("analyze", "POST /api/v1/analyze", POSITIVE, _KNOWN, ("400",)),
    Expectation("analyze", "POST /api/v1/compliance", POSITIVE, _KNOWN, ("400",)),
    Expectation("analyze", "POST /api/v1/compliance/gaps", POSITIVE, _KNOWN, ("400",)),
    Expectation("analyze", "POST /api/v1/risk-score", POSITIVE, _KNOWN, ("400",)),
    Expectation("analyze", "POST /api/v1/rag/query", POSITIVE, _QUESTION, ("400",)),
    Expectation("analyze", "POST /api/v1/patterns", POSITIVE, _PERIOD, ("400",)),
    Expectation("analyze", "POST /events", POSITIVE, _RULES, ("422",)),
    Expectation("detect", "POST /api/v1/detect", POSITIVE, _KNOWN, ("413", "422")),
    Expectation("record", "POST /events", POSITIVE, _EVENT, ("422",)),
    Expectation("record", "GET /api/v1/experiments", POSITIVE, _KNOWN, ("400",)),
    Expectation("record", "GET /api/v1/series", POSITIVE, _PERIOD, ("400",)),
    Expectation("record", "GET /api/v1/pairs", POSITIVE, _PERIOD, ("400",)),
    Expectation("mapper", "POST /api/v1/map", POSITIVE, _KNOWN, ("400",)),
    Expectation(
        "mapper", "POST /api/v1/map/batch", POSITIVE, "many long findings are more bytes than are taken", ("413",)
    ),
    Expectation(
        "mapper", "POST /api/v1/reviews/{review_id}", POSITIVE, "accepting needs labels that are known", ("400",)
    ),
    Expectation("promote", "POST /events", POSITIVE, "no gate can be both passed and failed", ("422",)),
    Expectation("mapper", "POST /api/v1/map/batch", NEGATIVE, _IN_PLACE),
    Expectation("mapper", "POST /v1/models/{model_name}:predict", NEGATIVE, _IN_PLACE),
    Expectation("mapper", "POST /events", POSITIVE, _KNOWN, ("422",)),
    Expectation("mapper", "POST /v1/models/{model_name}:predict", POSITIVE, _KNOWN, ("400", "413")),
    Expectation(
        "mapper", "POST /v1/models/{model_name}:predict", ALLOW, "GET /v1/models/{model_name} fits its path too"
    ),
    Expectation("mapper", "GET /v2/models/{model_name}", POSITIVE, _KNOWN, ("400",)),
    Expectation("mapper", "GET /v2/models/{model_name}/ready", POSITIVE, _KNOWN, ("400",)),
    Expectation(
        "mapper", "POST /v2/models/{model_name}/infer", POSITIVE, "its tensors hold findings as texts of JSON", ("400",)
    ),
    Expectation("orchestrate", "POST /api/v1/orchestrate", POSITIVE, f"{_KNOWN}; {_ADDRESS}", ("400", "413", "422")),
    Expectation("orchestrate", "POST /api/v1/jobs", POSITIVE, f"{_KNOWN}; {_ADDRESS}", ("400", "413", "422")),
    Expectation("orchestrate", "POST /api/v1/orchestrate/batch", POSITIVE, _AGAIN, ("413", "422")),
    Expectation(
        "orchestrate", "POST /v1/moderations", POSITIVE, f"{_AGAIN}; images are refused by name", ("400", "413", "422")
    ),
    Expectation("orchestrate", "GET /api/v1/jobs/{job_id}", "use_after_free", _CANCELLED),
    Expectation("orchestrate", "GET /api/v1/jobs/{job_id}/result", "use_after_free", _CANCELLED),
    Expectation("orchestrate", "POST /api/v1/detectors", POSITIVE, _ADDRESS, ("400", "422")),
    Expectation("orchestrate", "PUT /api/v1/detectors/{detector}", POSITIVE, _ADDRESS, ("400", "422")),
    Expectation(
        "orchestrate", "POST /api/v1/policies/validate", POSITIVE, "no store of bundles is set up here", ("400",)
    ),
    Expectation("orchestrate", f"GET {_AT}", POSITIVE, _TENANT, ("400",)),
    Expectation("orchestrate", f"PUT {_AT}", POSITIVE, _TENANT, ("400", "412", "422", "428")),
    Expectation("orchestrate", f"POST {_AT}/rollback", POSITIVE, _TENANT, ("400", "412", "422", "428")),
    Expectation("orchestrate", f"GET {_AT}/versions", POSITIVE, _TENANT, ("400",)),
    Expectation("orchestrate", f"GET {_AT}/versions/{{number}}", POSITIVE, _TENANT, ("400",)),
    Expectation("orchestrate", _STREAM, POSITIVE, _LINES, ("400",)),
    Expectation("orchestrate", _STREAM, NEGATIVE, _LINES),
)


def operations_of(service: str) -> list[dict[str, Any]]:
    """The expectations as Schemathesis' configuration of operations."""
    checks: dict[str, dict[str, Any]] = {}
    for one in EXPECTATIONS:
        if one.service == service:
            said = _also(one.check, *one.statuses) if one.statuses else {"enabled": False}
            checks.setdefault(one.operation, {})[one.check] = said
    return [{"include-name": operation, "checks": given} for operation, given in checks.items()]
