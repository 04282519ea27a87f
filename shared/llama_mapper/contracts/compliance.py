"""analyze: POST /api/v1/compliance/gaps, which controls have evidence, which have none, and who would close the gap."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, StringConstraints

from .analysis import NoControl
from .identifiers import AnyCanonicalLabel, AnyDetectorId, AnyFrameworkId
from .wire import Number, Prose, Token, Wire

Day = Annotated[str, StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
ControlName = Annotated[str, StringConstraints(min_length=1, max_length=40)]
VersionPattern = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127})$")]
"""A version and all below it (``2`` is also 2.4), or ``*`` for any."""

Count = Annotated[int, Number, Field(ge=1, le=1_000_000_000)]

Reach = Literal["itself", "narrower", "broader", "none"]
"""What the detectors that ran can say of a label: it itself, only labels below it, only labels above it, nothing."""

Standing = Literal["evidence", "watched", "broader_only", "not_judged"]
"""How a control stands, best first: a label that touches it was seen; none was seen, but could have been; a detector
would have said it only in a broader word; no detector that ran can report any of its labels."""


class DetectorRan(Wire):
    """A detector that ran over the traffic in question."""

    detector: AnyDetectorId
    version: Token | None = Field(default=None, description="Unless said: only what all its known versions can report")


class LabelSeen(Wire):
    label: AnyCanonicalLabel
    findings: Count = 1


class Period(Wire):
    """The days that were counted; said again in the answer, not looked up."""

    first: Day
    days: Annotated[int, Number, Field(ge=1, le=3660)]


class GapsRequest(Wire):
    """Who ran and what was seen. A label may stand more than once; its findings are added."""

    detectors: tuple[DetectorRan, ...] = Field(max_length=200)
    seen: tuple[LabelSeen, ...] = Field(default=(), max_length=1000)
    period: Period | None = None
    frameworks: tuple[AnyFrameworkId, ...] | None = Field(
        default=None, max_length=32, description="All known ones unless named"
    )


class DetectorReach(Wire):
    """How many labels a detector can report; none where no vocabulary knows it or the version."""

    detector: AnyDetectorId
    version: Token | None
    known: bool
    labels: NonNegativeInt


class LabelGap(Wire):
    """A label not judged: only in a broader word, or by nobody. ``reported_by`` counts the detectors that could."""

    label: AnyCanonicalLabel
    reach: Literal["broader", "none"]
    reported_by: NonNegativeInt


class ClosingDetector(Wire):
    """A detector that did not run; the versions named report ``labels`` of the labels that nobody judged."""

    detector: AnyDetectorId
    versions: tuple[VersionPattern, ...]
    labels: NonNegativeInt


class ControlGap(Wire):
    """One control: what was seen of it, how many of its labels were judged, and who could judge the rest."""

    control: ControlName
    title: Prose
    standing: Standing
    seen: tuple[LabelSeen, ...]
    labels: NonNegativeInt
    judged: NonNegativeInt
    not_judged: tuple[AnyCanonicalLabel, ...]
    closed_by: tuple[ClosingDetector, ...] = Field(description="The five that report most of the labels not judged")
    closed_by_total: NonNegativeInt


class Standings(Wire):
    """How many controls stand how."""

    evidence: NonNegativeInt
    watched: NonNegativeInt
    broader_only: NonNegativeInt
    not_judged: NonNegativeInt


class ClosingStep(Wire):
    """The next detector to add, in which versions, and how many controls without a judged label it opens."""

    detector: AnyDetectorId
    versions: tuple[VersionPattern, ...]
    controls: NonNegativeInt


class FrameworkGaps(Wire):
    framework: AnyFrameworkId
    name: Prose
    edition: Prose
    version: Token
    standings: Standings
    controls: tuple[ControlGap, ...]
    seen_without_control: tuple[NoControl, ...]
    close_with: tuple[ClosingStep, ...]


class LabelReach(Wire):
    """How many labels of the taxonomy the detectors that ran can report, and how."""

    itself: NonNegativeInt
    narrower: NonNegativeInt
    broader: NonNegativeInt
    none: NonNegativeInt


class GapsResponse(Wire):
    """The same request under the same versions gives the same answer."""

    period: Period | None
    taxonomy_version: Token
    frameworks_version: Token
    detectors_version: Token
    detectors: tuple[DetectorReach, ...]
    labels: LabelReach
    not_judged: tuple[LabelGap, ...]
    unexpected: tuple[AnyCanonicalLabel, ...] = Field(
        description="Seen, though no detector that ran is known to report it"
    )
    unknown: tuple[AnyCanonicalLabel, ...] = Field(description="Seen, but no label of this taxonomy")
    frameworks: tuple[FrameworkGaps, ...]
