"""Personal and payment data that has a shape, found by pattern and confirmed by the issuer's own rule.

Numbers without a checksum (card code, passport, date of birth) count only behind a word that says what they are.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_mapper.contracts.detection import Detection, Detector, Family, Span

from .. import checksums
from ..settings import Settings

_FLAGS = re.IGNORECASE | re.ASCII


@dataclass(frozen=True, slots=True)
class Rule:
    """A label, what it looks like (the group ``v`` is the finding, else all of it), and what must hold of it."""

    label: str
    score: float
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = lambda text: True


def _rule(
    label: str, score: float, pattern: str, check: Callable[[str], bool] = lambda text: True, flags: int = _FLAGS
) -> Rule:
    return Rule(label, score, re.compile(pattern, flags | re.VERBOSE), check)


# Endings that look like a top-level domain behind "icon@2x.png"-like names.
_FILE_ENDINGS = {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "py", "json", "yaml", "yml", "txt", "md"}


def _email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    dots = ".." in text or local.startswith(".") or local.endswith(".")
    hyphens = any(part.startswith("-") or part.endswith("-") for part in domain.split("."))
    return not dots and not hyphens and domain.rpartition(".")[2].lower() not in _FILE_ENDINGS


def _ipv6(text: str) -> bool:
    # Five hexadecimal digits with a figure among them: refuses "::", "a::b" and the scope operator of C++.
    if sum(c in "0123456789abcdef" for c in text.lower()) < 5 or not any(c.isdigit() for c in text):
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _mac(text: str) -> bool:
    return set(re.sub(r"[^0-9a-f]", "", text.lower())) not in ({"0"}, {"f"})


def _phone(text: str) -> bool:
    # E.164 allows fifteen digits; fewer than seven is an extension or a year.
    return 7 <= len(checksums.digits(text.lower().partition("x")[0])) <= 15


def _passport(text: str) -> bool:
    return sum(c.isdigit() for c in text) >= 6


def _calendar_date(text: str) -> bool:
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    plausible = any(1 <= n <= 12 for n in numbers) and all(n <= 31 or 1900 <= n <= 2100 for n in numbers)
    return len(numbers) < 3 or plausible


def _iban_pattern() -> str:
    by_length: dict[int, list[str]] = {}
    for country, length in checksums.IBAN_LENGTHS.items():
        by_length.setdefault(length, []).append(country)
    shapes = (
        rf"(?:{'|'.join(countries)})\d\d(?:[ -]?[A-Z0-9]){{{length - 4}}}" for length, countries in by_length.items()
    )
    return rf"(?<![A-Z0-9])(?:{'|'.join(shapes)})(?![A-Z0-9])".replace("[ -]", r"[\ -]")


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DATE = rf"""(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}} | \d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d{{4}}|\d{{2}})
    | \d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH},?\s\d{{4}} | {_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}})"""
_STREET = r"""(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter
    |Parkway|Pkwy|Highway|Hwy|Way|Circle|Cir|Crescent|Close|Alley|Row)"""
_UNIT = r"(?:(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl)\.?\s?\#?\w{1,6}|\#\s?\w{1,6})"

RULES: tuple[Rule, ...] = (
    _rule("EMAIL", 0.95, r"(?<![\w.+%-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,5}[a-z]{2,24}(?![\w-])", _email),
    _rule("IBAN", 0.99, _iban_pattern(), checksums.iban),
    _rule(
        "CREDIT_CARD",
        0.95,
        r"""(?<![\w.-])(?: \d{12,19} | \d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})? | \d{4}([ -])\d{6}\2\d{4,5} )
            (?![\w]|[.-]\d)""",
        checksums.card,
    ),
    _rule(
        "CVV",
        0.85,
        r"\b(?:cvv2?|cvc2?|cid|security\scode|card\sverification(?:\s(?:code|value|number))?)\b[^\d\n]{0,12}(?P<v>\d{3,4})(?!\d)",
    ),
    _rule("US_SSN", 0.85, r"(?<![\w.-])\d{3}([ -])\d\d\1\d{4}(?![\w]|[.-]\d)", checksums.us_ssn),
    _rule(
        "US_SSN",
        0.9,
        r"\b(?:ssn|social\ssecurity(?:\s(?:number|no\.?))?)\b[^\d\n]{0,20}(?P<v>\d{3}[ -]?\d\d[ -]?\d{4})(?!\d)",
        checksums.us_ssn,
    ),
    _rule("US_ITIN", 0.85, r"(?<![\w.-])9\d\d-\d\d-\d{4}(?![\w]|[.-]\d)", checksums.us_itin),
    _rule("US_ITIN", 0.9, r"\bitin\b[^\d\n]{0,20}(?P<v>9\d\d[ -]?\d\d[ -]?\d{4})(?!\d)", checksums.us_itin),
    _rule(
        "US_ROUTING_NUMBER",
        0.9,
        r"\b(?:routing|aba|rtn)\b[^\d\n]{0,30}(?P<v>\d{9})(?!\d)",
        checksums.us_routing,
    ),
    _rule(
        "UK_NINO",
        0.85,
        r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\ ?\d\d\ ?\d\d\ ?\d\d\ ?[A-D](?!\w)",
        checksums.uk_nino,
        re.ASCII,
    ),
    _rule("UK_NHS", 0.9, r"\bnhs\b[^\d\n]{0,30}(?P<v>\d{3}[ -]?\d{3}[ -]?\d{4})(?!\d)", checksums.uk_nhs),
    _rule(
        "BITCOIN_ADDRESS",
        0.99,
        r"(?<!\w)(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71}|BC1[02-9AC-HJ-NP-Z]{11,71})(?!\w)",
        checksums.bitcoin,
        re.ASCII,
    ),
    _rule(
        "PASSPORT",
        0.8,
        r"\bpassports?\b(?:\s(?:number|no|num|id|\#))?[^A-Z0-9\n]{0,6}(?:is\s)?(?P<v>[A-Z]{0,2}\d{6,9})(?!\w)",
        _passport,
    ),
    _rule(
        "DATE_OF_BIRTH",
        0.9,
        rf"\b(?:d\.?o\.?b\.?|born(?:\son)?|birth\s?da(?:y|te)|date\sof\sbirth)(?!\w)[^\d\n]{{0,12}}?(?P<v>{_DATE})(?!\w)",
        _calendar_date,
    ),
    _rule(
        "IPV4",
        0.9,
        r"""(?<![\w.])(?<!version\ )(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}
            (?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?!\w|\.\d)""",
    ),
    _rule("IPV6", 0.95, r"(?<![\w:.])[0-9a-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])", _ipv6),
    _rule(
        "MAC",
        0.9,
        r"(?<![\w:-])(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})(?![\w:-])",
        _mac,
    ),
    _rule(
        "PHONE",
        0.8,
        r"""(?<![\w+])\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,5}){1,4}
            (?:\ ?(?:x|ext\.?)\ ?\d{1,5})?(?!\w)""",
        _phone,
    ),
    _rule(
        "PHONE",
        0.75,
        r"""(?<![\w.-])(?:1[ .-])?(?:\([2-9]\d\d\)\ ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}
            (?:\ ?(?:x|ext\.?)\ ?\d{1,5})?(?!\w|[.-]\d)""",
        _phone,
    ),
    _rule(
        "PHONE",
        0.7,
        r"""\b(?:phone|telephone|tel|mobile|cell|fax|whatsapp|call\s(?:me|us)|text\sme)\b(?:\snumber)?[^\d\n+(]{0,12}
            (?P<v>[+(]?\d[\d\ ().-]{5,17}\d)(?!\w)""",
        _phone,
    ),
    _rule(
        "STREET_ADDRESS",
        0.7,
        rf"""(?<![\w.,-])\d{{1,6}}[A-Za-z]?\s(?:[NSEW]\.?\s)?(?!The\s)(?:[A-Z][\w'.-]{{0,20}}\s){{1,4}}{_STREET}\b\.?
            (?:,?\s{_UNIT})?
            (?:,?\s[A-Z][a-z.]{{1,20}}(?:\s[A-Z][a-z]{{1,20}}){{0,2}},?\s[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?)?""",
        flags=re.ASCII,
    ),
)


class RegexDetector:
    name = "llama-mapper-regex"
    version = "1.0.0"
    family: Family = "pii"
    window_characters = 10_000

    def load(self) -> None:
        """Nothing to load: the patterns are compiled at import."""

    def detect(self, text: str) -> Sequence[Detection]:
        """Return what the rules find; of two findings one inside the other, the surer one."""
        found = [
            Detection(label=rule.label, score=rule.score, span=Span(start=match.start(group), end=match.end(group)))
            for rule in RULES
            for match in rule.pattern.finditer(text)
            for group in ("v" if "v" in rule.pattern.groupindex else 0,)
            if rule.check(match[group])
        ]
        kept: list[Detection] = []
        for detection in sorted(found, key=lambda d: -d.score):
            if not any(_overlap(detection, other) for other in kept):
                kept.append(detection)
        return kept


def _overlap(one: Detection, other: Detection) -> bool:
    a, b = one.span, other.span
    return a is not None and b is not None and a.start < b.end and b.start < a.end


def build(settings: Settings) -> Detector:
    return RegexDetector()
