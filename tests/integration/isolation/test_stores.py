"""What is kept, under whose name, and that one tenant's sealed bytes are nothing in another's place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from llama_mapper.chassis.sealing import Sealer, Unsealable
from tests.isolation.stores import OF_THE_MACHINE, REDIS, TABLES, Place
from tests.isolation.world import ALDER, BIRCH, JOBS, JUDGE, KEYSET, configuration
from tests.unit.record import samples

from .conftest import Both, mapper

ROOT = Path(__file__).parents[3]
CODE = [ROOT / "functions", ROOT / "inference-services" / "mapper" / "mapper_serving", ROOT / "shared" / "llama_mapper"]
NAME = re.compile(r"(?:orchestrate|mapper|identity):[a-z]+(?:-[a-z]+)*(?::|$)")
SCOPE = re.compile(r"[a-z]+:(?:use|read|write|restore)$")
WORD = {"detector": "presidio", "detector_version": "2.2.366", "label": "NOBODY_KNOWS"}


def place_of(name: str) -> Place:
    """The one place *name* is a key of."""
    found = [place for place in REDIS if place.regex.fullmatch(name)]
    assert len(found) == 1, f"{name} is a key of {[place.pattern for place in found]}"
    return found[0]


async def reviewed(url: str, tenant: str) -> None:
    """Have a label wait for *tenant*, and decide another."""
    async with mapper(url) as client:
        mine = {"X-Tenant-ID": tenant}
        for label in (f"OF_{tenant.upper()}", "FOR_BOTH"):
            assert (await client.post("/api/v1/map", json=WORD | {"label": label}, headers=mine)).status_code == 200
        waiting = {one["label"]: one["id"] for one in (await client.get("/api/v1/reviews", headers=mine)).json()}
        said = {"decision": "accept", "labels": [{"label": "PII.Contact.Email"}], "by": tenant, "note": tenant}
        decided = await client.post(f"/api/v1/reviews/{waiting['FOR_BOTH']}", json=said, headers=mine)
        assert decided.status_code == 200, decided.text


def test_every_key_of_the_store_is_classified_and_under_its_tenants_name(both: Both, url: str) -> None:
    for tenant in (ALDER, BIRCH):
        both.runner.run(reviewed(url, tenant))
    kept = [name.decode() for name in both.runner.run(_names(both))]
    seen: dict[str, set[str]] = {}
    for name in kept:
        place = place_of(name)
        match = place.regex.fullmatch(name)
        assert match
        seen.setdefault(place.pattern, set()).add(match.groupdict().get("tenant") or "")
    assert {place.pattern for place in REDIS if place.made} - set(seen) == set()
    for place in REDIS:
        if place.made and place.apart == "named":
            assert seen[place.pattern] >= {ALDER, BIRCH}, place.pattern
            assert seen[place.pattern] <= {ALDER, BIRCH, "platform", "*"}, place.pattern


async def _names(both: Both) -> list[bytes]:
    return [name async for name in both.world.redis.scan_iter()]


def test_every_name_of_a_key_in_the_code_is_classified() -> None:
    found = {text for folder in CODE for path in folder.rglob("*.py") for text in literals(path)}
    assert len(found) >= 15
    assert [text for text in sorted(found) if not any(place.pattern.startswith(text) for place in REDIS)] == []
    unknown = [place.pattern for place in REDIS if not any(place.prefix.startswith(text) for text in found)]
    assert [pattern for pattern in unknown if not pattern.startswith(("limits", "identity"))] == []


def literals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if NAME.match(text) and not SCOPE.match(text):
            yield text


def test_what_is_said_to_be_sealed_is(both: Both) -> None:
    kept = both.runner.run(both.world.kept())
    sealed = {name: value for name, value in kept.items() if place_of(name.decode()).sealed}
    assert len({place_of(name.decode()).pattern for name in sealed}) == sum(one.sealed and one.made for one in REDIS)
    for name, value in sealed.items():
        for word in (b"MAIL-", b"whsec_", both.others.key.encode(), b"PII.Contact", b"http://"):
            assert word not in value, name


def test_a_result_moved_to_another_tenants_job_does_not_open(both: Both) -> None:
    async def move() -> None:
        keys = [f"orchestrate:jobs:result:{one.tenant}:{one.job_id}" for one in (both.own, both.others)]
        before = await both.world.redis.get(keys[1])
        await both.world.redis.set(keys[1], await both.world.redis.get(keys[0]) or b"")
        answer = await both.world.ask(BIRCH, "GET", f"{JOBS}/{both.others.job_id}/result")
        assert (answer.status_code, answer.json()["error_code"]) == (410, "GONE"), answer.text
        await both.world.redis.set(keys[1], before or b"")

    both.runner.run(move())


def test_a_webhook_secret_moved_to_another_tenant_does_not_open(both: Both) -> None:
    async def move() -> None:
        keys = [f"orchestrate:webhook-secret:{tenant}" for tenant in (ALDER, BIRCH)]
        before = await both.world.redis.get(keys[1])
        await both.world.redis.set(keys[1], await both.world.redis.get(keys[0]) or b"")
        answer = await both.world.ask(BIRCH, "GET", "/api/v1/webhooks/secret")
        assert answer.status_code == 503, answer.text
        await both.world.redis.set(keys[1], before or b"")

    both.runner.run(move())


def test_a_registered_detector_moved_to_another_tenant_is_not_there(both: Both) -> None:
    async def move() -> None:
        redis: Any = both.world.redis
        sealed = await redis.hget(f"orchestrate:detectors:{ALDER}:kept", both.own.detector)
        await redis.hset(f"orchestrate:detectors:{BIRCH}:kept", both.own.detector, sealed)
        await redis.incr(f"orchestrate:detectors:{BIRCH}:generation")
        both.world.module.joining.joined.forget(BIRCH)
        listed = (await both.world.ask(BIRCH, "GET", "/api/v1/detectors")).json()["detectors"]
        ids = {one["id"] for one in listed}
        assert both.others.detector in ids
        assert both.own.detector not in ids
        await redis.hdel(f"orchestrate:detectors:{BIRCH}:kept", both.own.detector)

    both.runner.run(move())


def test_a_judgement_moved_to_another_tenant_is_judged_anew(both: Both) -> None:
    async def move() -> None:
        redis = both.world.redis
        words = {"content": "MAIL-same@x for both", "detector_types": ["words"]}
        names: dict[str, Any] = {}
        for tenant in (ALDER, BIRCH):
            before = set(await redis.keys(f"orchestrate:judgement:{tenant}:*"))
            assert (await both.world.ask(tenant, "POST", JUDGE, words)).status_code == 200
            (names[tenant],) = set(await redis.keys(f"orchestrate:judgement:{tenant}:*")) - before
        asked = len(list(both.world.services.came("/api/v1/detect")))
        assert (await both.world.ask(BIRCH, "POST", JUDGE, words)).status_code == 200
        assert len(list(both.world.services.came("/api/v1/detect"))) == asked, "it is kept for its own tenant"
        await redis.set(names[BIRCH], await redis.get(names[ALDER]) or b"")
        assert (await both.world.ask(BIRCH, "POST", JUDGE, words)).status_code == 200
        assert len(list(both.world.services.came("/api/v1/detect"))) == asked + 1

    both.runner.run(move())


def test_an_answer_moved_to_another_tenants_idempotency_key_does_not_open(both: Both) -> None:
    async def move() -> None:
        redis = both.world.redis
        words = {"content": "MAIL-once@x for both", "detector_types": ["words"]}
        names: dict[str, Any] = {}
        answers = {}
        for tenant in (ALDER, BIRCH):
            before = set(await redis.keys("orchestrate:idempotency:*"))
            answers[tenant] = await both.world.ask(tenant, "POST", JUDGE, words, {"Idempotency-Key": "the-same"})
            (names[tenant],) = set(await redis.keys("orchestrate:idempotency:*")) - before
        assert "Idempotency-Replayed" not in answers[BIRCH].headers
        assert answers[ALDER].json()["request_id"] != answers[BIRCH].json()["request_id"]
        await redis.set(names[BIRCH], await redis.get(names[ALDER]) or b"")
        answer = await both.world.ask(BIRCH, "POST", JUDGE, words, {"Idempotency-Key": "the-same"})
        assert answer.status_code == 422, answer.text
        assert answers[ALDER].json()["request_id"] not in answer.text

    both.runner.run(move())


def test_a_second_factor_moved_to_another_tenants_key_is_none(both: Both) -> None:
    async def move() -> None:
        redis, keys = both.world.redis, []
        for tenant in (ALDER, BIRCH):
            new = {"name": "admin", "scopes": ["keys:write", "keys:read"]}
            made = (await both.world.ask(tenant, "POST", "/api/v1/keys", new)).json()
            uri = (await both.world.ask(tenant, "POST", f"/api/v1/keys/{made['key']['id']}/one-time-codes")).json()
            keys.append((made["key"]["id"], made["secret"], uri["uri"]))
        await redis.set(f"identity:otp:{keys[1][0]}", await redis.get(f"identity:otp:{keys[0][0]}") or b"")
        phone = pyotp.parse_uri(keys[0][2])
        assert isinstance(phone, pyotp.TOTP)
        headers = {"X-API-Key": keys[1][1], "X-One-Time-Code": phone.now()}
        new = {"name": "by a stranger's phone", "scopes": ["keys:read"]}
        answer = await both.world.client.post("/api/v1/keys", json=new, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHORIZED"), answer.text

    both.runner.run(move())


def test_a_callback_moved_to_another_tenants_job_does_not_open(both: Both) -> None:
    async def move() -> None:
        redis: Any = both.world.redis
        (own, others) = (f"orchestrate:jobs:job:{one.tenant}:{one.callback_job_id}" for one in (both.own, both.others))
        sealed, theirs = await redis.hget(own, "callback"), await redis.hget(others, "callback")
        place = (BIRCH, "job", both.others.callback_job_id, "callback")
        assert Sealer(KEYSET).open(theirs, *place).endswith(b"/gone")
        with pytest.raises(Unsealable):
            Sealer(KEYSET).open(sealed, *place)

    both.runner.run(move())


def test_a_token_of_another_tenant_stays_a_token_and_a_hash_is_another(both: Both) -> None:
    back = both.ask(ALDER, "POST", "/api/v1/detokenize", {"content": both.others.redacted}).json()
    assert (back["restored"], back["unknown"], back["content"]) == (0, 1, both.others.redacted)
    words = {"content": "MAIL-same@x for both", "detector_types": ["words"], "redaction": "hash"}
    hashed = [both.ask(t, "POST", JUDGE, words).json()["redaction"]["content"] for t in (ALDER, BIRCH)]
    assert hashed[0] != hashed[1]


def test_a_version_of_a_configuration_is_its_tenants(both: Both) -> None:
    for tenant in (ALDER, BIRCH):
        (version,) = both.ask(tenant, "GET", configuration(tenant, "/versions")).json()["versions"]
        assert version["why"] == f"why-{tenant}"


async def test_a_review_is_its_tenants_and_so_is_what_was_decided(url: str) -> None:
    for tenant in ("cedar", "dogwood"):
        await reviewed(url, tenant)
    async with mapper(url) as client:
        mine = {"X-Tenant-ID": "cedar"}
        listed = (await client.get("/api/v1/reviews", headers=mine)).json()
        assert [one["label"] for one in listed] == ["OF_CEDAR"]
        theirs = (await client.get("/api/v1/reviews", headers={"X-Tenant-ID": "dogwood"})).json()[0]["id"]
        said = {"decision": "reject", "by": "probe"}
        assert (await client.get(f"/api/v1/reviews/{theirs}", headers=mine)).status_code == 404
        assert (await client.post(f"/api/v1/reviews/{theirs}", json=said, headers=mine)).status_code == 404
        answer = await client.post(
            f"/api/v1/reviews/{listed[0]['id']}", json=said | {"scope": "platform"}, headers=mine
        )
        assert answer.status_code == 403
        stranger = {"X-Tenant-ID": "a-third"}
        for label, headers, known in (("FOR_BOTH", mine, True), ("FOR_BOTH", stranger, False)):
            mapped = (await client.post("/api/v1/map", json=WORD | {"label": label}, headers=headers)).json()
            assert (mapped["labels"][0]["label"] == "PII.Contact.Email") is known


READ = ("findings", "requests", "decisions", "summary", "costs", "experiments", "dead-letters")
PERIOD = "from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z&name=PII.Contact.Email&name=PII.Contact.Phone"
BY = ("", "?request_id=req-00000001", "?correlation_id=corr-0001", "?label=PII")


async def test_rows_of_another_tenant_change_no_answer(rows: Any) -> None:
    client, store = rows

    async def read(tenant: str) -> list[Any]:
        paths = [f"/api/v1/{what}?{PERIOD}" for what in ("series", "pairs")]
        paths += [f"/api/v1/{what}{by}" for what in READ for by in (BY if what == "findings" else BY[:2])]
        return [(await client.get(path, headers={"X-Tenant-ID": tenant})).json() for path in paths]

    before = await read(ALDER)
    assert not [answer for answer in before if "error_code" in answer]
    events = [samples.event(path.stem) | {"tenantid": BIRCH} for path in sorted(samples.EVENTS.glob("*.json"))]
    taken = 0
    for event in events:
        sent = await client.post("/events", json=event, headers={"Content-Type": "application/cloudevents+json"})
        taken += sent.status_code == 204
    letter = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-tenantid": BIRCH}
    assert (await client.post("/dead-letters", headers=letter)).status_code == 204
    assert taken >= 5
    assert await read(ALDER) == before
    assert await read(BIRCH) != before
    tables = {row["name"] for row in await store.query("SHOW TABLES", {})} - OF_THE_MACHINE
    assert tables == set(TABLES)
    for table in tables - {"canary_steps"}:
        kept = await store.query("SELECT DISTINCT tenant_id FROM {t:Identifier}", {"t": table})
        assert {row["tenant_id"] for row in kept} == {BIRCH}, table
    sorted_by = await store.query("SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase()", {})
    assert {row["name"] for row in sorted_by if row["sorting_key"].startswith("tenant_id")} >= set(TABLES)
