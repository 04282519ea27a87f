"""orchestrate to be fuzzed: a real Valkey, a provider's tokens, policies without an open door, fakes behind it."""

import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from llama_mapper.chassis.sealing import new_keyset
from llama_mapper.contracts.identity import SCOPES
from tests.fakes.functions import ROOT, serving
from tests.fakes.identity_provider import AUDIENCE, ISSUER, Provider
from tests.fakes.orchestration import report
from tests.fakes.services import BROKER, JSON, running
from tests.fakes.subscriber import Answer, Received

from .running import on_a_port
from .surroundings import Running, environment, valkey

POLICIES = ROOT.parent / "policies"
DAY_SECONDS = 86_400
MANY = "1000000"
FAMILIES = {
    "presidio": "pii",
    "llama-mapper-regex": "pii",
    "detect-secrets": "secrets",
    "tox-block": "classifiers",
    "minilm-injection": "injection",
    "jailguard": "injection",
}
WORDS = {"presidio": ("EMAIL_ADDRESS", "PERSON"), "detect-secrets": ("AWS Access Key",), "tox-block": ("toxic",)}


@contextmanager
def orchestrate(folder: Path) -> Iterator[Running]:
    provider = Provider()

    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        async with running() as services:
            jwks = json.dumps({"keys": provider.documents}).encode()
            services.answers |= {
                "/api/v1/detectors": _offered,
                "/api/v1/detect": _detected,
                "/jwks": lambda _: Answer(200, JSON, jwks),
            }
            with environment(_settings(services.url, redis, folder) | {"K_SINK": services.url + BROKER}):
                async with serving("orchestrate") as (_, module):
                    yield module.app
                    await module.jobs.aclose()
                    await module.outbox.aclose()
                    await module.door.aclose()
                    await module.client.aclose()

    with valkey(folder) as redis, on_a_port(opened) as url:
        yield Running(url, {"X-Tenant-ID": "demo"}, {"Authorization": f"Bearer {_token(provider)}"})


def _settings(behind: str, redis: str, folder: Path) -> dict[str, str]:
    issuer = {"issuer": ISSUER, "jwks_url": f"{behind}/jwks", "audience": AUDIENCE}
    given = {f"{name}_URL": behind for name in ("DETECT", "MAPPER", "ANALYZE")} | {
        "REDIS_URL": redis,
        "POLICIES": str(_policies(folder)),
        "PEPPER": "p" * 32,
        "KEYSET": new_keyset(),
        "HMAC_KEY": "h" * 32,
        "ISSUERS": json.dumps([issuer]),
        "REQUESTS_PER_MINUTE": MANY,
        "REQUESTS_PER_MINUTE_ADDRESS": MANY,
        "LOG_LEVEL": "ERROR",
    }
    return {f"ORCHESTRATION_{name}": value for name, value in given.items()}


def _policies(folder: Path) -> Path:
    """The policies of the checkout, under which nobody gets in without a credential and a login lasts for a run."""
    copied = shutil.copytree(POLICIES, folder / "policies")
    data: dict[str, Any] = json.loads((copied / "data.json").read_text())
    data["tenants"]["demo"]["key_required"] = True
    data["access"]["step_up"]["max_age_seconds"] = DAY_SECONDS
    (copied / "data.json").write_text(json.dumps(data))
    return copied


def _token(provider: Provider) -> str:
    """Of somebody with every scope, who has just shown two factors."""
    now = int(time.time())
    shown = {"exp": now + DAY_SECONDS, "auth_time": now, "amr": ["pwd", "otp"]}
    return provider.sign(shown | {"scope": " ".join(SCOPES)})


def _offered(_: Received) -> Answer:
    known = [{"id": name, "version": "1.0", "family": family, "loaded": True} for name, family in FAMILIES.items()]
    return Answer(200, JSON, json.dumps({"detectors": known}).encode())


def _detected(received: Received) -> Answer:
    """Detectors with a word of theirs find it in two contents of three, by the content's length."""
    asked = json.loads(received.body)
    words = WORDS if len(asked["content"]) % 3 else {}
    reports = [report(name, *words.get(name, ()), family=FAMILIES[name]) for name in asked["detectors"]]
    said = [one.model_dump(mode="json", exclude_none=True) for one in reports]
    return Answer(200, JSON, json.dumps({"reports": said}).encode())
