"""The review queue: labels that a person should look at, and what people said they mean."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, StringConstraints, model_validator

from .identifiers import AnyCanonicalLabel, AnyDetectorId
from .mapping import DetectorKind, Relation
from .models import Actor
from .prompt import MAX_CANDIDATES
from .wire import Confidence, Token, VendorDescription, VendorLabel, Wire

MAX_LABELS = 8

ReviewId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""The label's identity (detector, version, label, description), hashed: the same whenever and for whom it comes."""

Doubt = Literal["below_threshold", "unknown", "model_away"]
"""Why a label waits: what was said of it was not sure enough; nothing knows it; the model was not asked in the end,
because it did not answer or because the tenant's budget is spent."""

Scope = Literal["tenant", "platform"]
"""Whom a decision is for: the tenant that made it, or every tenant that has none of its own."""

ReviewState = Literal["waiting", "accepted", "rejected"]


class Candidate(Wire):
    """A canonical label that might be meant. ``relation`` as the model said it, of the best candidate alone."""

    label: AnyCanonicalLabel
    confidence: Confidence
    relation: Relation | None = None


class ReviewedLabel(Wire):
    label: AnyCanonicalLabel
    relation: Relation = "exact"


class ReviewRequest(Wire):
    """POST /api/v1/reviews/{id}. To accept says what the label means; to reject says that no canonical label fits."""

    decision: Literal["accept", "reject"]
    labels: tuple[ReviewedLabel, ...] = Field(default=(), max_length=MAX_LABELS)
    by: Actor
    note: VendorDescription | None = Field(default=None, description="Why, in a line; kept with the rule")
    scope: Scope = "tenant"

    @model_validator(mode="after")
    def _labels_fit_the_decision(self) -> "ReviewRequest":
        if (self.decision == "accept") != bool(self.labels):
            raise ValueError("accepting needs labels, rejecting has none")
        if len({said.label for said in self.labels}) < len(self.labels):
            raise ValueError("a label stands twice")
        return self


class Decision(ReviewRequest):
    """What a person said, and when."""

    at: AwareDatetime


class ReviewItem(Wire):
    """One vendor label: how often it came before it was decided, why nobody was sure, and what it might be.

    ``candidates`` stand best first; the best one's confidence is calibrated, the others' are read off the same way.
    ``adapter`` is the version that was in doubt.
    """

    id: ReviewId
    detector: AnyDetectorId
    detector_version: Token
    label: VendorLabel
    description: VendorDescription | None = None
    kind: DetectorKind | None = None
    count: NonNegativeInt
    reason: Doubt
    candidates: tuple[Candidate, ...] = Field(default=(), max_length=MAX_CANDIDATES)
    adapter: Token | None = None
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    decision: Decision | None = None
