import re
from pathlib import Path

from llama_mapper.cli import demo_cases
from llama_mapper.cli.demo_cases import CONTENT, GITHUB_TOKEN, IBAN, REPORTS, SSN
from llama_mapper.contracts.events import FindingReported
from llama_mapper.contracts.orchestration import OrchestrateRequest


def test_every_text_is_a_valid_request() -> None:
    for case in CONTENT:
        OrchestrateRequest(content=case.content, content_type=case.content_type, priority=case.priority)


def test_every_report_is_a_valid_event() -> None:
    for case in REPORTS:
        FindingReported(findings=case.findings)


def test_five_vendors_report() -> None:
    assert len({finding.detector for case in REPORTS for finding in case.findings}) == 5


def test_one_report_says_that_there_is_nothing() -> None:
    assert 0 in [finding.severity for case in REPORTS for finding in case.findings]


def test_the_long_text_needs_windows_and_holds_its_finding_near_the_end() -> None:
    longest = max((case.content for case in CONTENT), key=len)
    assert len(longest) > 8_000
    assert longest.index(IBAN) > 0.9 * len(longest)


def test_the_test_values_obey_their_rules() -> None:
    moved = IBAN.replace(" ", "")[4:] + IBAN[:4]
    assert int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
    area, group, serial = SSN.split("-")
    assert area not in ("000", "666")
    assert area < "900"
    assert (group != "00", serial != "0000") == (True, True)
    assert re.fullmatch(r"ghp_[A-Za-z0-9]{36}", GITHUB_TOKEN)


def test_no_secret_stands_in_the_source() -> None:
    source = Path(demo_cases.__file__).read_text()
    assert not re.search(r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}", source)
