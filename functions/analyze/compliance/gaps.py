"""Which controls have evidence, which have none, and which detectors would close the gap: sets and counts, no prose.

A label is *judged* where a detector that ran can report it or, for an inner label, something below it. A control stands
by the best of its labels; a label seen is evidence whoever saw it. Verdicts and findings that nobody could read are no
labels to be judged.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from llama_mapper.contracts.compliance import (
    ClosingDetector,
    ClosingStep,
    ControlGap,
    DetectorReach,
    FrameworkGaps,
    GapsRequest,
    GapsResponse,
    LabelGap,
    LabelReach,
    LabelSeen,
    Reach,
    Standing,
    Standings,
)
from llama_mapper.contracts.identifiers import CanonicalLabel, DetectorId
from llama_mapper.taxonomy import Taxonomy

from ..frameworks import Control, Framework, Frameworks
from .detectors import Able, Speakers, reach

NO_FINDING = ("SAFETY_NEGATIVE", "SAFETY_NEGATIVE.NONE", "OTHER", "OTHER.Unknown")
CLOSING_SHOWN = 5


class Judged(NamedTuple):
    """What was seen, what could have been, and who else could have said it."""

    seen: Mapping[CanonicalLabel, int]
    reaches: Mapping[CanonicalLabel, Reach]
    others: Mapping[Able, frozenset[CanonicalLabel]]

    def missing(self, labels: Iterable[CanonicalLabel]) -> tuple[CanonicalLabel, ...]:
        """Those of *labels* that nobody judged and nobody saw."""
        return tuple(i for i in labels if self.reaches.get(i) in ("broader", "none") and i not in self.seen)

    def closing(self, labels: Iterable[CanonicalLabel]) -> tuple[ClosingDetector, ...]:
        """The detectors that report some of *labels*, most first, each in the versions that report most of them."""
        wanted = frozenset(labels)
        best: dict[DetectorId, ClosingDetector] = {}
        for (detector, versions), can in self.others.items():
            count = len(wanted & can)
            if count and (detector not in best or count > best[detector].labels):
                best[detector] = ClosingDetector(detector=detector, versions=versions, labels=count)
        return tuple(sorted(best.values(), key=lambda each: (-each.labels, each.detector)))


def gaps(request: GapsRequest, frameworks: Frameworks, taxonomy: Taxonomy, speakers: Speakers) -> GapsResponse:
    """Set what ran and what was seen against the controls of each framework.

    Raises:
        InvalidRequest: a framework is named that is not known.
    """
    chosen = frameworks.all if request.frameworks is None else frameworks.named(request.frameworks)
    can = {ran: speakers.labels(ran) for ran in dict.fromkeys(request.detectors)}
    reported = frozenset[CanonicalLabel]().union(*(labels for labels in can.values() if labels))
    known = [label.name for label in taxonomy.labels if label.name not in NO_FINDING]
    seen: Counter[CanonicalLabel] = Counter()
    for each in request.seen:
        seen[each.label] += each.findings
    ran = {name for each in can for name in _names(each.detector, speakers)}
    judged = Judged(
        seen=seen,
        reaches={label: reach(label, reported) for label in known},
        others={able: labels for able, labels in speakers.could_run.items() if able[0] not in ran},
    )
    counts = Counter(judged.reaches.values())
    return GapsResponse(
        period=request.period,
        taxonomy_version=taxonomy.version,
        frameworks_version=frameworks.version,
        detectors_version=speakers.version,
        detectors=tuple(
            DetectorReach(detector=r.detector, version=r.version, known=labels is not None, labels=len(labels or ()))
            for r, labels in can.items()
        ),
        labels=LabelReach(
            itself=counts["itself"], narrower=counts["narrower"], broader=counts["broader"], none=counts["none"]
        ),
        not_judged=tuple(_label_gap(label, judged) for label in judged.missing(known)),
        unexpected=tuple(i for i in known if i in seen and judged.reaches[i] in ("broader", "none")),
        unknown=tuple(sorted(i for i in seen if i not in taxonomy)),
        frameworks=tuple(_framework(framework, judged, taxonomy) for framework in chosen),
    )


def _names(detector: str, speakers: Speakers) -> set[str]:
    """A detector that ran under an alias is not offered again under its own name."""
    return {detector, *(speaker.detector for speaker in speakers.by_name.get(detector, ()))}


def _label_gap(label: CanonicalLabel, judged: Judged) -> LabelGap:
    how = judged.reaches[label]
    able = {detector for (detector, _), can in judged.others.items() if label in can}
    return LabelGap(label=label, reach="broader" if how == "broader" else "none", reported_by=len(able))


def _framework(framework: Framework, judged: Judged, taxonomy: Taxonomy) -> FrameworkGaps:
    touching: dict[str, list[CanonicalLabel]] = {control.id: [] for control in framework.controls}
    for label in taxonomy.labels:
        entry = framework.entry(label.name)
        for touch in entry.controls if entry else ():
            touching[touch.id].append(label.name)
    controls = tuple(_control(control, touching[control.id], judged) for control in framework.controls)
    stands = Counter(control.standing for control in controls)
    return FrameworkGaps(
        framework=framework.framework,
        name=framework.name,
        edition=framework.edition,
        version=framework.version,
        standings=Standings(
            evidence=stands["evidence"],
            watched=stands["watched"],
            broader_only=stands["broader_only"],
            not_judged=stands["not_judged"],
        ),
        controls=controls,
        seen_without_control=framework.result(sorted(judged.seen)).no_fitting_control,
        close_with=_steps({c.control: touching[c.control] for c in controls if _open(c)}, judged),
    )


def _open(control: ControlGap) -> bool:
    return control.standing in ("broader_only", "not_judged")


def _control(control: Control, labels: Sequence[CanonicalLabel], judged: Judged) -> ControlGap:
    missing = judged.missing(labels)
    closing = judged.closing(missing)
    hits = tuple(LabelSeen(label=label, findings=judged.seen[label]) for label in labels if label in judged.seen)
    return ControlGap(
        control=control.id,
        title=control.title,
        standing=_standing(labels, judged),
        seen=hits,
        labels=len(labels),
        judged=len(labels) - len(missing),
        not_judged=missing,
        closed_by=closing[:CLOSING_SHOWN],
        closed_by_total=len(closing),
    )


def _standing(labels: Sequence[CanonicalLabel], judged: Judged) -> Standing:
    if any(label in judged.seen for label in labels):
        return "evidence"
    reaches = {judged.reaches.get(label, "none") for label in labels}
    if reaches & {"itself", "narrower"}:
        return "watched"
    return "broader_only" if "broader" in reaches else "not_judged"


def _steps(wanting: Mapping[str, Sequence[CanonicalLabel]], judged: Judged) -> tuple[ClosingStep, ...]:
    """Few detectors that together open every control that can be opened: the one that opens most first, ties by name.

    Greedy set cover: at most about ln n times the smallest number (Chvátal 1979).
    """
    left = {control: frozenset(labels) for control, labels in wanting.items()}
    steps: list[ClosingStep] = []
    while left:
        opened = {able: [c for c, labels in left.items() if labels & can] for able, can in judged.others.items()}
        best = min(opened, key=lambda able: (-len(opened[able]), able), default=None)
        if best is None or not opened[best]:
            break
        steps.append(ClosingStep(detector=best[0], versions=best[1], controls=len(opened[best])))
        left = {control: labels for control, labels in left.items() if control not in opened[best]}
    return tuple(steps)
