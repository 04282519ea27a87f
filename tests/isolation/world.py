"""orchestrate on a real Valkey with tenants whose data is to be kept apart, and persons who administer them."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import new_keyset, new_token_keyset
from llama_mapper.contracts.identity import SCOPES
from tests.fakes.functions import ROOT, serving
from tests.fakes.identity_provider import AUDIENCE, ISSUER, Provider
from tests.fakes.registered import registration, saying
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer, Received
from tests.fakes.words import said
from tests.fuzz.surroundings import environment

ALDER, BIRCH = "alder", "birch"
"""Who asks, and whose things it asks for."""
PROVIDER = Provider()  # RSA keys take a while to make
PEPPER, KEYSET, TOKEN_KEYSET = "p" * 32, new_keyset(), new_token_keyset()
MANY = "1000000"
JUDGE, JOBS, KEYS, DETECTORS = "/api/v1/orchestrate", "/api/v1/jobs", "/api/v1/keys", "/api/v1/detectors"
WAIT_SECONDS = 20.0


@dataclass
class Things:
    """What one tenant has: ids and secrets, and every answer in which it was told of them."""

    tenant: str
    key_id: str = ""
    key: str = ""
    detector: str = ""
    job_id: str = ""
    callback_job_id: str = ""
    idempotency_key: str = ""
    content: str = ""
    redacted: str = ""
    shown: list[Any] = field(default_factory=list)

    def marks(self, others: "Things") -> frozenset[str]:
        """Texts that nobody else is ever to be told: those of this tenant's answers that are in no other's."""
        return frozenset(texts(self.shown)) - frozenset(texts(others.shown))


def texts(document: Any) -> Iterator[str]:
    """Every text of *document* that could tell whose it is; moments are everybody's."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for one in document:
            yield from texts(one)
    if isinstance(document, str) and len(document) >= 5 and not _is_moment(document):
        yield document


def _is_moment(text: str) -> bool:
    return text[:4].isdigit() and text[4:5] == "-"


@dataclass
class World:
    client: httpx.AsyncClient
    redis: Redis
    services: Services
    module: ModuleType

    def administrator(self, *tenants: str, **claims: Any) -> dict[str, str]:
        """Somebody with every scope in *tenants* who has just shown two factors; ``*`` is the platform."""
        shown = {"amr": ["pwd", "otp"], "auth_time": int(time.time()), "scope": " ".join(SCOPES)}
        return {"Authorization": f"Bearer {PROVIDER.sign({'tenants': list(tenants)} | shown | claims)}"}

    async def ask(
        self, tenant: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask as *tenant*'s administrator."""
        given = self.administrator(tenant) | dict(headers or {})
        return await self.client.request(method, path, json=body, headers=given)

    async def kept(self) -> dict[bytes, bytes]:
        """Every key of the store with its value, but those that only count requests."""
        names = [name async for name in self.redis.scan_iter() if not name.startswith(b"limits")]
        return {name: dumped for name in names if (dumped := await self.redis.dump(name)) is not None}

    async def until(self, tenant: str, path: str, name: str) -> Any:
        """What *path* answers *tenant* as soon as its field *name* says something."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not (answer := (await self.ask(tenant, "GET", path)).json()).get(name):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.02)
        return answer


@asynccontextmanager
async def world(url: str, folder: Path, *tenants: str) -> AsyncIterator[World]:
    """Open the front door for *tenants*, who all need a credential."""
    async with running() as services, Redis.from_url(url) as redis:
        await redis.flushdb()
        services.answers |= {
            "/jwks": lambda _: Answer(200, JSON, json.dumps({"keys": PROVIDER.documents}).encode()),
            "/gone": lambda _: Answer(410),
            "/api/v1/detect": _detected,
            "/api/v1/decisions": lambda _: Answer(200, JSON, b'{"decisions": []}'),
        }
        given = _settings(services.url, url, _policies(folder, tenants), folder)
        with environment(given | {"K_SINK": services.url + BROKER}):
            async with serving("orchestrate") as (client, module):
                yield World(client, redis, services, module)
                await module.joining.aclose()
                await module.jobs.aclose()
                await module.outbox.aclose()
                await module.door.aclose()
                await module.client.aclose()


def _settings(behind: str, redis: str, policies: Path, folder: Path) -> dict[str, str]:
    issuer = {"issuer": ISSUER, "jwks_url": f"{behind}/jwks", "audience": AUDIENCE}
    given = {f"{name}_URL": behind for name in ("DETECT", "MAPPER", "ANALYZE", "RECORD")} | {
        "REDIS_URL": redis,
        "POLICIES": str(policies),
        "POLICY_RELOAD_SECONDS": "0",
        "POLICY_STORE": str(folder / "bundles"),
        "PEPPER": PEPPER,
        "KEYSET": KEYSET,
        "TOKEN_KEYSET": TOKEN_KEYSET,
        "HMAC_KEY": "h" * 32,
        "ISSUERS": json.dumps([issuer]),
        "DETECTOR_NETWORKS": '["127.0.0.0/8"]',
        "CALLBACK_LOOPBACK": "true",
        "REQUESTS_PER_MINUTE": MANY,
        "REQUESTS_PER_MINUTE_ADDRESS": MANY,
        "LOG_LEVEL": "ERROR",
    }
    return {f"ORCHESTRATION_{name}": value for name, value in given.items()}


def _policies(folder: Path, tenants: tuple[str, ...]) -> Path:
    copied = folder / "policies"
    shutil.copytree(ROOT.parent / "policies", copied, dirs_exist_ok=True)
    data: dict[str, Any] = json.loads((copied / "data.json").read_text())
    known = {"enabled": True, "key_required": True, "max_content_characters": 50_000}
    data["tenants"] = dict.fromkeys(tenants, known)
    data["redaction"]["operators"] = ["mask", "hash", "token"]
    data["redaction"]["tenants"] = {}
    (copied / "data.json").write_text(json.dumps(data))
    return copied


def _detected(received: Received) -> Answer:
    asked = json.loads(received.body)
    reports = [said(name, asked["content"]).model_dump(mode="json", exclude_none=True) for name in asked["detectors"]]
    return Answer(200, JSON, json.dumps({"reports": reports}).encode())


async def furnish(one: World, tenant: str) -> Things:
    """Give *tenant* one of everything a tenant can have."""
    has = Things(tenant, idempotency_key=f"order-of-{tenant}", content=f"Write to MAIL-{tenant}@x today.")
    has.detector = f"{tenant}.judge"

    async def done(method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await one.ask(tenant, method, path, body, named)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        has.shown.append(answer.json())
        return answer.json()

    made = await done("POST", KEYS, {"name": f"of {tenant}", "scopes": ["orchestrate:use"]})
    has.key_id, has.key = made["key"]["id"], made["secret"]
    await done("POST", f"{KEYS}/{has.key_id}/one-time-codes")
    one.services.answers[f"/{tenant}"] = saying(has.detector, "hate_speech")
    await done("POST", DETECTORS, registration(f"{one.services.url}/{tenant}", id=has.detector, api_key=has.key))
    await _dead_callback(one, has)  # before it is said which hosts alone may be called
    configured = {"configuration": {"callback_hosts": [f"{tenant}.example.org"]}, "why": f"why-{tenant}"}
    await done("PUT", configuration(tenant), configured, If_Match='"0"')
    words = {"content": has.content, "detector_types": ["words"], "redaction": "token"}
    judged = await done("POST", JUDGE, words, Idempotency_Key=has.idempotency_key)
    has.redacted = judged["redaction"]["content"]
    job = await done("POST", JOBS, words, Idempotency_Key=f"job-of-{tenant}")
    has.job_id = job["id"]
    has.shown.append(await one.until(tenant, f"{JOBS}/{has.job_id}", "result"))
    await done("GET", f"{JOBS}/{has.job_id}/result")
    await done("GET", "/api/v1/webhooks/secret")
    await done("GET", "/api/v1/audit")
    return has


async def _dead_callback(one: World, has: Things) -> None:
    """Have a callback refused for good."""
    called = {"X-Callback-URL": f"{one.services.url}/gone"}
    words = {"content": has.content, "detector_types": ["words"]}
    job = await one.ask(has.tenant, "POST", JOBS, words, called)
    assert job.status_code == 202, job.text
    has.callback_job_id = job.json()["id"]
    has.shown += [job.json(), await one.until(has.tenant, "/api/v1/webhooks/dead", "callbacks")]


def configuration(tenant: str, rest: str = "") -> str:
    return f"/api/v1/tenants/{tenant}/configuration{rest}"
