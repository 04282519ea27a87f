"""Which frameworks and which sections a question names, so that it is answered from those and from no others."""

import re
from collections.abc import Iterable, Mapping

_NAMES: Mapping[str, str] = {
    "gdpr": r"gdpr|general data protection regulation|2016/679",
    "hipaa": r"hipaa|45 cfr|16[04]\.\d{3}",
    "soc2": r"soc[ -]?2|trust services|aicpa",
    "iso27001": r"27001",
    "eu-ai-act": r"ai act|artificial intelligence act|2024/1689",
    "nist-ai-rmf": r"ai rmf|ai risk management framework|ai[ -]600-1|ai[ -]100-1|generative ai profile",
    "iso42001": r"42001",
    "pci-dss": r"pci",
    "nist-csf": r"nist csf|csf 2|csf|cybersecurity framework",
}
_NIST = re.compile(r"\bnist\b", re.IGNORECASE)
_KNOWN = {
    name: re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", re.IGNORECASE) for name, pattern in _NAMES.items()
}

_OTHERS = re.compile(
    r"""(?<![a-z0-9])(?:
    ccpa|cpra|coppa|ferpa|glba|gramm[ -]leach|sarbanes|sox|fcra|bipa|vcdpa|hitrust|hitech|can-spam|tcpa|fda|21\ cfr
    |fedramp|fisma|cmmc|itar|stateramp|cjis|nerc|shield\ act|colorado\ ai|title\ vii|ada
    |lgpd|pipeda|pipl|popia|appi|pdpa|dpdp|privacy\ act|data\ protection\ act|quebec|law\ 25
    |nis[ -]?2|dora|eprivacy|digital\ (?:services|markets)\ act|dsa|data\ act|data\ governance\ act
    |cyber\ resilience\ act
    |cra|psd[ -]?2|mifid|eidas|solvency|basel|medical\ device\ regulation|mdr
    |soc[ -]?[13]|cobit|itil|tisax|c5|cis\ controls|owasp|800-(?:53|171|63|37)|fips|swift|csa\ star
    |9001|14001|22301|27002|27017|27018|27701|13485|23894|31000|26262|20000
    |(?:swiss|californian?|brazil(?:ian)?|canad(?:a|ian)|chin(?:a|ese)|japan(?:ese)?|india(?:n)?|australian?|british|uk
      |singapore|korean?|texas|virginia|colorado|illinois|new\ york|german|french|spanish)\b(?:\ [\w-]+){0,3}
      \ (?:law|act|code|bill|statute)s?
    )(?![a-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
"""Laws and standards that people confuse with ours. What they ask for is not in the knowledge."""

_REFERENCES: tuple[tuple[frozenset[str], re.Pattern[str], str], ...] = (
    (
        frozenset({"gdpr", "eu-ai-act"}),
        re.compile(r"\b(?:articles?|art\.?) ?(\d{1,3}(?: ?\(\w{1,3}\))*)", re.IGNORECASE),
        "Art. {}",
    ),
    (frozenset({"gdpr"}), re.compile(r"\brecital (\d{1,3})", re.IGNORECASE), "Recital {}"),
    (frozenset({"eu-ai-act"}), re.compile(r"\bannex ([ivx]{1,5}\b(?: ?\(\d\))?)", re.IGNORECASE), "Annex {}"),
    (frozenset({"hipaa"}), re.compile(r"\b(1\d\d\.\d{3}(?:\(\w{1,3}\))*)"), "{}"),
    (frozenset({"soc2"}), re.compile(r"\b((?:CC|A|C|PI|P)\d\.\d{1,2})\b"), "{}"),
    (frozenset({"iso27001", "iso42001"}), re.compile(r"\b(A\.\d{1,2}(?:\.\d{1,2})+)"), "{}"),
    (
        frozenset({"iso27001", "iso42001"}),
        re.compile(r"\bclause (\d{1,2}(?:\.\d{1,2})*)", re.IGNORECASE),
        "Clause {}",
    ),
    (frozenset({"pci-dss"}), re.compile(r"\breq(?:uirement|\.)? ?(\d{1,2}(?:\.\d{1,2})*)", re.IGNORECASE), "{}"),
    (
        frozenset({"nist-ai-rmf"}),
        re.compile(r"\b((?:govern|map|measure|manage) \d{1,2}\.\d{1,2})", re.IGNORECASE),
        "{}",
    ),
    (frozenset({"nist-ai-rmf"}), re.compile(r"\b600-1,? (?:section )?(2\.\d{1,2})", re.IGNORECASE), "AI 600-1 {}"),
    (frozenset({"nist-csf"}), re.compile(r"\b([A-Z]{2}\.[A-Z]{2}(?:-\d{1,2})?)\b"), "{}"),
)


def frameworks_named(question: str) -> frozenset[str]:
    """The ones of ours; NIST alone means both of NIST's."""
    found = {name for name, pattern in _KNOWN.items() if pattern.search(question)}
    nist = {"nist-ai-rmf", "nist-csf"}
    return frozenset(found | nist if _NIST.search(question) and not found & nist else found)


def without_names(question: str) -> str:
    """*question* without the frameworks it names: in their own passages the names say nothing."""
    for pattern in _KNOWN.values():
        question = pattern.sub(" ", question)
    return re.sub(r"\b(?:EU|NIST|ISO(?:/IEC)?|DSS|control|criterion|subcategory)\b", " ", question, flags=re.IGNORECASE)


def others_named(question: str) -> bool:
    """Whether a law or standard is named that the knowledge does not hold."""
    return bool(_OTHERS.search(question))


def sections_named(question: str, frameworks: Iterable[str]) -> frozenset[tuple[str, str]]:
    """(framework, section) of those of *frameworks* that number so; letters may be of the other case."""
    asked = frozenset(frameworks)
    return frozenset(
        (framework, form.format(match.group(1).replace(" (", "(")))
        for owners, pattern, form in _REFERENCES
        for match in pattern.finditer(question)
        for framework in owners & asked
    )


def is_part(section: str, named: str) -> bool:
    """Whether *section* is what was *named*, a part of it, or what it is a part of."""
    return _within(section, named) or _within(named, section)


def _within(part: str, whole: str) -> bool:
    return part.casefold() == whole.casefold() or (
        part.casefold().startswith(whole.casefold()) and part[len(whole)] in "(.-"
    )
