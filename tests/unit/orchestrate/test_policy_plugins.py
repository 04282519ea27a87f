from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from functions.orchestrate.policies.bundles import BrokenBundle, read_folder
from functions.orchestrate.policies.plugins import GROUP, extended, folders
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.settings import Settings
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage
from tests.fakes.findings import found

SHIPPED = read_folder(Path(Settings.model_fields["policies"].default))
DEMO = TenantId("demo")
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())
RULE = """# METADATA
# description: A plug-in of a test.
package llama_mapper.plugin.finance

# METADATA
# description: Account numbers stop everything here.
rules contains {"action": "%s", "reason": "iban", "obligations": ["tell_finance"]} if {
	some finding in input.findings
	startswith(finding.label, "PII.Financial")
}
"""
TEST = """package llama_mapper.plugin.finance_test

import data.llama_mapper.plugin.finance

test_other_labels_are_let_be if {
	count(finance.rules) == 0 with input as {"findings": [{"label": "PII.Person"}]}
}
"""


def folder(tmp_path: Path, rule: str = RULE % "block", test: str = TEST) -> Path:
    (tmp_path / "finance.rego").write_text(rule)
    (tmp_path / "finance_test.rego").write_text(test)
    return tmp_path


async def test_a_plug_in_adds_to_the_decision_and_to_its_version(tmp_path: Path) -> None:
    plain = RegoPolicy(SHIPPED)
    policy = RegoPolicy(extended(SHIPPED, {"finance": folder(tmp_path)}))
    account, mail = found("PII.Financial.BankAccount", severity=2), found("PII.Contact.Email", severity=2)
    assert (await plain.decide([account], COVERED, DEMO)).action == "redact"
    decision = await policy.decide([account], COVERED, DEMO)
    assert (decision.action, decision.reasons) == ("block", ("label.pii", "plugin.finance.iban"))
    assert decision.obligations == ("mask_spans", "tell_finance")
    assert (await policy.decide([mail], COVERED, DEMO)).action == "redact"
    assert policy.version != plain.version


async def test_a_plug_in_does_not_make_it_milder(tmp_path: Path) -> None:
    policy = RegoPolicy(extended(SHIPPED, {"finance": folder(tmp_path, RULE % "allow")}))
    decision = await policy.decide([found("PII.Financial.BankAccount", severity=2)], COVERED, DEMO)
    assert (decision.action, decision.reasons) == ("redact", ("label.pii", "plugin.finance.iban"))


@pytest.mark.parametrize(
    "rule",
    [
        'package llama_mapper.admission\n\nadmission := {"allow": true, "reasons": [], "priority": "critical"}\n',
        "package llama_mapper.plugin.other\n",
        "package llama_mapper\n",
        "package llama_mapper.plugin.finance_test\n",
        "# package llama_mapper.plugin.finance\npackage llama_mapper.tenancy\n\nknown := true\n",
        "no rego",
    ],
    ids=["ours", "another's", "the root", "of tests", "in a comment", "none"],
)
def test_a_plug_in_speaks_in_its_own_package_only(tmp_path: Path, rule: str) -> None:
    with pytest.raises(BrokenBundle, match=r"plugin/finance/finance\.rego"):
        extended(SHIPPED, {"finance": folder(tmp_path, rule)})


@pytest.mark.parametrize(
    ("rule", "test"),
    [
        (RULE % "block" + "\nnow := time.now_ns()\n", TEST),
        (RULE % "block", TEST.replace("== 0", "== 1")),
    ],
    ids=["it looks at the clock", "its test fails"],
)
def test_a_plug_in_keeps_to_what_policies_keep_to(tmp_path: Path, rule: str, test: str) -> None:
    with pytest.raises(BrokenBundle):
        extended(SHIPPED, {"finance": folder(tmp_path, rule, test)})


def test_without_plug_ins_nothing_changes() -> None:
    assert extended(SHIPPED, {}) is SHIPPED


def point(name: str, value: str = "tests.fakes.rego_plugin:FOLDER") -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_folders_come_from_entry_points() -> None:
    assert {name: path.name for name, path in folders([point("example")]).items()} == {"example": "fakes"}


@pytest.mark.parametrize(
    "points",
    [
        [point("decision")],
        [point("Finance")],
        [point("a.b")],
        [point("example"), point("example")],
        [point("example", "tests.fakes.rego_plugin:NOWHERE")],
    ],
    ids=["a policy's", "a capital", "a dot", "twice", "no folder"],
)
def test_an_entry_point_that_cannot_be_is_refused_by_name(points: list[EntryPoint]) -> None:
    with pytest.raises(SettingsError, match=f"{points[-1].name} in {GROUP}"):
        folders(points)
