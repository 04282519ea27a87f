import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.detect import checksums


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("4111 1111 1111 1111", True),
        ("4111 1111 1111 1112", False),
        ("3782 822463 10005", True),
        ("378282246310006", False),
        ("5555-5555-5555-4444", True),
        ("2223003122003222", True),
        ("6011111111111117", True),
        ("30569309025904", True),
        ("3530111333300000", True),
        ("4222222222222", True),
        ("42222222222224", False),  # Luhn holds, but no Visa card has fourteen digits
        ("9111111111111116", False),  # Luhn holds, but nobody issues cards beginning with 9
        ("", False),
    ],
)
def test_card(text: str, valid: bool) -> None:
    assert checksums.card(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("GB82 WEST 1234 5698 7654 32", True),
        ("GB82WEST12345698765433", False),
        ("GB82WEST1234569876543", False),
        ("de89370400440532013000", True),
        ("NO9386011117947", True),
        ("NO938601111794", False),
        ("ZZ82WEST12345698765432", False),
    ],
)
def test_iban(text: str, valid: bool) -> None:
    assert checksums.iban(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("536-90-4399", True),
        ("536904399", True),
        ("000-90-4399", False),
        ("666-90-4399", False),
        ("936-90-4399", False),
        ("536-00-4399", False),
        ("536-90-0000", False),
        ("078-05-1120", False),
        ("219-09-9999", False),
        ("53-90-4399", False),
    ],
)
def test_us_ssn(text: str, valid: bool) -> None:
    assert checksums.us_ssn(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("912-90-3456", True),
        ("912-50-3456", True),
        ("912-65-3456", True),
        ("912-49-3456", False),
        ("912-66-3456", False),
        ("912-89-3456", False),
        ("912-93-3456", False),
        ("812-90-3456", False),
        ("912-90-345", False),
    ],
)
def test_us_itin(text: str, valid: bool) -> None:
    assert checksums.us_itin(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("021000021", True),
        ("021000022", False),
        ("111000025", True),
        ("011401533", True),
        ("511401533", False),
        ("000000000", False),
        ("02100002", False),
    ],
)
def test_us_routing(text: str, valid: bool) -> None:
    assert checksums.us_routing(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("943 476 5919", True),
        ("9434765918", False),
        ("943476591", False),
        ("1111111111", False),
        ("987-654-4322", True),
    ],
)
def test_uk_nhs(text: str, valid: bool) -> None:
    assert checksums.uk_nhs(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"), [("AB123456C", True), ("GB123456A", False), ("zz 12 34 56 a", False), ("JG103759A", True)]
)
def test_uk_nino(text: str, valid: bool) -> None:
    assert checksums.uk_nino(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", True),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", False),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", True),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", True),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", False),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8F3T4", False),
        ("bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", True),
        ("bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcq", False),
        ("1O0Il", False),
    ],
)
def test_bitcoin(text: str, valid: bool) -> None:
    assert checksums.bitcoin(text) is valid


@given(st.text(alphabet="123456789", min_size=12, max_size=19), st.integers(min_value=0), st.integers(1, 9))
def test_one_wrong_digit_never_passes_luhn(number: str, place: int, change: int) -> None:
    place %= len(number)
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert not (checksums.luhn(number) and checksums.luhn(wrong))


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    for rule in (
        checksums.luhn,
        checksums.card,
        checksums.us_ssn,
        checksums.us_itin,
        checksums.us_routing,
        checksums.uk_nhs,
        checksums.uk_nino,
        checksums.bitcoin,
    ):
        assert rule(text) in (True, False)
