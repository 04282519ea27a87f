import pytest

from functions.analyze.guidance.naming import (
    frameworks_named,
    is_part,
    others_named,
    sections_named,
    without_names,
)

ALL = ("gdpr", "hipaa", "soc2", "iso27001", "eu-ai-act", "nist-ai-rmf", "iso42001", "pci-dss", "nist-csf")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What does the GDPR say?", {"gdpr"}),
        ("hipaa or SOC 2?", {"hipaa", "soc2"}),
        ("SOC2 and ISO/IEC 27001:2022", {"soc2", "iso27001"}),
        ("the EU AI Act", {"eu-ai-act"}),
        ("NIST's AI RMF", {"nist-ai-rmf"}),
        ("what does NIST say", {"nist-ai-rmf", "nist-csf"}),
        ("ISO 42001, PCI DSS and CSF 2.0", {"iso42001", "pci-dss", "nist-csf"}),
        ("45 CFR 164.312(b)", {"hipaa"}),
        ("a specific act", set()),
        ("SOC 3", set()),
        ("ISO 27002", set()),
    ],
)
def test_a_framework_is_known_by_the_names_people_use(question: str, named: set[str]) -> None:
    assert frameworks_named(question) == named


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("What does the CCPA ask for?", True),
        ("NIS2 deadlines", True),
        ("NIST 800-53 AU-2", True),
        ("ISO 27701", True),
        ("Swiss data protection law on profiling", True),
        ("May a Swiss patient ask for her file?", False),
        ("Do doctors act on it?", False),
        ("GDPR fines", False),
    ],
)
def test_a_law_of_others_is_known_too(question: str, other: bool) -> None:
    assert others_named(question) is other


@pytest.mark.parametrize(
    ("question", "sections"),
    [
        ("GDPR article 33 (1)", {("gdpr", "Art. 33(1)"), ("eu-ai-act", "Art. 33(1)")}),
        ("Art. 5(1)(f)", {("gdpr", "Art. 5(1)(f)"), ("eu-ai-act", "Art. 5(1)(f)")}),
        ("Annex III(4)", {("eu-ai-act", "Annex III(4)")}),
        ("164.514(b)(2)(i)", {("hipaa", "164.514(b)(2)(i)")}),
        ("CC6.1", {("soc2", "CC6.1")}),
        ("A.8.12", {("iso27001", "A.8.12"), ("iso42001", "A.8.12")}),
        ("requirement 3.5.1", {("pci-dss", "3.5.1")}),
        ("MEASURE 2.7", {("nist-ai-rmf", "MEASURE 2.7")}),
        ("AI 600-1 section 2.9", {("nist-ai-rmf", "AI 600-1 2.9")}),
        ("PR.DS-01", {("nist-csf", "PR.DS-01")}),
        ("a party of 5", set()),
    ],
)
def test_a_section_is_read_as_its_framework_writes_it(question: str, sections: set[tuple[str, str]]) -> None:
    assert sections_named(question, ALL) == sections


def test_a_section_is_looked_for_in_the_frameworks_asked_for_alone() -> None:
    assert sections_named("Article 22", ["gdpr"]) == {("gdpr", "Art. 22")}


@pytest.mark.parametrize(
    ("section", "named", "part"),
    [
        ("Art. 33(1)", "Art. 33", True),
        ("Art. 83(5)", "Art. 83(5)(a)", True),
        ("PR.DS-01", "pr.ds", True),
        ("3.5.1", "3.5", True),
        ("Art. 33(1)", "Art. 3", False),
        ("Art. 5(2)", "Art. 5(1)", False),
        ("3.5.1", "3.5.10", False),
    ],
)
def test_a_part_of_a_section_is_no_neighbour_of_it(section: str, named: str, part: bool) -> None:
    assert is_part(section, named) is part


def test_the_names_of_frameworks_are_not_looked_for_in_passages() -> None:
    assert without_names("Does the GDPR fine spam?").split() == ["Does", "the", "fine", "spam?"]
