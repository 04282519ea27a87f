"""Labels that wait for a person, decisions about them, and a clock that goes on by a second at each look."""

from datetime import UTC, datetime, timedelta
from typing import Any

from llama_mapper.contracts.identifiers import CanonicalLabel, TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.reviews import Candidate, Decision, ReviewItem
from mapper_serving.reviews import Doubted, noted

DEMO, ACME = TenantId("demo"), TenantId("acme")
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def candidates(*labels: str) -> tuple[Candidate, ...]:
    """*labels*, each half as likely as the one before; the model called the first one broader."""
    return tuple(
        Candidate(label=CanonicalLabel(label), confidence=0.5**place / 2, relation=None if place else "broader")
        for place, label in enumerate(labels)
    )


UNSURE = Doubted("below_threshold", candidates("PII.Contact.Email", "PII.Contact"), "lora.1")


def decision(*labels: str, relation: str = "exact", **changes: Any) -> Decision:
    """To accept *labels*; without any, that nothing fits."""
    plain = {
        "decision": "accept" if labels else "reject",
        "labels": [{"label": label, "relation": relation} for label in labels],
        "by": "ada",
        "at": AT,
    }
    return Decision.model_validate(plain | changes)


def decided(finding: VendorFinding, *labels: str, doubted: Doubted = UNSURE, **changes: Any) -> ReviewItem:
    return noted(finding, doubted, AT).model_copy(update={"decision": decision(*labels, **changes)})


class TickingClock:
    def __init__(self) -> None:
        self._looks = 0

    def __call__(self) -> datetime:
        self._looks += 1
        return AT + timedelta(seconds=self._looks)
