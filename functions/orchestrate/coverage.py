"""How much of what had to be judged was judged."""

from collections.abc import Collection, Mapping, Sequence

from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.orchestration import Coverage, CoverageMethod


def cover(
    required: Sequence[DetectorId],
    answered: Collection[str],
    method: CoverageMethod = "REQUIRED_SET",
    weights: Mapping[str, float] | None = None,
    pillars: Mapping[str, Collection[str]] | None = None,
) -> Coverage:
    """Return the coverage of *required* by the detectors that *answered*; nothing required is full coverage.

    REQUIRED_SET counts detectors; WEIGHTED counts their *weights* (1 unless named, never negative); TAXONOMY counts
    the taxonomy *pillars* that the required detectors can judge and an answering one did; a detector without pillars
    is one of its own, so that nothing required can be missing unseen.
    """
    missing = tuple(detector for detector in required if detector not in answered)
    if not required:
        score = 1.0
    elif method == "TAXONOMY":
        judges = {detector: set((pillars or {}).get(detector) or {detector}) for detector in required}
        judged = set().union(*(judges[detector] for detector in required if detector in answered))
        score = len(judged) / len(set().union(*judges.values()))
    elif method == "WEIGHTED":
        counts = {detector: max(0.0, (weights or {}).get(detector, 1.0)) for detector in required}
        total = sum(counts.values())
        score = sum(counts[d] for d in counts if d in answered) / total if total else 1.0
    else:
        score = (len(required) - len(missing)) / len(required)
    return Coverage(method=method, score=round(score, 4), required=tuple(required), missing=missing)
