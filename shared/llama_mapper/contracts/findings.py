"""How several vendors' findings about one text become one list of canonical findings.

orchestrate and the mapper must give the same answer for the same mappings, whichever way a finding came in, so the
rule is part of the contract: one finding a label; confidence is the highest of (mapping's confidence times the
vendor's score) among its sources; severity is the highest; spans are united; negatives and sources without a label
of their own are left out.
"""

from collections.abc import Iterable

from .analysis import CanonicalFinding, Source
from .detection import Span
from .mapping import MappedLabel, Mapping, VendorFinding

MAX_SPANS = 1000


def merge(mapped: Iterable[tuple[VendorFinding, Mapping]]) -> tuple[CanonicalFinding, ...]:
    """Return one finding a canonical label, worst first (severity, then confidence, then name)."""
    groups: dict[str, list[tuple[VendorFinding, Mapping, MappedLabel]]] = {}
    for finding, mapping in mapped:
        if not mapping.negative:
            for label in mapping.labels:
                groups.setdefault(label.label, []).append((finding, mapping, label))
    merged = [_merge(members) for members in groups.values()]
    return tuple(sorted(merged, key=lambda f: (-f.severity, -f.confidence, f.label)))


def _merge(members: list[tuple[VendorFinding, Mapping, MappedLabel]]) -> CanonicalFinding:
    spans = {(f.span.start, f.span.end) for f, _, _ in members if f.span}
    sources = {
        (f.detector, f.detector_version, f.label, f.reading or ""): Source(
            detector=f.detector,
            detector_version=f.detector_version,
            vendor_label=f.label,
            method=mapping.method,
            relation=label.relation,
            score=_score(f),
            reading=f.reading,
        )
        for f, mapping, label in sorted(members, key=_strength)  # the strongest stands, in whatever order they came
    }
    return CanonicalFinding(
        label=members[0][2].label,
        confidence=round(max(_confidence(f, label) for f, _, label in members), 4),
        severity=max(label.severity for _, _, label in members),
        spans=tuple(Span(start=start, end=end) for start, end in sorted(spans)[:MAX_SPANS]),
        sources=tuple(sources[key] for key in sorted(sources)),
    )


def _confidence(finding: VendorFinding, label: MappedLabel) -> float:
    return label.confidence * _score(finding)


def _score(finding: VendorFinding) -> float:
    """A detector that gives no score is taken at its word."""
    return 1.0 if finding.score is None else finding.score


def _strength(member: tuple[VendorFinding, Mapping, MappedLabel]) -> tuple[float, str, str]:
    finding, mapping, label = member
    return _score(finding), mapping.method, label.relation
