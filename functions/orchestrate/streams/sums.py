"""What the windows of a stream come to together: one decision, one finding a label, one report a detector."""

from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly

from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.detection import Detection, DetectorReport
from llama_mapper.contracts.identifiers import CanonicalLabel
from llama_mapper.contracts.orchestration import Action, Decision

from .windows import Pair

ORDER: tuple[Action, ...] = ("allow", "flag", "redact", "human_review", "block")
"""As the decision policy orders them; what was said once is not taken back by a milder word."""


def stricter(before: Decision | None, now: Decision) -> Decision:
    return before if before and ORDER.index(before.action) > ORDER.index(now.action) else now


def joined(
    known: ReadOnly[CanonicalLabel, CanonicalFinding], here: Iterable[CanonicalFinding]
) -> dict[CanonicalLabel, CanonicalFinding]:
    """What a decision needs of all windows so far: labels, how sure, how grave, and by whom; no spans."""
    joined = dict(known)
    for finding in here:
        before = joined.get(finding.label)
        sources = {(s.detector, s.detector_version, s.vendor_label): s for s in finding.sources}
        if before:
            sources = {(s.detector, s.detector_version, s.vendor_label): s for s in before.sources} | sources
        joined[finding.label] = finding.model_copy(
            update={
                "confidence": max(finding.confidence, before.confidence if before else 0.0),
                "severity": max(finding.severity, before.severity if before else 0),
                "spans": (),
                "sources": tuple(sources.values()),
            }
        )
    return joined


def together(before: DetectorReport, now: DetectorReport) -> DetectorReport:
    """A detector that missed one window missed something of the whole."""
    return now.model_copy(
        update={
            "status": before.status if before.status != "ok" else now.status,
            "windows": before.windows + now.windows,
            "latency_ms": before.latency_ms + now.latency_ms,
            "detections": (),
        }
    )


def with_findings(report: DetectorReport, pairs: Iterable[Pair]) -> DetectorReport:
    """*report* with what is left of its findings once they are put together."""
    own = [finding for finding, _ in pairs if finding.detector == report.detector]
    detections = tuple(
        Detection(label=f.label, score=1.0 if f.score is None else f.score, span=f.span, severity=f.severity)
        for f in own
    )
    return report.model_copy(update={"detections": detections})
