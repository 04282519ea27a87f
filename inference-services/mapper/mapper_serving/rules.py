"""Mapping by rule: certain, instant, and what answers when the model is down."""

from llama_mapper.contracts.mapping import MappedLabel, Relation, VendorFinding
from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.reviews import Decision, ReviewedLabel
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE, UNKNOWN

from .resolution import Resolution
from .vocabulary import Reading, Rule, Target, Vocabularies, Vocabulary

# How far a rule is trusted: the map was curated by hand, the vendor's list was read more or less directly; or a person
# decided one label, knowing no more than its words.
READING_CONFIDENCE: dict[Reading, float] = {"parsed": 0.99, "public-file": 0.97, "unverified": 0.9, "reviewed": 0.97}
# One of several narrower or merely related targets applies less often than not at all surely.
PARTIAL_CONFIDENCE = 0.75


class Rules:
    def __init__(self, vocabularies: Vocabularies, taxonomy: Taxonomy) -> None:
        self._vocabularies = vocabularies
        self._taxonomy = taxonomy

    def resolve(self, finding: VendorFinding) -> Resolution | None:
        """Return what the curated map says, or None where no map knows the label."""
        if found := self._vocabularies.lookup(finding.detector, finding.detector_version, finding.label):
            vocabulary, rule = found
            return self._by_rule(finding, rule, vocabulary, vocabulary.id, READING_CONFIDENCE[vocabulary.source.read])
        if finding.label in self._taxonomy:  # a producer that already speaks the taxonomy
            label = self._taxonomy[finding.label]
            mapped = MappedLabel(label=label.name, relation="exact", confidence=1.0, severity=label.severity)
            negative = self._taxonomy.is_within(NEGATIVE, label.name)
            return Resolution(labels=(mapped,), method="rule", negative=negative, vocabulary="taxonomy")
        return None

    def reviewed(self, finding: VendorFinding, decision: Decision) -> Resolution | None:
        """Return what a person decided that *finding*'s label means; None where the taxonomy has lost a label of it.

        A label without a home is ``OTHER.Unknown`` at confidence 0: it is known that nothing can be claimed.
        """
        name = f"reviewed:{finding.detector}"
        if decision.decision == "reject":
            nowhere = MappedLabel(label=UNKNOWN, relation="broader", confidence=0.0, severity=1)
            return Resolution(labels=(nowhere,), method="rule", vocabulary=name)
        if any(said.label not in self._taxonomy for said in decision.labels):
            return None
        scale = self._vocabularies.find(finding.detector, finding.detector_version)
        return self._by_rule(finding, rule_of(decision), scale, name, READING_CONFIDENCE["reviewed"])

    def check(self, labels: tuple[ReviewedLabel, ...]) -> None:
        """See to it that a vendor's label can mean *labels*.

        Raises:
            InvalidRequest: one is not in the taxonomy, is no meaning, or goes with no other.
        """
        for place, said in enumerate(labels):
            if said.label not in self._taxonomy or said.label == UNKNOWN:
                raise _wrong(f"labels.{place}.label", f"no meaning in taxonomy {self._taxonomy.version}")
            if self._taxonomy.is_within(NEGATIVE, said.label) and labels != (ReviewedLabel(label=NEGATIVE),):
                raise _wrong(f"labels.{place}", f"nothing found is {NEGATIVE} alone, exact")

    def _by_rule(
        self, finding: VendorFinding, rule: Rule, vocabulary: Vocabulary | None, name: str, trust: float
    ) -> Resolution:
        """Apply *rule* with the severity scale of *vocabulary*; provenance says *name*."""
        graded = None
        if vocabulary and vocabulary.severity and finding.severity is not None:
            graded = vocabulary.severity.grade(finding.severity)
        if rule.negative or (graded and graded[1]):
            nothing = MappedLabel(label=NEGATIVE, relation="exact", confidence=trust, severity=0)
            return Resolution(labels=(nothing,), method="rule", negative=True, vocabulary=name)
        labels = tuple(
            MappedLabel(
                label=target.label,
                relation=target.relation,
                confidence=round(trust * _fit(target.relation), 4),
                severity=graded[0] if graded else self._taxonomy[target.label].severity,
            )
            for target in rule.targets
        )
        return Resolution(labels=labels, method="rule", vocabulary=name)


def rule_of(decision: Decision) -> Rule:
    """What a vocabulary would say of a label that was accepted."""
    if [said.label for said in decision.labels] == [NEGATIVE]:
        return Rule(negative=True)
    return Rule(targets=tuple(Target(label=said.label, relation=said.relation) for said in decision.labels))


def _wrong(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"check: {field}", errors=(FieldError(field=field, message=message),))


def _fit(relation: Relation) -> float:
    return 1.0 if relation in ("exact", "broader") else PARTIAL_CONFIDENCE
