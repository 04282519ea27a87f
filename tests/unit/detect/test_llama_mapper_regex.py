import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.detect.detectors.llama_mapper_regex import RULES, RegexDetector

DETECTOR = RegexDetector()


def found(text: str) -> list[tuple[str, str]]:
    spans = [(d.label, d.span) for d in DETECTOR.detect(text) if d.span]
    return [(label, text[span.start : span.end]) for label, span in sorted(spans, key=lambda pair: pair[1].start)]


HITS = [
    ("EMAIL", "write to bob.o'neil+x@mail.ex-ample.co.uk.", "bob.o'neil+x@mail.ex-ample.co.uk"),
    ("IBAN", "to GB82 WEST 1234 5698 7654 32 TODAY", "GB82 WEST 1234 5698 7654 32"),
    ("IBAN", "iban: de89370400440532013000", "de89370400440532013000"),
    ("CREDIT_CARD", "paid with 4111-1111-1111-1111.", "4111-1111-1111-1111"),
    ("CREDIT_CARD", "amex 3782 822463 10005", "3782 822463 10005"),
    ("CVV", "its CVV is 123.", "123"),
    ("CVV", "security code: 9876", "9876"),
    ("US_SSN", "he is 536-90-4399", "536-90-4399"),
    ("US_SSN", "SSN 536904399", "536904399"),
    ("US_ITIN", "her ITIN: 912903456", "912903456"),
    ("US_ITIN", "912-90-3456", "912-90-3456"),
    ("US_ROUTING_NUMBER", "routing number 021000021", "021000021"),
    ("UK_NINO", "NI AB 12 34 56 C please", "AB 12 34 56 C"),
    ("UK_NHS", "NHS number is 943 476 5919", "943 476 5919"),
    ("BITCOIN_ADDRESS", "send to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("PASSPORT", "passport no. X1234567", "X1234567"),
    ("PASSPORT", "Passport: 123456789", "123456789"),
    ("DATE_OF_BIRTH", "born on 12 March 1980", "12 March 1980"),
    ("DATE_OF_BIRTH", "DOB: 1980-03-12", "1980-03-12"),
    ("DATE_OF_BIRTH", "date of birth Mar 3rd, 1980", "Mar 3rd, 1980"),
    ("IPV4", "from 192.168.0.1, twice", "192.168.0.1"),
    ("IPV6", "host 2001:db8::ff00:42:8329 is up", "2001:db8::ff00:42:8329"),
    ("IPV6", "at fe80::1", "fe80::1"),
    ("MAC", "nic 00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
    ("MAC", "nic 001a.2b3c.4d5e", "001a.2b3c.4d5e"),
    ("PHONE", "ring +44 20 7946 0958", "+44 20 7946 0958"),
    ("PHONE", "ring (212) 555-0199", "(212) 555-0199"),
    ("PHONE", "ring 212-555-0199 x12", "212-555-0199 x12"),
    ("PHONE", "call me: 555 01 99", "555 01 99"),
    (
        "STREET_ADDRESS",
        "at 742 Evergreen Terrace, Springfield, IL 62704",
        "742 Evergreen Terrace, Springfield, IL 62704",
    ),
    ("STREET_ADDRESS", "in 10 N. Main St., Apt 4B", "10 N. Main St., Apt 4B"),
]

NEAR_MISSES = [
    "icon@2x.png",
    "user@localhost",
    "a..b@example.com",
    "me@-bad.com",
    "GB82 WEST 1234 5698 7654 33",
    "GB82WEST123456987654321",
    "4111 1111 1111 1112",
    "9111111111111116",
    "4111-1111 1111-1111",
    "order 123 of the cvvs",
    "the security code of conduct from 2019 says",
    "078-05-1120",
    "666-12-3456",
    "536-90 4399",
    "1536-90-4399",
    "SSN 000123456",
    "536904399",
    "itin 812903456",
    "routing number 021000022",
    "021000021",
    "GB123456A",
    "AB123456E",
    "nhs 9434765918",
    "943476 5919 apples",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "X1234567",
    "passport photos cost 12 pounds",
    "on 12 March 1980 it rained",
    "the band was born in 1980",
    "born 99/99/1980",
    "v1.2.3.4",
    "version 1.2.3.4",
    "1.2.3.4.5",
    "256.1.1.1",
    "std::cout << a::b",
    "12:30:45",
    "ff:ff:ff:ff:ff:ff",
    "00:1A:2B:3C:4D",
    "tel. 12",
    "112-555-0199",
    "5 Main points",
    "in 2019 The Street was renamed",
]


@pytest.mark.parametrize(("label", "text", "value"), HITS, ids=lambda v: None)
def test_it_is_found_with_its_span(label: str, text: str, value: str) -> None:
    assert found(text) == [(label, value)]


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert found(text) == []


def test_every_rule_has_a_hit_in_the_table() -> None:
    assert {rule.label for rule in RULES} == {label for label, _, _ in HITS}


def test_of_two_findings_on_one_place_the_surer_stays() -> None:
    assert found("phone 4111 1111 1111 1111") == [("CREDIT_CARD", "4111 1111 1111 1111")]


@given(st.text(max_size=300))
def test_spans_lie_in_the_text_and_never_overlap(text: str) -> None:
    spans = sorted((d.span.start, d.span.end) for d in DETECTOR.detect(text) if d.span)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
