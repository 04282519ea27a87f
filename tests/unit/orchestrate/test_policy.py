import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.orchestrate.policies.bundles import BrokenBundle
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.orchestration import Coverage, OrchestrateRequest
from llama_mapper.contracts.problems import InsufficientRbac, Problem, Unauthorized, Unavailable
from llama_mapper.identity.authentication import OPEN
from tests.fakes.findings import found

SHIPPED = Path(Settings.model_fields["policies"].default)
DEMO = TenantId("demo")
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())

ACCESS = 'access := {"allow": true, "reasons": []}'
ADMISSION = 'admission := {"allow": true, "reasons": []}'
SELECTION = 'selection := {"detectors": ["a"], "required": ["b"], "coverage_method": "WEIGHTED"}'
DECISION = 'decision := {"action": "flag", "reasons": ["r"], "obligations": ["o"]}'
REDACTION = 'redaction := {"allow": true, "operator": null, "reasons": [], "labels": ["PII"], "min_confidence": 0.5}'
RETENTION = 'retention := {"days": null}'
TENANCY = 'tenancy := {"known": true, "rules": {}, "ignored": []}'


def written(folder: Path, data: str = '{"version": "7"}', **rules: str) -> Path:
    """Write a policy folder of one rule each."""
    bodies = {"access": ACCESS, "admission": ADMISSION, "selection": SELECTION, "decision": DECISION}
    bodies |= {"redaction": REDACTION, "retention": RETENTION, "tenancy": TENANCY} | rules
    for name, body in bodies.items():
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.rego").write_text(f"package llama_mapper.{name}\n\n{body}\n")
    (folder / "data.json").write_text(data)
    return folder


@pytest.fixture(scope="module")
def shipped() -> RegoPolicy:
    return RegoPolicy(SHIPPED)


async def test_the_demo_tenant_may_enter(shipped: RegoPolicy) -> None:
    await shipped.admit(DEMO, 50_000)


async def test_an_unknown_tenant_may_not_and_the_header_is_named(shipped: RegoPolicy) -> None:
    with pytest.raises(Unauthorized, match="X-Tenant-ID") as refused:
        await shipped.admit(TenantId("canary"), 1)
    assert "canary" not in refused.value.detail


async def test_a_tenant_with_too_much_content_may_not(shipped: RegoPolicy) -> None:
    with pytest.raises(InsufficientRbac, match="larger than this tenant may send"):
        await shipped.admit(DEMO, 50_001)


NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def key(*scopes: Scope, amr: tuple[str, ...] = (), minutes_ago: int | None = None) -> Principal:
    at = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    return Principal(
        subject="key:" + "a" * 12, kind="key", tenants=(DEMO,), scopes=scopes, amr=amr, authenticated_at=at
    )


@pytest.mark.parametrize(
    ("principal", "action"),
    [
        (OPEN, "orchestrate:use"),
        (key("orchestrate:use"), "orchestrate:use"),
        (key("keys:write", amr=("otp",), minutes_ago=14), "keys:write"),
    ],
)
async def test_the_shipped_rules_permit(shipped: RegoPolicy, principal: Principal, action: Scope) -> None:
    await shipped.permit(principal, action, DEMO, NOW)


@pytest.mark.parametrize(
    ("principal", "action", "tenant", "problem", "says"),
    [
        (OPEN, "keys:write", "demo", Unauthorized, "API key or a token"),
        (OPEN, "orchestrate:use", "canary", Unauthorized, "X-Tenant-ID"),
        (key(), "orchestrate:use", "demo", InsufficientRbac, "scope"),
        (key("orchestrate:use"), "orchestrate:use", "canary", InsufficientRbac, "does not belong"),
        (key("keys:write"), "keys:write", "demo", InsufficientRbac, "second factor"),
        (key("keys:write", amr=("otp",), minutes_ago=16), "keys:write", "demo", InsufficientRbac, "second factor"),
    ],
)
async def test_and_refuse(
    shipped: RegoPolicy, principal: Principal, action: Scope, tenant: str, problem: type[Problem], says: str
) -> None:
    with pytest.raises(problem, match=says) as refused:
        await shipped.permit(principal, action, TenantId(tenant), NOW)
    assert "canary" not in refused.value.detail


async def test_who_only_lacks_the_second_factor_is_told_what_to_show(shipped: RegoPolicy) -> None:
    with pytest.raises(InsufficientRbac) as refused:
        await shipped.permit(key("keys:write"), "keys:write", DEMO, NOW)
    assert refused.value.headers == {"WWW-Authenticate": 'Bearer error="insufficient_user_authentication"'}
    with pytest.raises(InsufficientRbac) as refused:
        await shipped.permit(key(), "keys:write", DEMO, NOW)
    assert refused.value.headers == {}


@pytest.mark.parametrize("answer", ['{"allow": "yes"}', '{"reasons": []}', "{}", '{"allow": 1, "reasons": []}'])
async def test_only_a_plain_true_permits(tmp_path: Path, answer: str) -> None:
    policy = RegoPolicy(written(tmp_path, access=f"access := {answer}"))
    with pytest.raises(InsufficientRbac):
        await policy.permit(key("orchestrate:use"), "orchestrate:use", DEMO, NOW)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ('{"allow": false, "reasons": ["tenant.needs_key"]}', Unauthorized),
        ('{"allow": false, "reasons": ["tenant.disabled"]}', InsufficientRbac),
        ('{"allow": false, "reasons": ["new.reason"]}', InsufficientRbac),
        ('{"allow": false}', InsufficientRbac),
        ('{"allow": "yes", "reasons": []}', InsufficientRbac),
        ('{"reasons": []}', InsufficientRbac),
        ("{}", InsufficientRbac),
        ('"yes"', Unavailable),
        ("true", Unavailable),
    ],
)
async def test_only_a_plain_true_admits(tmp_path: Path, answer: str, problem: type[Exception]) -> None:
    policy = RegoPolicy(written(tmp_path, admission=f"admission := {answer}"))
    with pytest.raises(problem):
        await policy.admit(DEMO, 1)


async def test_an_undefined_admission_is_no_admission(tmp_path: Path) -> None:
    policy = RegoPolicy(written(tmp_path, admission='admission := {"allow": true} if input.never'))
    with pytest.raises(Unavailable):
        await policy.admit(DEMO, 1)


async def test_the_shipped_selection_runs_what_is_there_and_requires_what_is_not(shipped: RegoPolicy) -> None:
    required = {"content": "x", "processing_mode": "fast", "required_detectors": ["jailguard"]}
    request = OrchestrateRequest.model_validate(required)
    chosen = await shipped.select(request, ["detect-secrets", "tox-block", "presidio"], DEMO)
    assert chosen.detectors == ("detect-secrets", "tox-block")
    assert chosen.required == ("detect-secrets", "jailguard", "llama-mapper-regex", "tox-block")
    assert chosen.method == "REQUIRED_SET"


@pytest.mark.parametrize(
    "answer",
    [
        '{"detectors": ["a"], "required": []}',
        '{"detectors": "a", "required": [], "coverage_method": "REQUIRED_SET"}',
        '{"detectors": ["Not An Id"], "required": [], "coverage_method": "REQUIRED_SET"}',
        '{"detectors": [], "required": [], "coverage_method": "GUESSED"}',
        '{"detectors": [], "required": [], "coverage_method": "WEIGHTED", "weights": {"a": "much"}}',
        '{"detectors": [], "required": [], "coverage_method": "REQUIRED_SET", "more": 1}',
        "[]",
    ],
)
async def test_a_selection_of_another_shape_is_a_problem_and_not_a_crash(tmp_path: Path, answer: str) -> None:
    policy = RegoPolicy(written(tmp_path, selection=f"selection := {answer}"))
    with pytest.raises(Unavailable, match="selection policy"):
        await policy.select(OrchestrateRequest(content="x"), [], DEMO)


async def test_a_decision_names_its_policy_and_version(shipped: RegoPolicy) -> None:
    decision = await shipped.decide([found("SECRET.Key", severity=3)], COVERED, DEMO)
    assert (decision.action, decision.reasons, decision.obligations) == ("block", ("label.secret",), ("rotate_secret",))
    assert decision.policy_version == shipped.version
    assert shipped.version.startswith("2026.11.0+")


async def test_questions_do_not_leave_anything_behind(shipped: RegoPolicy) -> None:
    assert (await shipped.decide([found("SECRET.Key", severity=3)], COVERED, DEMO)).action == "block"
    assert (await shipped.decide([], COVERED, DEMO)).action == "allow"
    assert (await shipped.decide([found("SECRET.Key", severity=3)], COVERED, DEMO)).action == "block"


@pytest.mark.parametrize(
    "answer",
    [
        '{"action": "shrug", "reasons": []}',
        '{"action": "allow"}',
        '{"action": "allow", "reasons": "none"}',
        '{"action": "allow", "reasons": ["two words"]}',
        '{"action": "allow", "reasons": [], "policy": "mine"}',
        '{"action": "allow", "reasons": [], "extra": 1}',
        '"allow"',
    ],
)
async def test_a_decision_of_another_shape_lets_nothing_through(tmp_path: Path, answer: str) -> None:
    policy = RegoPolicy(written(tmp_path, decision=f"decision := {answer}"))
    with pytest.raises(Unavailable, match="decision policy"):
        await policy.decide([], COVERED, DEMO)


async def test_a_policy_that_fails_on_its_question_lets_nothing_through(tmp_path: Path) -> None:
    twice = "\n".join(f'decision := {{"action": "{a}", "reasons": []}} if input.findings' for a in ("allow", "block"))
    policy = RegoPolicy(written(tmp_path, decision=twice))
    with pytest.raises(Unavailable, match="the decision policy cannot be evaluated"):
        await policy.decide([], COVERED, DEMO)


@pytest.mark.parametrize(
    "rule",
    [
        "decision := {",
        'decision := {"action": nobody}',
        "decision := invented(1)",
        "decision = 1 { true }",
    ],
)
def test_a_policy_that_does_not_compile_is_named(tmp_path: Path, rule: str) -> None:
    with pytest.raises(BrokenBundle, match=r"decision/decision\.rego does not compile"):
        RegoPolicy(written(tmp_path, decision=rule))


def test_a_policy_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "selection" / "selection.rego").unlink()
    with pytest.raises(BrokenBundle, match="selection"):
        RegoPolicy(folder)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenBundle, match="no policies"):
        RegoPolicy(tmp_path)


@pytest.mark.parametrize("data", ["", "{", "[]", "{}", '"text"', "3"])
def test_data_that_is_none_is_named(tmp_path: Path, data: str) -> None:
    with pytest.raises(BrokenBundle, match=r"data\.json"):
        RegoPolicy(written(tmp_path, data=data))


def test_missing_data_is_named(tmp_path: Path) -> None:
    (written(tmp_path) / "data.json").unlink()
    with pytest.raises(BrokenBundle, match=r"data\.json"):
        RegoPolicy(tmp_path)


def test_the_version_changes_with_a_policy_and_with_the_data_but_not_with_a_test(tmp_path: Path) -> None:
    first = RegoPolicy(written(tmp_path / "a")).version
    assert first.startswith("7+")
    assert RegoPolicy(written(tmp_path / "b", decision=DECISION + " # more")).version != first
    assert RegoPolicy(written(tmp_path / "c", data=json.dumps({"version": "7", "more": 1}))).version != first
    folder = written(tmp_path / "d")
    (folder / "decision" / "decision_test.rego").write_text("package llama_mapper.decision_test\n\nbroken {")
    assert RegoPolicy(folder).version == first
