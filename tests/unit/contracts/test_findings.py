"""merge() gives one answer for the same mappings, in whatever order and however often they come."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.findings import MAX_SPANS, merge
from llama_mapper.contracts.identifiers import CanonicalLabel, DetectorId
from llama_mapper.contracts.mapping import MappedLabel, Mapping, Provenance, VendorFinding, Versions

Pair = tuple[VendorFinding, Mapping]

CANONICAL = ("PII.Contact.Email", "HARM.Hate", "OTHER.Unknown")
spans = st.builds(lambda start, size: Span(start=start, end=start + size), st.integers(0, 50), st.integers(1, 9))
labels = st.builds(
    MappedLabel,
    label=st.sampled_from(CANONICAL).map(CanonicalLabel),
    relation=st.sampled_from(["exact", "broader", "related"]),
    confidence=st.sampled_from([0.0, 0.25, 0.5, 0.99, 1.0]),
    severity=st.integers(0, 4),
)
findings = st.builds(
    VendorFinding,
    detector=st.sampled_from(["presidio", "tox-block"]).map(DetectorId),
    detector_version=st.sampled_from(["1", "2"]),
    label=st.sampled_from(["EMAIL", "hate"]),
    score=st.none() | st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    span=st.none() | spans,
)


def mapping(
    finding: VendorFinding, mapped: tuple[MappedLabel, ...], method: str = "rule", *, negative: bool = False
) -> Mapping:
    return Mapping.model_validate(
        {
            "labels": mapped,
            "method": method,
            "negative": negative,
            "provenance": Provenance(
                vendor=finding.detector,
                detector=finding.detector,
                detector_version=finding.detector_version,
                vendor_label=finding.label,
            ),
            "versions": Versions(taxonomy="2026.11", mapper="1"),
        }
    )


pairs = st.builds(
    lambda finding, mapped, method, negative: (finding, mapping(finding, tuple(mapped), method, negative=negative)),
    findings,
    st.lists(labels, min_size=1, max_size=3),
    st.sampled_from(["rule", "cache", "model"]),
    st.sampled_from([False, False, False, True]),
)
many = st.lists(pairs, max_size=8)


def pair(
    canonical: str = "PII.Contact.Email",
    *,
    score: float | None = None,
    confidence: float = 1.0,
    severity: int = 2,
    negative: bool = False,
    span: Span | None = None,
    word: str = "EMAIL",
) -> Pair:
    finding = VendorFinding(detector=DetectorId("presidio"), label=word, score=score, span=span)
    label = MappedLabel(label=CanonicalLabel(canonical), relation="exact", confidence=confidence, severity=severity)
    return finding, mapping(finding, (label,), negative=negative)


@given(many, st.randoms())
def test_the_order_does_not_matter(mapped: list[Pair], random: Random) -> None:
    shuffled = list(mapped)
    random.shuffle(shuffled)
    assert merge(shuffled) == merge(mapped)


@given(many)
def test_what_is_said_twice_counts_once(mapped: list[Pair]) -> None:
    assert merge(mapped + mapped) == merge(mapped)


@given(many)
def test_a_label_stands_once_and_the_worst_comes_first(mapped: list[Pair]) -> None:
    merged = merge(mapped)
    ranks = [(-finding.severity, -finding.confidence, finding.label) for finding in merged]
    assert len({finding.label for finding in merged}) == len(merged)
    assert ranks == sorted(ranks)


@given(many)
def test_no_span_is_lost_or_made_up(mapped: list[Pair]) -> None:
    positive = [(f, m) for f, m in mapped if not m.negative]
    for finding in merge(mapped):
        said = {f.span for f, m in positive if f.span and finding.label in {label.label for label in m.labels}}
        assert set(finding.spans) == said


def test_negatives_are_left_out() -> None:
    assert merge([pair(negative=True)]) == ()


def test_nothing_makes_nothing() -> None:
    assert merge([]) == ()


def test_confidence_is_the_highest_product_and_severity_the_highest() -> None:
    (merged,) = merge([pair(score=0.5, confidence=0.9, severity=4), pair(score=0.9, confidence=0.6, severity=1)])
    assert (merged.confidence, merged.severity) == (0.54, 4)


def test_a_detector_without_a_score_is_taken_at_its_word() -> None:
    (merged,) = merge([pair(score=None, confidence=0.9), pair(score=0.2, confidence=0.9)])
    assert (merged.confidence, merged.sources[0].score) == (0.9, 1.0)


def test_two_words_of_a_detector_are_two_sources() -> None:
    (merged,) = merge([pair(word="EMAIL"), pair(word="E_MAIL")])
    assert [source.vendor_label for source in merged.sources] == ["EMAIL", "E_MAIL"]


def test_spans_are_cut_where_the_contract_ends() -> None:
    (merged,) = merge([pair(span=Span(start=i, end=i + 1)) for i in range(MAX_SPANS + 5)])
    assert len(merged.spans) == MAX_SPANS
    assert merged.spans[0] == Span(start=0, end=1)
