"""Mapping by rule: certain, instant, and what answers when the model is down."""

from llama_mapper.contracts.mapping import MappedLabel, Relation, VendorFinding
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE

from .resolution import Resolution
from .vocabulary import Reading, Rule, Vocabularies, Vocabulary

# How far a rule is trusted: the map was curated by hand, the vendor's list was read more or less directly.
READING_CONFIDENCE: dict[Reading, float] = {"parsed": 0.99, "public-file": 0.97, "unverified": 0.9}
# One of several narrower or merely related targets applies less often than not at all surely.
PARTIAL_CONFIDENCE = 0.75


class Rules:
    def __init__(self, vocabularies: Vocabularies, taxonomy: Taxonomy) -> None:
        self._vocabularies = vocabularies
        self._taxonomy = taxonomy

    def resolve(self, finding: VendorFinding) -> Resolution | None:
        """Return what the curated map says, or None where no map knows the label."""
        vocabulary = self._vocabularies.find(finding.detector, finding.detector_version)
        rule = self._vocabularies.rule(vocabulary, finding.label) if vocabulary else None
        if vocabulary and rule:
            return self._by_rule(finding, vocabulary, rule)
        if finding.label in self._taxonomy:  # a producer that already speaks the taxonomy
            label = self._taxonomy[finding.label]
            mapped = MappedLabel(label=label.name, relation="exact", confidence=1.0, severity=label.severity)
            negative = self._taxonomy.is_within(NEGATIVE, label.name)
            return Resolution(labels=(mapped,), method="rule", negative=negative, vocabulary="taxonomy")
        return None

    def _by_rule(self, finding: VendorFinding, vocabulary: Vocabulary, rule: Rule) -> Resolution:
        trust = READING_CONFIDENCE[vocabulary.source.read]
        graded = None
        if vocabulary.severity and finding.severity is not None:
            graded = vocabulary.severity.grade(finding.severity)
        if rule.negative or (graded and graded[1]):
            nothing = MappedLabel(label=NEGATIVE, relation="exact", confidence=trust, severity=0)
            return Resolution(labels=(nothing,), method="rule", negative=True, vocabulary=vocabulary.id)
        labels = tuple(
            MappedLabel(
                label=target.label,
                relation=target.relation,
                confidence=round(trust * _fit(target.relation), 4),
                severity=graded[0] if graded else self._taxonomy[target.label].severity,
            )
            for target in rule.targets
        )
        return Resolution(labels=labels, method="rule", vocabulary=vocabulary.id)


def _fit(relation: Relation) -> float:
    return 1.0 if relation in ("exact", "broader") else PARTIAL_CONFIDENCE
