"""What changes a tenant's configuration, on the shipped policies."""

from pathlib import Path
from typing import Any

import pytest

from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.ports import Layers
from functions.orchestrate.settings import Settings
from functions.orchestrate.tenants.configurations import Tenants
from functions.orchestrate.tenants.policy import TenantPolicies
from functions.orchestrate.tenants.store import KnownTenants
from llama_mapper.contracts.audit import AuditEntry, AuditRecord
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import Principal
from llama_mapper.contracts.orchestration import Coverage, OrchestrateRequest
from llama_mapper.contracts.problems import InvalidRequest, NotFound, PreconditionFailed, Unauthorized, Unavailable
from llama_mapper.contracts.tenants import ConfigureTenantRequest, RollbackTenantRequest, TenantConfiguration
from llama_mapper.identity.audit import first_fault
from llama_mapper.identity.audit_logs import MemoryAudit
from tests.fakes.findings import found
from tests.fakes.tenants import MemoryTenants, version

SHIPPED = RegoPolicy(Path(Settings.model_fields["policies"].default))
DEMO, ACME = TenantId("demo"), TenantId("acme")
OWN = Principal(subject="key:" + "a" * 12, kind="key", tenants=(DEMO,), scopes=("tenants:write",))
PLATFORM = Principal(subject="key:" + "b" * 12, kind="key", tenants=(TenantId("*"),), scopes=("tenants:write",))
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())


@pytest.fixture
def store() -> MemoryTenants:
    return MemoryTenants()


@pytest.fixture
def tenants(store: MemoryTenants) -> Tenants:
    known = KnownTenants(store)
    return Tenants(store, known, TenantPolicies(SHIPPED, known), MemoryAudit())


def saying(**fields: Any) -> ConfigureTenantRequest:
    return ConfigureTenantRequest(configuration=TenantConfiguration.model_validate(fields), why="OPS-1")


async def acts(tenants: Tenants, tenant_id: TenantId) -> tuple[AuditRecord, ...]:
    return await tenants.audit.read(tenant_id)


async def test_a_tenant_without_a_configuration_has_the_platforms_rules(tenants: Tenants) -> None:
    state = await tenants.state(DEMO)
    assert (state.version, state.own, state.ignored) == (0, None, ())
    assert (state.rules.enabled, state.rules.key_required, state.rules.max_content_characters) == (True, False, 50_000)


async def test_a_configuration_holds_from_its_version_on_and_says_who_and_why(tenants: Tenants) -> None:
    state = await tenants.configure(DEMO, saying(key_required=True, max_content_characters=9), OWN, 0)
    assert (state.version, state.rules.key_required, state.rules.max_content_characters) == (1, True, 9)
    (listed,) = (await tenants.versions(DEMO)).versions
    assert (listed.subject, listed.by, listed.why) == (OWN.subject, "own", "OPS-1")
    records = await acts(tenants, DEMO)
    (entry,) = [record.entry for record in records]
    assert (entry.act, entry.target, entry.why, entry.outcome) == ("tenant.changed", "demo/1", "OPS-1", "done")
    assert first_fault(records) is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_priority": "low", "retention_days": 91}, "configuration.retention_days"),
        ({"retention_days": 6}, "configuration.retention_days"),
        ({"thresholds": {"confidence": 0.6}}, "configuration.thresholds.confidence"),
        ({"thresholds": {"coverage": 0.7}}, "configuration.thresholds.coverage"),
        ({"labels": [{"label": "SECRET", "action": "flag", "min_severity": 2}]}, "configuration.labels.0"),
        ({"labels": [{"label": "NO.Such", "action": "block"}]}, "configuration.labels.0.label"),
    ],
)
async def test_what_would_loosen_or_is_not_there_is_refused_by_name(
    tenants: Tenants, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await tenants.configure(DEMO, saying(**fields), OWN, 0)
    assert [error.field for error in refused.value.errors] == [named]
    assert (await tenants.state(DEMO)).version == 0
    assert await acts(tenants, DEMO) == ()


async def test_whoever_is_second_is_told_and_overwrites_nothing(tenants: Tenants) -> None:
    await tenants.configure(DEMO, saying(key_required=True), OWN, 0)
    for expected in (0, 2):
        with pytest.raises(PreconditionFailed):
            await tenants.configure(DEMO, saying(), OWN, expected)
    assert (await tenants.state(DEMO)).version == 1


class Late(MemoryTenants):
    """Somebody else is first after all."""

    async def append(self, version: Any) -> bool:
        return False


async def test_a_change_that_came_too_late_is_noted_as_refused() -> None:
    store = Late()
    known = KnownTenants(store)
    tenants = Tenants(store, known, TenantPolicies(SHIPPED, known), MemoryAudit())
    with pytest.raises(PreconditionFailed):
        await tenants.configure(DEMO, saying(), OWN, 0)
    assert [record.entry.outcome for record in await acts(tenants, DEMO)] == ["done", "refused"]


class Full(MemoryAudit):
    async def append(self, entry: AuditEntry) -> AuditRecord:
        raise Unavailable("the audit log does not answer")


async def test_what_cannot_be_noted_is_not_done(store: MemoryTenants) -> None:
    known = KnownTenants(store)
    tenants = Tenants(store, known, TenantPolicies(SHIPPED, known), Full())
    with pytest.raises(Unavailable):
        await tenants.configure(DEMO, saying(), OWN, 0)
    assert (await tenants.state(DEMO)).version == 0


async def test_only_the_platform_makes_a_tenant(tenants: Tenants) -> None:
    own = OWN.model_copy(update={"tenants": (ACME,)})
    for asking in (tenants.state(ACME), tenants.configure(ACME, saying(), own, 0)):
        with pytest.raises(NotFound):
            await asking
    state = await tenants.configure(ACME, saying(requests_per_day=10), PLATFORM, 0)
    assert (state.rules.enabled, state.rules.key_required, state.rules.requests_per_day) == (True, True, 10)
    state = await tenants.configure(ACME, saying(max_content_characters=5), own, 1)
    assert (state.rules.requests_per_day, state.rules.max_content_characters) == (10, 5)


async def test_a_tenant_cannot_take_back_what_the_platform_said(tenants: Tenants) -> None:
    await tenants.configure(DEMO, saying(enabled=False, requests_per_day=10), PLATFORM, 0)
    with pytest.raises(InvalidRequest) as refused:
        await tenants.configure(DEMO, saying(enabled=True, requests_per_day=11), OWN, 1)
    assert [e.field for e in refused.value.errors] == ["configuration.enabled", "configuration.requests_per_day"]
    state = await tenants.configure(DEMO, saying(), OWN, 1)
    assert (state.rules.enabled, state.rules.requests_per_day) == (False, 10)


async def test_what_the_platform_tightened_since_is_ignored_and_named(tenants: Tenants) -> None:
    await tenants.configure(DEMO, saying(requests_per_day=10), OWN, 0)
    state = await tenants.configure(DEMO, saying(requests_per_day=5), PLATFORM, 1)
    assert (state.rules.requests_per_day, state.ignored) == (5, ("requests_per_day",))


async def test_a_rollback_is_a_new_version_and_leaves_the_other_side_alone(tenants: Tenants) -> None:
    await tenants.configure(DEMO, saying(max_content_characters=5), OWN, 0)
    await tenants.configure(DEMO, saying(requests_per_day=7), PLATFORM, 1)
    await tenants.configure(DEMO, saying(max_content_characters=9), OWN, 2)
    state = await tenants.roll_back(DEMO, RollbackTenantRequest(version=1, why="OPS-2"), OWN, 3)
    assert (state.version, state.rules.max_content_characters, state.rules.requests_per_day) == (4, 5, 7)
    listed = (await tenants.versions(DEMO)).versions
    assert [(change.version, change.restored) for change in listed] == [(4, 1), (3, None), (2, None), (1, None)]
    assert (await acts(tenants, DEMO))[-1].entry.act == "tenant.rolled_back"


async def test_a_rollback_to_what_never_was_is_refused(tenants: Tenants) -> None:
    with pytest.raises(NotFound):
        await tenants.roll_back(DEMO, RollbackTenantRequest(version=1, why="OPS-2"), OWN, 0)


async def test_a_request_is_judged_by_the_configuration_it_began_with(tenants: Tenants, store: MemoryTenants) -> None:
    policies = tenants.policies
    before = await policies.pinned(DEMO)
    rule = {"label": "PII.Contact", "action": "block"}
    await tenants.configure(DEMO, saying(labels=[rule], extra_detectors=["jailguard"]), OWN, 0)
    after = await policies.pinned(DEMO)
    finding = found("PII.Contact.Email", severity=2)
    assert (await before.decide([finding], COVERED, DEMO)).action == "redact"
    decision = await after.decide([finding], COVERED, DEMO)
    assert (decision.action, decision.reasons) == ("block", ("label.pii", "tenant.pii.contact"))
    assert decision.policy_version == f"{SHIPPED.version}+tenant.1"
    request = OrchestrateRequest(content="x", processing_mode="fast")
    chosen = [(await policy.select(request, ["tox-block", "jailguard"], DEMO)).detectors for policy in (before, after)]
    assert chosen == [("tox-block",), ("jailguard", "tox-block")]


async def test_one_tenants_configuration_says_nothing_of_another(tenants: Tenants) -> None:
    await tenants.configure(ACME, saying(labels=[{"label": "PII", "action": "block"}]), PLATFORM, 0)
    decision = await (await tenants.policies.pinned(DEMO)).decide([found("PII.Contact.Email")], COVERED, DEMO)
    assert (decision.action, decision.policy_version) == ("redact", SHIPPED.version)


async def test_while_the_store_never_answered_only_tenants_of_the_policies_are_served(store: MemoryTenants) -> None:
    await store.append(version("acme", platform=TenantConfiguration()))
    store.away = True
    policies = TenantPolicies(SHIPPED, KnownTenants(store))
    await (await policies.pinned(DEMO)).admit(DEMO, 1)
    with pytest.raises(Unavailable, match="store of tenants"):
        await policies.pinned(ACME)


async def test_where_there_is_no_store_an_unknown_tenant_is_just_unknown() -> None:
    policy = await TenantPolicies(SHIPPED, KnownTenants(None)).pinned(ACME)
    with pytest.raises(Unauthorized):
        await policy.admit(ACME, 1)


async def test_what_holds_is_worked_out_once_for_each_version(tenants: Tenants) -> None:
    policies = tenants.policies
    assert isinstance(policies, TenantPolicies)
    policy = await policies.pinned(DEMO)
    first = await policies.standing(policy, DEMO)
    assert await policies.standing(policy, DEMO) is first
    later = policy.under(Layers(2, own=TenantConfiguration(key_required=True)))
    assert (await policies.standing(later, DEMO)).rules.key_required


async def test_a_priority_above_the_tenants_is_capped(tenants: Tenants) -> None:
    await tenants.configure(DEMO, saying(max_priority="normal"), OWN, 0)
    policy = await tenants.policies.pinned(DEMO)
    given = [await policy.admit(DEMO, 1, False, priority) for priority in ("low", "high", "critical")]
    assert given == ["low", "normal", "normal"]
