"""New policies take the old ones' place whole and only when they are sound."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from functions.orchestrate.policies.bundle_archives import build
from functions.orchestrate.policies.bundle_store import BundleStore
from functions.orchestrate.policies.bundle_watch import LivePolicy, PathSource, StoredSource
from functions.orchestrate.policies.bundles import BrokenBundle, Bundle
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.policies.wiring import live_policy
from functions.orchestrate.settings import Settings
from llama_mapper.chassis.metrics import REGISTRY
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.registry.directory import DirectoryStorage
from tests.fakes.policies import bundle, decides, holds, sources, write

DEMO = TenantId("demo")
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())
NAME = "platform/decision:latest"


def live(folder: Path) -> LivePolicy:
    return LivePolicy(PathSource(folder), RegoPolicy, 0)


async def action(policy: LivePolicy) -> str:
    return (await (await policy.pinned(DEMO)).decide([], COVERED, DEMO)).action


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("llama_mapper_policy_reload_total", {"outcome": outcome}) or 0.0


async def test_a_sound_change_is_taken(tmp_path: Path) -> None:
    policy = live(write(tmp_path, sources(decision=decides("flag"))))
    before, counts = policy.current.version, counted("loaded")
    write(tmp_path, sources(decision=decides("block")) | holds("decision", "test_x if true"))
    assert await policy.check() == "loaded"
    assert await action(policy) == "block"
    assert policy.current.version != before
    last = policy.in_force().last_reload
    assert last is not None
    assert (last.outcome, last.version) == ("loaded", policy.current.version)
    assert counted("loaded") == counts + 1


async def test_nothing_changed_is_nothing_done(tmp_path: Path) -> None:
    policy = live(write(tmp_path, sources()))
    write(tmp_path, sources())
    assert await policy.check() is None
    assert policy.in_force().last_reload is None


@pytest.mark.parametrize(
    ("files", "data", "code"),
    [
        (sources(decision="decision := {"), None, "rego_parse_error"),
        (sources(decision="decision := nobody"), None, "rego_compile_error"),
        (sources(decision='decision := {"action": "allow", "reasons": []}'), None, "default_lets_through"),
        (sources(decision=decides("allow")) | holds("decision", "test_x if false"), None, "test_failed"),
        (sources(decision="decision := x if x := time.now_ns()"), None, "builtin_forbidden"),
        (sources(), "{", "not_json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_broken_change_is_refused_and_the_old_one_decides_on(
    tmp_path: Path, files: dict[str, str], data: str | None, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    policy = live(write(tmp_path, sources(decision=decides("redact"))))
    version, counts = policy.current.version, counted("refused")
    write(tmp_path, files, data or '{"version": "8"}')
    assert await policy.check() == "refused"
    assert (policy.current.version, await action(policy)) == (version, "redact")
    last = policy.in_force().last_reload
    assert last is not None
    assert code in {fault.code for fault in last.faults}
    assert counted("refused") == counts + 1
    assert "policy.refused" in {record.message for record in caplog.records if record.levelname == "ERROR"}


async def test_what_was_refused_is_said_once_and_its_mending_taken(tmp_path: Path) -> None:
    policy = live(write(tmp_path, sources()))
    write(tmp_path, sources(decision=decides("block")) | holds("decision", "test_x if false"))
    assert await policy.check() == "refused"
    assert await policy.check() is None
    write(tmp_path, holds("decision", "test_x if true"))
    assert await policy.check() == "loaded"
    assert await action(policy) == "block"


async def test_back_to_what_it_was_is_no_fault(tmp_path: Path) -> None:
    policy = live(write(tmp_path, sources()))
    version = policy.current.version
    write(tmp_path, sources(decision="decision := {"))
    assert await policy.check() == "refused"
    write(tmp_path, sources())
    assert await policy.check() in ("loaded", None)
    assert policy.current.version == version


class Shifting(PathSource):
    """A folder in which somebody writes while it is read."""

    def __init__(self, path: Path, during: Callable[[], object]) -> None:
        super().__init__(path)
        self.during = during

    def read(self) -> Bundle:
        found = super().read()
        self.during()
        return found


async def test_what_changes_under_our_hands_waits_until_it_is_whole(tmp_path: Path) -> None:
    source = Shifting(write(tmp_path, sources()), lambda: None)
    policy = LivePolicy(source, RegoPolicy, 0)
    write(tmp_path, sources(decision=decides("allow")))
    versions = iter(range(100))
    source.during = lambda: write(tmp_path, sources(), json.dumps({"version": str(next(versions))}))
    assert await policy.check() is None
    assert await action(policy) == "flag"
    source.during = lambda: None
    assert await policy.check() == "loaded"


async def test_a_version_that_does_not_fit_what_is_installed_is_refused(tmp_path: Path) -> None:
    def make(new: Bundle) -> RegoPolicy:
        if "block" in new.policies["decision/decision.rego"]:
            raise BrokenBundle("a plug-in does not fit")
        return RegoPolicy(new)

    policy = LivePolicy(PathSource(write(tmp_path, sources())), make, 0)
    write(tmp_path, sources(decision=decides("block")))
    assert await policy.check() == "refused"
    assert await action(policy) == "flag"


async def test_a_store_that_is_away_changes_nothing(tmp_path: Path) -> None:
    store = BundleStore(DirectoryStorage(tmp_path))
    store.put(NAME, build(bundle()))
    policy = LivePolicy(StoredSource(store, NAME), RegoPolicy, 0)
    (tmp_path / "platform" / "decision" / "latest.tar.gz").unlink()
    assert await policy.check() in ("refused", "unreachable")
    assert await action(policy) == "flag"


async def test_a_moved_tag_is_followed(tmp_path: Path) -> None:
    store = BundleStore(DirectoryStorage(tmp_path))
    store.put(NAME, build(bundle()))
    policy = LivePolicy(StoredSource(store, NAME), RegoPolicy, 0)
    archive = build(bundle(decision=decides("block")), "git-2")
    store.move(NAME, archive)
    assert await policy.check() == "loaded"
    assert await action(policy) == "block"
    said = policy.in_force()
    assert (said.revision, said.bundle, said.bundle_sha256) == ("git-2", NAME, store.digest(NAME))


async def test_a_request_keeps_the_version_it_began_with(tmp_path: Path) -> None:
    policy = live(write(tmp_path, sources(decision=decides("flag"))))
    pinned = await policy.pinned(DEMO)
    write(tmp_path, sources(decision=decides("block")))
    assert await policy.check() == "loaded"
    assert (await pinned.decide([], COVERED, DEMO)).action == "flag"
    assert await action(policy) == "block"


async def test_no_request_sees_a_mixture_while_versions_change(tmp_path: Path) -> None:
    """Every version admits tenants of its own number only and names it in its decision; some are broken."""

    def version(number: int) -> dict[str, str]:
        admission = f'admission := {{"allow": true, "reasons": ["v{number}"]}} if input.tenant_id'
        decision = f'decision := {{"action": "flag", "reasons": ["v{number}"], "obligations": []}} if input.findings'
        chosen = f'{{"detectors": ["d{number}"], "required": [], "coverage_method": "WEIGHTED"}}'
        broken = "\n\nx := {" if number % 5 == 4 else ""
        return sources(
            admission=admission, decision=decision + broken, selection=f"selection := {chosen} if input.available"
        )

    policy = live(write(tmp_path, version(0)))

    async def roll() -> None:
        for number in range(1, 30):
            write(tmp_path, version(number))
            await policy.check()

    from llama_mapper.contracts.orchestration import OrchestrateRequest

    seen: set[str] = set()

    async def request() -> None:
        pinned = await policy.pinned(DEMO)
        await pinned.admit(DEMO, 1)
        await asyncio.sleep(0)
        chosen = await pinned.select(OrchestrateRequest(content="x"), ["a"], DEMO)
        await asyncio.sleep(0)
        decision = await pinned.decide([], COVERED, DEMO)
        number = int(decision.reasons[0].removeprefix("v"))
        assert chosen.detectors == (f"d{number}",)
        assert number % 5 != 4, "a broken version decided"
        seen.add(decision.policy_version)

    rolling = asyncio.create_task(roll())
    while not rolling.done():
        await asyncio.gather(*(request() for _ in range(8)))
    await rolling
    await request()
    assert len(seen) > 1


async def test_the_watch_takes_a_change_by_itself(tmp_path: Path) -> None:
    taken = asyncio.Event()

    def make(new: Bundle) -> RegoPolicy:
        if "block" in new.policies["decision/decision.rego"]:
            taken.set()
        return RegoPolicy(new)

    async with aclosing(LivePolicy(PathSource(write(tmp_path, sources())), make, 0.01)) as policy:
        assert await policy.ready()
        write(tmp_path, sources(decision=decides("block")))
        await asyncio.wait_for(taken.wait(), 30)
        assert await action(policy) == "block"


def test_a_start_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenBundle):
        live(tmp_path)


def test_a_bundle_needs_a_store() -> None:
    with pytest.raises(SettingsError, match="ORCHESTRATION_POLICY_BUNDLE"):
        live_policy(Settings(policy_bundle=NAME))


async def test_a_bundle_of_the_store_is_loaded_by_its_name(tmp_path: Path) -> None:
    BundleStore(DirectoryStorage(tmp_path)).put(NAME, build(bundle(decision=decides("redact"))))
    policy = live_policy(Settings(policy_bundle=NAME, policy_store=str(tmp_path), policy_reload_seconds=0))
    assert await action(policy) == "redact"


def test_a_store_of_another_kind_is_named() -> None:
    with pytest.raises(Unavailable):
        live_policy(Settings(policy_bundle=NAME, policy_store="ftp://x"))
