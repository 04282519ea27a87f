"""The decision log: one line a decision, as OPA's decision logs have it, with the input erased and its digest kept.

``record`` keeps what the digest is of (``GET /api/v1/decisions``): with it a decision can be taken again, and whether
it is the same input can be told.
"""

import hashlib
import json
from collections.abc import Sequence

from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.identifiers import RequestId, TenantId
from llama_mapper.contracts.orchestration import Coverage, Decision

log = get_logger(__name__)

PATH = "llama_mapper/decision/decision"


def input_digest(findings: Sequence[CanonicalFinding], coverage: Coverage, tenant_id: TenantId) -> str:
    """SHA-256 of what was decided on: labels, confidences, severities, who said so, and the coverage."""
    said = [
        [finding.label, finding.confidence, finding.severity, sorted({source.detector for source in finding.sources})]
        for finding in findings
    ]
    covered = [coverage.method, coverage.score, list(coverage.missing)]
    canonical = json.dumps([tenant_id, sorted(said, key=str), covered], separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def note(
    request_id: RequestId,
    tenant_id: TenantId,
    findings: Sequence[CanonicalFinding],
    coverage: Coverage,
    decision: Decision,
    decision_ms: float,
) -> None:
    """Write the line; *decision_ms* is how long the policies took, once, also where the answer was kept since."""
    log.info(
        "policy.decided",
        extra={
            "decision_id": request_id,
            "path": PATH,
            "tenant": tenant_id,
            "policy_version": decision.policy_version,
            "input_sha256": input_digest(findings, coverage, tenant_id),
            "findings": len(findings),
            "action": decision.action,
            "reasons": decision.reasons,
            "obligations": decision.obligations,
            "duration_ms": round(decision_ms, 3),
        },
    )
