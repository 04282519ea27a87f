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

    REQUIRED_SET counts detectors; WEIGHTED counts their *weights* (1 unless named); TAXONOMY counts the taxonomy
    *pillars* that the required detectors can judge and an answering one did.
    """
    missing = tuple(detector for detector in required if detector not in answered)
    if not required:
        score = 1.0
    elif method == "TAXONOMY" and pillars:
        wanted = {pillar for detector in required for pillar in pillars.get(detector, ())}
        judged = {pillar for detector in required if detector in answered for pillar in pillars.get(detector, ())}
        score = len(judged) / len(wanted) if wanted else 1.0
    elif method == "WEIGHTED" and weights:
        total = sum(weights.get(detector, 1.0) for detector in required)
        score = sum(weights.get(d, 1.0) for d in required if d in answered) / total
    else:
        score = (len(required) - len(missing)) / len(required)
    return Coverage(method=method, score=round(score, 4), required=tuple(required), missing=missing)
