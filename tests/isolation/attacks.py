"""What a stranger, or a tenant, may try at the front door over HTTP, and what is answered: docs/attacks.md's table."""

import json
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pyotp

from llama_mapper.contracts.identity import SCOPES
from tests.fakes.registered import registration
from tests.unit.identity.test_audit import TAMPERED
from tests.unit.identity.test_keys import ATTACKS as KEY_ATTACKS
from tests.unit.identity.test_tokens import ATTACKS as TOKEN_ATTACKS

from .world import ALDER, BIRCH, DETECTORS, JOBS, JUDGE, KEYS, PROVIDER, Things, World, configuration

WORDS = {"content": "write to MAIL-attack@x", "detector_types": ["words"]}
DETOKENIZE = "/api/v1/detokenize"


@dataclass(frozen=True)
class Siege:
    """The world of an attack: the attacker is of *own*'s tenant, where it is of any, and after *others*' things."""

    world: World
    own: Things
    others: Things

    async def key(self, *scopes: str, tenant: str = ALDER) -> tuple[str, str]:
        """A key of *tenant*: its id and itself."""
        new = {"name": "of an attack", "scopes": list(scopes)}
        made = (await self.world.ask(tenant, "POST", KEYS, new)).json()
        return made["key"]["id"], made["secret"]

    async def phone(self, key_id: str, tenant: str = ALDER) -> pyotp.TOTP:
        made = await self.world.ask(tenant, "POST", f"{KEYS}/{key_id}/one-time-codes")
        phone = pyotp.parse_uri(made.json()["uri"])
        assert isinstance(phone, pyotp.TOTP)
        return phone

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """As nobody in particular, but for *headers*."""
        return await self.world.client.request(method, path, json=body, headers=dict(headers or {}))


Attempt = Callable[[Siege], Coroutine[Any, Any, httpx.Response]]


@dataclass(frozen=True)
class Attack:
    """*answer* is the status and the error code."""

    kind: str
    name: str
    answer: tuple[int, str]
    attempt: Attempt


UNAUTHORIZED, FORBIDDEN, MISSING = (401, "UNAUTHORIZED"), (403, "INSUFFICIENT_RBAC"), (404, "NOT_FOUND")
INVALID, UNPROCESSABLE = (400, "INVALID_REQUEST"), (422, "UNPROCESSABLE")


def _with_token(make: Callable[[Any], str]) -> Attempt:
    def attempt(siege: Siege) -> Coroutine[Any, Any, httpx.Response]:
        return siege.send("POST", JUDGE, WORDS, {"Authorization": f"Bearer {make(PROVIDER)}"})

    return attempt


def _with_key(make: Callable[[str, Any], str]) -> Attempt:
    def attempt(siege: Siege) -> Coroutine[Any, Any, httpx.Response]:
        known = type("Known", (), {"id": siege.own.key_id})
        return siege.send("POST", JUDGE, WORDS, {"X-API-Key": make(siege.own.key, known)})

    return attempt


async def _revoked(siege: Siege) -> httpx.Response:
    key_id, key = await siege.key("orchestrate:use")
    await siege.world.ask(ALDER, "DELETE", f"{KEYS}/{key_id}")
    return await siege.send("POST", JUDGE, WORDS, {"X-API-Key": key})


async def _rotated(siege: Siege) -> httpx.Response:
    """The old key once its overlap is over."""
    key_id, key = await siege.key("orchestrate:use")
    await siege.world.ask(ALDER, "POST", f"{KEYS}/{key_id}/rotation")
    kept: Any = siege.world.redis
    await kept.hset(f"identity:key:{key_id}", "expires_at", json.dumps("2026-01-01T00:00:00Z"))
    return await siege.send("POST", JUDGE, WORDS, {"X-API-Key": key})


async def _twice(siege: Siege) -> httpx.Response:
    return await siege.send("POST", JUDGE, WORDS, siege.world.administrator(ALDER) | {"X-API-Key": siege.own.key})


async def _wider_key(siege: Siege) -> httpx.Response:
    key_id, key = await siege.key("keys:write")
    shown = {"X-API-Key": key, "X-One-Time-Code": (await siege.phone(key_id)).now()}
    return await siege.send("POST", KEYS, {"name": "wider", "scopes": list(SCOPES)}, shown)


async def _wider_by_rotation(siege: Siege) -> httpx.Response:
    narrow, wide = await siege.key("keys:write"), await siege.key("policies:write")
    shown = {"X-API-Key": narrow[1], "X-One-Time-Code": (await siege.phone(narrow[0])).now()}
    return await siege.send("POST", f"{KEYS}/{wide[0]}/rotation", None, shown)


async def _other_scope(siege: Siege) -> httpx.Response:
    return await siege.send("GET", KEYS, None, {"X-API-Key": (await siege.key("orchestrate:use"))[1]})


async def _replayed_code(siege: Siege) -> httpx.Response:
    key_id, key = await siege.key("keys:write", "keys:read")
    shown = {"X-API-Key": key, "X-One-Time-Code": (await siege.phone(key_id)).now()}
    new = {"name": "first", "scopes": ["keys:read"]}
    assert (await siege.send("POST", KEYS, new, shown)).status_code == 201
    return await siege.send("POST", KEYS, new, shown)


async def _borrowed_code(siege: Siege) -> httpx.Response:
    """The code of another key's phone."""
    one, other = await siege.key("keys:write", "keys:read"), await siege.key("keys:write", "keys:read")
    await siege.phone(one[0])
    shown = {"X-API-Key": one[1], "X-One-Time-Code": (await siege.phone(other[0])).now()}
    return await siege.send("POST", KEYS, {"name": "n", "scopes": ["keys:read"]}, shown)


async def _guessed_codes(siege: Siege) -> httpx.Response:
    key_id, key = await siege.key("keys:write", "keys:read")
    phone = await siege.phone(key_id)
    right = phone.now()
    new = {"name": "n", "scopes": ["keys:read"]}
    for number in range(5):
        wrong = f"{(int(right) + 1 + number) % 1_000_000:06}"
        await siege.send("POST", KEYS, new, {"X-API-Key": key, "X-One-Time-Code": wrong})
    return await siege.send("POST", KEYS, new, {"X-API-Key": key, "X-One-Time-Code": phone.now()})


def _claims(method: str, path: str, body: Any = None, **claims: Any) -> Attempt:
    """With an administrator's token of alder's, but for *claims*."""

    def attempt(siege: Siege) -> Coroutine[Any, Any, httpx.Response]:
        return siege.send(method, path, body, siege.world.administrator(ALDER, **claims))

    return attempt


def _alders(method: str, path: Callable[[Siege], str], body: Any = None, **headers: str) -> Attempt:
    """As alder's administrator."""

    def attempt(siege: Siege) -> Coroutine[Any, Any, httpx.Response]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return siege.world.ask(ALDER, method, path(siege), body, named)

    return attempt


def _job(rest: str = "", method: str = "GET") -> Attempt:
    return _alders(method, lambda siege: f"{JOBS}/{siege.others.job_id}{rest}")


def _detector(url: str, **more: Any) -> Attempt:
    return _alders("POST", lambda _: DETECTORS, registration(url, id="alder.probe", **more))


def _callback(url: str) -> Attempt:
    return _alders("POST", lambda _: JOBS, WORDS, X_Callback_URL=url)


async def _other_body(siege: Siege) -> httpx.Response:
    headers = {"Idempotency-Key": siege.own.idempotency_key}
    return await siege.world.ask(ALDER, "POST", JUDGE, WORDS, headers)


async def _next_job(siege: Siege) -> httpx.Response:
    """An id that follows another tenant's."""
    head, _, tail = siege.others.job_id.rpartition("-")
    return await siege.world.ask(ALDER, "GET", f"{JOBS}/{head}-{int(tail, 16) + 1:020x}")


async def _moved_audit(siege: Siege) -> httpx.Response:
    return await siege.world.ask(ALDER, "GET", "/api/v1/audit", headers={"X-Tenant-ID": BIRCH})


async def _tenants(siege: Siege) -> httpx.Response:
    return await siege.send("POST", JUDGE, WORDS, {"X-API-Key": siege.own.key, "X-Tenant-ID": BIRCH})


async def _nobodys(siege: Siege) -> httpx.Response:
    headers = siege.world.administrator(ALDER, tenants=[]) | {"X-Tenant-ID": BIRCH}
    return await siege.send("POST", JUDGE, WORDS, headers)


async def _unbound(siege: Siege) -> httpx.Response:
    return await siege.send("POST", JUDGE, WORDS, {"X-Tenant-ID": BIRCH})


NEW_KEY = {"name": "n", "scopes": ["keys:read"]}
LONG_AGO = int(time.time()) - 7200

ATTACKS: tuple[Attack, ...] = (
    *(Attack("token", name, UNAUTHORIZED, _with_token(make)) for name, make in TOKEN_ATTACKS.items()),
    *(Attack("API key", name, UNAUTHORIZED, _with_key(make)) for name, make in KEY_ATTACKS.items()),
    Attack("API key", "a revoked key", UNAUTHORIZED, _revoked),
    Attack("API key", "a rotated key after its overlap", UNAUTHORIZED, _rotated),
    Attack("API key", "a key and a token at once", INVALID, _twice),
    Attack("scope", "a key with every scope made by a narrow one", FORBIDDEN, _wider_key),
    Attack("scope", "a wide key rotated by a narrow one", FORBIDDEN, _wider_by_rotation),
    Attack("scope", "a key used beyond its scopes", FORBIDDEN, _other_scope),
    Attack("second factor", "none shown", FORBIDDEN, _claims("POST", KEYS, NEW_KEY, amr=["pwd"])),
    Attack("second factor", "shown two hours ago", FORBIDDEN, _claims("POST", KEYS, NEW_KEY, auth_time=LONG_AGO)),
    Attack("second factor", "shown in the future", FORBIDDEN, _claims("POST", KEYS, NEW_KEY, auth_time=2**33)),
    Attack("second factor", "a code used twice", UNAUTHORIZED, _replayed_code),
    Attack("second factor", "the code of another key", UNAUTHORIZED, _borrowed_code),
    Attack("second factor", "five guesses, then the right code", (429, "RATE_LIMITED"), _guessed_codes),
    Attack(
        "second factor",
        "tokens turned back without it",
        FORBIDDEN,
        _claims("POST", DETOKENIZE, {"content": "<PII:t.x>"}, amr=["pwd"]),
    ),
    Attack("tenant", "no credential where one is needed", UNAUTHORIZED, _unbound),
    Attack("tenant", "a header that names another than the key's", FORBIDDEN, _tenants),
    Attack(
        "tenant",
        "a header that names another than the token's",
        FORBIDDEN,
        _alders("POST", lambda _: JUDGE, WORDS, X_Tenant_ID=BIRCH),
    ),
    Attack("tenant", "a token of no tenant", INVALID, _claims("POST", JUDGE, WORDS, tenants=[])),
    Attack("tenant", "a token of no tenant, and a header", FORBIDDEN, _nobodys),
    Attack("tenant", "a token of two, and neither named", INVALID, _claims("POST", JUDGE, WORDS, tenants=["a1", "b1"])),
    Attack("tenant", "a tenant's name as a pattern", INVALID, _alders("POST", lambda _: JUDGE, WORDS, X_Tenant_ID="*")),
    Attack(
        "tenant",
        "a tenant's name with a colon",
        INVALID,
        _alders("POST", lambda _: JUDGE, WORDS, X_Tenant_ID="alder:x"),
    ),
    Attack("tenant", "another's configuration read", FORBIDDEN, _alders("GET", lambda _: configuration(BIRCH))),
    Attack(
        "tenant",
        "another's configuration with one's own in the header",
        INVALID,
        _alders("GET", lambda _: configuration(BIRCH), X_Tenant_ID=ALDER),
    ),
    Attack("tenant", "another's audit log", FORBIDDEN, _moved_audit),
    Attack(
        "tenant",
        "another's key revoked",
        MISSING,
        _alders("DELETE", lambda siege: f"{KEYS}/{siege.others.key_id}"),
    ),
    Attack(
        "tenant",
        "another's detector removed",
        MISSING,
        _alders("DELETE", lambda siege: f"{DETECTORS}/{siege.others.detector}"),
    ),
    Attack(
        "tenant",
        "a detector for all tenants, registered by one",
        FORBIDDEN,
        _claims("POST", DETECTORS, registration("https://example.org/"), tenants=["platform"]),
    ),
    Attack("job", "another's job", MISSING, _job()),
    Attack("job", "another's result", MISSING, _job("/result")),
    Attack("job", "another's job cancelled", MISSING, _job(method="DELETE")),
    Attack("job", "an id next to another's", MISSING, _next_job),
    Attack("job", "an id that walks a path", MISSING, _alders("GET", lambda _: f"{JOBS}/..%2F..%2Fkeys")),
    Attack("job", "an id with a pattern", INVALID, _alders("GET", lambda _: f"{JOBS}/job-********")),
    Attack(
        "job",
        "another's dead callback sent again",
        MISSING,
        _alders("POST", lambda siege: f"/api/v1/webhooks/dead/{siege.others.callback_job_id}/replay"),
    ),
    Attack("idempotency", "one's own key with another body", UNPROCESSABLE, _other_body),
    Attack("detector's address", "a cloud's metadata service", INVALID, _detector("http://169.254.169.254/latest")),
    Attack("detector's address", "the same, in IPv6", INVALID, _detector("http://[fd00:ec2::254]/latest")),
    Attack("detector's address", "a private network", INVALID, _detector("https://10.0.0.1/")),
    Attack("detector's address", "an address as one number", INVALID, _detector("http://2852039166/")),
    Attack("detector's address", "IPv4 mapped into IPv6", INVALID, _detector("http://[::ffff:a9fe:a9fe]/")),
    Attack(
        "detector's address", "a store in the cluster", UNPROCESSABLE, _detector("http://redis.llama-mapper.svc:6379/")
    ),
    Attack("detector's address", "a name that leads nowhere", UNPROCESSABLE, _detector("https://nobody.invalid/")),
    Attack("detector's address", "another scheme", INVALID, _detector("file:///etc/passwd")),
    Attack("detector's address", "a name and password in it", INVALID, _detector("https://a:b@example.org/")),
    Attack("callback's address", "a cloud's metadata service", INVALID, _callback("https://169.254.169.254/")),
    Attack("callback's address", "a private network", INVALID, _callback("https://10.0.0.1/")),
    Attack(
        "callback's address", "a host that the tenant did not configure", INVALID, _callback("https://example.org/")
    ),
    Attack("callback's address", "another's host", INVALID, _callback("https://birch.example.org.evil.example/")),
)


@dataclass(frozen=True)
class Elsewhere:
    """An attack whose answer is no HTTP answer of the front door's, or needs another world; *test* tries it."""

    kind: str
    name: str
    answer: str
    test: str


_TOKENS, _WEBHOOKS = "tests/unit/identity/test_tokens.py", "tests/unit/client/test_webhooks.py"
_GATE, _STORES = "tests/integration/orchestrate/test_gate.py", "tests/integration/isolation/test_stores.py"
_TARGETS, _OUTBOUND = "tests/unit/orchestrate/test_webhook_targets.py", "tests/unit/orchestrate/test_outbound.py"

ELSEWHERE: tuple[Elsewhere, ...] = (
    *(
        Elsewhere(
            "audit log",
            name,
            f"told: {fault}",
            "tests/unit/identity/test_audit.py::test_what_was_tampered_with_is_told",
        )
        for name, (_, fault) in TAMPERED.items()
    ),
    Elsewhere(
        "provider's keys",
        "six keys that are not for signatures in the provider's set",
        "not used",
        f"{_TOKENS}::test_a_key_that_is_not_for_signatures_is_not_used",
    ),
    Elsewhere(
        "provider's keys",
        "fifty unknown kids, to make us ask",
        "asked once",
        f"{_TOKENS}::test_unknown_kids_do_not_make_us_ask_at_will",
    ),
    Elsewhere(
        "callback's signature",
        "a replay, a changed body, another's secret, no signature",
        "WrongSignature",
        f"{_WEBHOOKS}::test_what_is_not_ours_is_not_believed",
    ),
    Elsewhere(
        "callback's address",
        "a name that leads inside by the time it is called",
        "not called",
        f"{_TARGETS}::test_a_name_that_leads_inside_is_refused_when_it_is_called",
    ),
    Elsewhere(
        "detector's address",
        "a name whose second answer leads inside (rebinding)",
        "not called",
        f"{_OUTBOUND}::test_each_connection_is_judged_anew",
    ),
    Elsewhere(
        "address",
        "another X-Forwarded-For for each request",
        "429 RATE_LIMITED",
        f"{_GATE}::test_a_forged_address_gives_no_more_requests",
    ),
    Elsewhere(
        "idempotency",
        "another tenant's key, with the same body",
        "judged anew",
        f"{_STORES}::test_an_answer_moved_to_another_tenants_idempotency_key_does_not_open",
    ),
    Elsewhere(
        "store",
        "a result, secret, detector, judgement, answer, second factor or callback moved to another tenant's place",
        "does not open",
        f"{_STORES}::test_a_result_moved_to_another_tenants_job_does_not_open",
    ),
)
