"""The rules by which issuers make their numbers: what a pattern proposes, these confirm or refuse.

Every function takes the text as matched, with its separators, and returns whether it can be such a number.
"""

import hashlib
import re

# ISO 13616 registry of the length of an IBAN by country.
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS = {country: length for length, names in _IBAN_COUNTRIES.items() for country in names.split()}

# Numbers printed in advertisements and brochures; the Social Security Administration voided them.
_VOID_SSNS = {"078051120", "219099999", "457555462"}

# Prefixes that HMRC never issues.
_VOID_NINO_PREFIXES = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}

# (first prefix, last prefix, lengths) as in ISO/IEC 7812 issuer ranges.
_CARD_RANGES: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),  # Visa
    (51, 55, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),  # American Express
    (37, 37, frozenset({15})),
    (300, 305, frozenset({14, 16, 19})),  # Diners Club
    (36, 36, frozenset({14, 16, 19})),
    (38, 39, frozenset({14, 16, 19})),
    (6011, 6011, frozenset({16, 19})),  # Discover
    (644, 659, frozenset({16, 19})),
    (3528, 3589, frozenset({16, 19})),  # JCB
    (62, 62, frozenset({16, 17, 18, 19})),  # UnionPay
    (50, 50, frozenset(range(12, 20))),  # Maestro
    (56, 58, frozenset(range(12, 20))),
    (6304, 6304, frozenset(range(12, 20))),
    (6759, 6763, frozenset(range(12, 20))),
)

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_END, _BECH32M_END = 1, 0x2BC830A3  # BIP 173, BIP 350


def digits(text: str) -> str:
    """Return the ASCII digits of *text*."""
    return re.sub(r"[^0-9]", "", text)


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, figure in enumerate(int(c) for c in reversed(digits(text))):
        doubled = figure * 2 if place % 2 else figure
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def card(text: str) -> bool:
    """Luhn, a known issuer range, and the length that issuer uses."""
    number = digits(text)
    known = any(
        first <= int(number[: len(str(first))] or 0) <= last and len(number) in lengths
        for first, last, lengths in _CARD_RANGES
    )
    return known and luhn(number)


def iban(text: str) -> bool:
    """Length of the country and ISO 7064 mod 97-10."""
    compact = re.sub(r"[\s-]", "", text).upper()
    if IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def us_ssn(text: str) -> bool:
    """Area, group and serial that were ever issued."""
    number = digits(text)
    area, group, serial = number[:3], number[3:5], number[5:]
    issued = area not in {"000", "666"} and area[:1] != "9" and group != "00" and serial != "0000"
    return len(number) == 9 and issued and number not in _VOID_SSNS


def us_itin(text: str) -> bool:
    """Begins with 9; fourth and fifth digit 50-65, 70-88, 90-92 or 94-99."""
    number = digits(text)
    if len(number) != 9:
        return False
    group = int(number[3:5])
    in_range = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return number[0] == "9" and in_range


def us_routing(text: str) -> bool:
    """A Federal Reserve prefix and weights 3, 7, 1."""
    number = digits(text)
    if len(number) != 9:
        return False
    prefix = int(number[:2])
    reserve = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    weighted = sum(int(c) * w for c, w in zip(number, (3, 7, 1) * 3, strict=True))
    return reserve and weighted > 0 and weighted % 10 == 0


def uk_nhs(text: str) -> bool:
    """Ten digits, modulus 11 with weights 10 to 2."""
    number = digits(text)
    if len(number) != 10 or len(set(number)) == 1:
        return False
    check = -sum(int(c) * w for c, w in zip(number, range(10, 1, -1), strict=False)) % 11
    return check == int(number[9])


def uk_nino(text: str) -> bool:
    """A prefix that is issued; the letters themselves are the pattern's business."""
    return text[:2].upper() not in _VOID_NINO_PREFIXES


def bitcoin(text: str) -> bool:
    """Base58Check (1..., 3...), bech32 or bech32m (bc1...)."""
    return _bech32(text) if text[:3].lower() == "bc1" else _base58check(text)


def _base58check(text: str) -> bool:
    if not set(text) <= set(_BASE58):
        return False
    value = 0
    for character in text:
        value = value * 58 + _BASE58.index(character)
    if value >= 1 << 200:
        return False
    raw = value.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _bech32(text: str) -> bool:
    if text not in (text.lower(), text.upper()) or not set(text.lower()[3:]) <= set(_BECH32):
        return False
    data = [_BECH32.index(c) for c in text.lower()[3:]]
    checksum = 1
    for value in [3, 3, 0, 2, 3, *data]:  # "bc" expanded as BIP 173 says
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    # Witness version 0 ends in bech32, later ones in bech32m.
    return checksum == (_BECH32_END if data[0] == 0 else _BECH32M_END)
