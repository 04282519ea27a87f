import pytest

from .conftest import Found

DETECTOR = "presidio"


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("PERSON", "My name is John Smith and I am late.", "John Smith"),
        ("EMAIL_ADDRESS", "Write to jo.doe@example.com today.", "jo.doe@example.com"),
        ("IBAN_CODE", "Pay to GB82WEST12345698765432 please.", "GB82WEST12345698765432"),
        ("CREDIT_CARD", "My card is 4111 1111 1111 1111.", "4111 1111 1111 1111"),
        ("US_SSN", "My social security number is 536-90-4399.", "536-90-4399"),
        ("IP_ADDRESS", "The server is 192.168.0.1 now.", "192.168.0.1"),
        ("IN_AADHAAR", "Aadhaar 2345 6789 0124 is mine.", "2345 6789 0124"),
        ("LOCATION", "We moved to Paris in spring.", "Paris"),
    ],
)
def test_it_is_found_with_its_span(found: Found, label: str, text: str, value: str) -> None:
    assert (label, value) in found(text)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("CREDIT_CARD", "My card is 4111 1111 1111 1112."),
        ("IBAN_CODE", "Pay to GB82WEST12345698765433 please."),
        ("US_SSN", "My social security number is 078-05-1120."),
        ("IN_AADHAAR", "Aadhaar 2345 6789 0125 is mine."),
        ("ORGANIZATION", "My SSN and my IBAN are secret."),
        ("US_BANK_NUMBER", "The order number is 12345678."),
    ],
)
def test_a_near_miss_is_not(found: Found, label: str, text: str) -> None:
    assert label not in [found_label for found_label, _ in found(text)]


def test_a_finding_far_into_a_long_text_has_its_span(found: Found) -> None:
    text = "Nothing of note happened on that day. " * 300 + "Write to jo.doe@example.com today."
    assert ("EMAIL_ADDRESS", "jo.doe@example.com") in found(text)
