"""Give a content back without the personal data and secrets that were found in it.

Presidio's anonymizer replaces; before that, findings that overlap are united here into one stretch. Presidio would trim
one of them, so that a value fell into two tokens, and takes time that grows with the square of their number.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from llama_mapper.contracts.events import DetectorRun
from llama_mapper.contracts.identifiers import AnyCanonicalLabel, CanonicalLabel, TenantId
from llama_mapper.contracts.mapping import Mapping, VendorFinding
from llama_mapper.contracts.orchestration import Coverage, Decision, OrchestrateRequest
from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.redaction import Redaction, RedactionOperator
from llama_mapper.contracts.wire import Confidence, Wire

from ..ports import Policy, RedactionRule
from .tokens import Hashes, Tokens

if TYPE_CHECKING:
    from presidio_anonymizer import AnonymizerEngine

MASK = "*"


class Place(Wire):
    """Where a label was found, without a place where a detector judged the whole; no content.

    All that was said counts, with what lost a conflict: its span may be the longer one.
    """

    label: AnyCanonicalLabel
    confidence: Confidence
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters [start, end) that are replaced as one; the label is the surest finding's."""

    start: int
    end: int
    label: CanonicalLabel


def places(pairs: Iterable[tuple[VendorFinding, Mapping]]) -> tuple[Place, ...]:
    """Return every place of every label, each once, with the highest confidence.

    What nobody could map may be anything: where the mapper did not answer, what a detector said counts as certain.
    """
    best: dict[tuple[CanonicalLabel, int | None, int | None], float] = {}
    for finding, mapping in pairs:
        if mapping.negative:
            continue
        score = 1.0 if finding.score is None else finding.score
        for label in mapping.labels:
            confidence = 1.0 if mapping.method == "fallback" else label.confidence * score
            start, end = (finding.span.start, finding.span.end) if finding.span else (None, None)
            key = (label.label, start, end)
            best[key] = max(confidence, best.get(key, 0.0))
    return tuple(Place(label=k[0], start=k[1], end=k[2], confidence=round(c, 4)) for k, c in best.items())


def sensitive(found: Iterable[Place], rule: RedactionRule) -> list[Place]:
    """Those the policy wants replaced; where a label is sure in one place, it is replaced in all."""
    wanted = [place for place in found if any(_within(place.label, label) for label in rule.labels)]
    sure = {place.label for place in wanted if place.confidence >= rule.min_confidence}
    return [place for place in wanted if place.label in sure]


def stretches(found: Iterable[Place], length: int) -> tuple[list[Stretch], list[CanonicalLabel]]:
    """Unite what overlaps; return it in order, and the labels that have a place outside a text of *length* or none."""
    located, lost = [], set()
    for place in found:
        if place.start is None or place.end is None or place.end > length:
            lost.add(place.label)
        else:
            located.append((place.start, place.end, place.confidence, place.label))
    united: list[tuple[int, int, float, CanonicalLabel]] = []
    for start, end, confidence, label in sorted(located, key=lambda one: (one[0], -one[1], -one[2], one[3])):
        if united and start < united[-1][1]:
            before = united[-1]
            surest = before[3] if before[2] >= confidence else label
            united[-1] = (before[0], max(before[1], end), max(before[2], confidence), surest)
        else:
            united.append((start, end, confidence, label))
    return [Stretch(start, end, label) for start, end, _, label in united], sorted(lost)


class Judged(Protocol):
    """What a redaction needs of a judgement."""

    @property
    def places(self) -> Sequence[Place]: ...

    @property
    def decision(self) -> Decision: ...

    @property
    def coverage(self) -> Coverage: ...

    @property
    def runs(self) -> Sequence[DetectorRun]: ...


def whole(judged: Judged) -> bool:
    """Whether each detector that ran or had to run answered: what one of them alone knows is there all the same."""
    return not judged.coverage.missing and all(run.status == "ok" for run in judged.runs)


class Redactor:
    """The operators there are keys for."""

    def __init__(self, hashes: Hashes | None = None, tokens: Tokens | None = None) -> None:
        self._hashes = hashes
        self.tokens = tokens
        self._engine: AnonymizerEngine | None = None

    async def permitted(self, operator: RedactionOperator | None, policy: Policy, tenant_id: TenantId) -> None:
        """Refuse what will not be given.

        Raises:
            InsufficientRbac: the tenant may not.
            InvalidRequest: the installation has no key for *operator*.
        """
        if operator is not None:
            await policy.redact(tenant_id, operator, ())
            self._check(operator)

    async def answer(
        self, request: OrchestrateRequest, policy: Policy, judged: Judged, tenant_id: TenantId
    ) -> Redaction | None:
        """Redact the content of *request* as it asks, or as the policy does; None where neither does.

        In a thread: a long text with many findings takes a while, and the first one loads the library.
        """
        if request.redaction is None and not judged.decision.obligations:
            return None  # the policy redacts unasked only where it obliges to something: one question less
        rule = await policy.redact(tenant_id, request.redaction, judged.decision.obligations)
        if rule.operator is None:
            return None
        found = sensitive(judged.places, rule)
        return await asyncio.to_thread(self.redact, request.content, found, rule.operator, tenant_id, whole(judged))

    def _check(self, operator: RedactionOperator) -> None:
        missing = {"hash": self._hashes is None, "token": self.tokens is None}
        if missing.get(operator):
            message = f"this installation has no key for {operator}; ask for mask"
            raise InvalidRequest("check: redaction", errors=(FieldError(field="redaction", message=message),))

    def redact(
        self, text: str, found: Sequence[Place], operator: RedactionOperator, tenant_id: TenantId, seen: bool
    ) -> Redaction:
        """Replace *found* in *text*; *seen* says whether all that had to look at it did."""
        self._check(operator)
        replaced, lost = stretches(found, len(text))
        return Redaction(
            operator=operator,
            content=self.replace(text, replaced, operator, tenant_id),
            replaced=len(replaced),
            complete=seen and not lost,
            without_span=tuple(lost),
        )

    def replace(self, text: str, replaced: Sequence[Stretch], operator: RedactionOperator, tenant_id: TenantId) -> str:
        """*replaced* are in order and do not overlap."""
        from presidio_anonymizer.entities import OperatorConfig, RecognizerResult

        if not replaced:
            return text
        found = [RecognizerResult(one.label, one.start, one.end, 1.0) for one in replaced]
        operators = {
            str(one.label): OperatorConfig("custom", {"lambda": self._written(operator, one.label, tenant_id)})
            for one in replaced
        }
        # Not merged over spaces: a space between two names was not found, and stays.
        result = self._anonymizer().anonymize(text, found, operators, merge_entities_with_spaces=False)
        return str(result.text)

    def _written(self, operator: RedactionOperator, label: CanonicalLabel, tenant_id: TenantId) -> Callable[[str], str]:
        if operator == "hash" and self._hashes:
            sign = self._hashes.of(tenant_id)
        elif operator == "token" and self.tokens:
            sign = self.tokens.of(tenant_id)
        else:  # as many characters as before: the findings' spans still fit
            return lambda value: MASK * len(value)
        return lambda value: f"<{label}:{sign(value)}>"

    def _anonymizer(self) -> "AnonymizerEngine":
        if self._engine is None:
            from presidio_anonymizer import AnonymizerEngine

            self._engine = AnonymizerEngine()  # type: ignore[no-untyped-call]
        return self._engine


def _within(label: str, ancestor: str) -> bool:
    return label == ancestor or label.startswith(ancestor + ".")
