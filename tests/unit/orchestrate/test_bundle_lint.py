from pathlib import Path

import pytest

from functions.orchestrate.policies.bundle_lint import faults
from functions.orchestrate.policies.bundle_proof import run_tests
from functions.orchestrate.policies.bundles import Bundle, read_folder
from functions.orchestrate.policies.rego import POLICIES
from functions.orchestrate.settings import Settings
from tests.fakes.policies import DATA, bundle, holds, sources

SAFE = '{"action": "human_review", "reasons": []}'


def codes(wrong: Bundle) -> set[tuple[str, str]]:
    return {(fault.file, fault.code) for fault in faults(wrong, POLICIES)}


def deciding(body: str) -> Bundle:
    """*body* as the condition of the decision policy."""
    return bundle(
        decision=f"decision := {SAFE} if {{\n\tis_array(input.findings)\n\t{body}\n}}\n\n_own(x) := x\n\n_list := [1]"
    )


def test_the_shipped_policies_have_no_faults() -> None:
    assert faults(read_folder(Path(Settings.model_fields["policies"].default)), POLICIES) == ()


def test_the_smallest_have_none() -> None:
    assert faults(bundle(), POLICIES) == ()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('http.send({"method": "get", "url": "http://x"})', "builtin_forbidden"),
        ("time.now_ns() > 1", "builtin_forbidden"),
        ('rand.intn("a", 3) == 1', "builtin_forbidden"),
        ("opa.runtime() == {}", "builtin_forbidden"),
        ('net.cidr_contains("10.0.0.0/8", input.a)', "builtin_forbidden"),
        ("print(input.findings)", "builtin_forbidden"),
        ('crypto.sha256(input.a) == "x"', "builtin_unknown"),
        ("not input.coverage.score <= 3", "negated_comparison"),
        ("not input.a in input.b", "negated_comparison"),
        ("not data.version == 3", "negated_comparison"),
        ("not input.a == _own(1)", "negated_comparison"),
        ("some x in _list\n\tnot x == input.a", "negated_comparison"),
    ],
)
def test_a_line_that_policies_must_not_have_is_named(body: str, code: str) -> None:
    found = faults(deciding(body), POLICIES)
    assert {(fault.file, fault.code) for fault in found} == {("decision/decision.rego", code)}
    assert {fault.line for fault in found} <= {7, 8}


@pytest.mark.parametrize(
    "body",
    [
        "not input.a",
        "not _own(input.a)",
        'not object.get(input, "a", 1) > 3',
        "not 3 in _list",
        "some x in _list\n\tnot x == 2",
        "input.a != 3",
        "count(input.findings) > 0",
        "every x in _list { x > input.a }",
    ],
)
def test_near_misses_pass(body: str) -> None:
    assert faults(deciding(body), POLICIES) == ()


@pytest.mark.parametrize(
    ("rules", "file", "code"),
    [
        ({"decision": 'decision := {"action": "flag"}\n\nx := {'}, "decision/decision.rego", "rego_parse_error"),
        ({"decision": "decision := nobody"}, "decision/decision.rego", "rego_compile_error"),
        ({"access": 'access := {"allow": true}'}, "access/access.rego", "default_lets_through"),
        ({"decision": 'decision := {"action": "allow"}'}, "decision/decision.rego", "default_lets_through"),
        ({"decision": 'decision := {"action": "flag"}'}, "decision/decision.rego", "default_lets_through"),
        ({"selection": 'selection := {"detectors": ["a"]}'}, "selection/selection.rego", "default_lets_through"),
    ],
)
def test_what_is_careless_or_broken_is_named(rules: dict[str, str], file: str, code: str) -> None:
    assert (file, code) in codes(bundle(**rules))


def test_a_policy_that_is_not_there_is_a_fault() -> None:
    modules = {path: source for path, source in sources().items() if "selection" not in path}
    assert [fault.code for fault in faults(Bundle(modules, DATA), POLICIES)] == ["rego_compile_error"]


def test_a_policy_without_a_default_is_named() -> None:
    modules = sources()
    modules["access/access.rego"] = 'package llama_mapper.access\n\naccess := {"allow": true} if input.action'
    assert ("access/access.rego", "default_missing") in codes(Bundle(modules, DATA))


@pytest.mark.parametrize("path", ["access/other.rego", "other/access.rego"])
def test_package_folder_and_file_are_named_alike(path: str) -> None:
    modules = sources()
    modules[path] = modules.pop("access/access.rego")
    assert (path, "package_not_file") in codes(Bundle(modules, DATA))


def test_flat_as_in_a_configmap_they_are_too() -> None:
    flat = {path.rpartition("/")[2]: source for path, source in sources().items()}
    assert faults(Bundle(flat, DATA), POLICIES) == ()


def test_what_the_roots_do_not_cover_is_named() -> None:
    wrong = Bundle(sources(), {"version": "7", "more": 1}, roots=("llama_mapper/decision", "version"))
    found = codes(wrong)
    assert ("manifest", "root_missing") in found
    assert ("access/access.rego", "root_missing") in found
    assert ("decision/decision.rego", "root_missing") not in found


@pytest.mark.parametrize(
    "rule", ["test_x if false", "test_x := 3", "test_x if input.a", "test_x := decision.decision.action if { true }"]
)
def test_a_test_that_does_not_hold_is_named_with_its_line(rule: str) -> None:
    modules = sources() | holds("decision", f"test_sound if true\n\n{rule}")
    (fault,) = faults(Bundle(modules, DATA), POLICIES)
    assert (fault.file, fault.line, fault.code) == ("decision/decision_test.rego", 7, "test_failed")


def test_a_test_that_hides_another_is_named() -> None:
    modules = sources() | holds("decision", "test_x if true\n\ntest_x if true")
    assert ("decision/decision_test.rego", "test_repeated") in codes(Bundle(modules, DATA))


def test_coverage_tells_which_lines_no_test_reaches() -> None:
    rule = 'decision := {"action": "block", "reasons": []} if input.findings == [1]'
    never = 'decision := {"action": "redact", "reasons": []} if {\n\tinput.a == 2\n\tcount(input.b) == 1\n}'
    asks = 'test_x if {\n\tanswer := decision.decision with input as {"findings": [1]}\n\tanswer.action == "block"\n}'
    modules = sources(decision=f"{rule}\n\n{never}") | holds("decision", asks)
    ran = run_tests(Bundle(modules, DATA), POLICIES, coverage=True)
    assert not ran.failed
    seen, every = ran.covered["decision/decision.rego"]
    assert 5 in seen
    assert 9 in every - seen
