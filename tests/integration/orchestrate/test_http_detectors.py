"""Vendors' APIs as detectors: over HTTP through orchestrate, to a vendor that answers as its pages say and to the real
mapper with its vocabularies."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import load
from mapper_serving.adapters import MemoryStore
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.server import create_server
from mapper_serving.service import Mapper
from mapper_serving.settings import Settings
from mapper_serving.vocabulary import Vocabularies, read_all
from tests.fakes.functions import serving
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer, Received, Subscriber, listening
from tests.fakes.vendors import AZURE, BEDROCK, CONTENT, DLP, OPENAI, chat, v2

DEMO = {"X-Tenant-ID": "demo"}
SAID = {
    "/v1/moderations": OPENAI,
    "/contentsafety/text:analyze": AZURE,
    "/v2/projects/p/locations/global/content:inspect": DLP,
    "/guardrail/g/version/DRAFT/apply": BEDROCK,
    "/v1/chat/completions": chat("unsafe\nS5"),
    "/api/v1/text/contents": [[{"start": 0, "end": 3, "detection": "PERSON", "detection_type": "pii", "score": 0.9}]],
    "/v1/models/toxicity:predict": {"predictions": [{"insult": 0.9}]},
    "/v1/models/mine:predict": {"predictions": [{"insult": 0.9}]},
    "/v1/models/keys:predict": {"predictions": [{"USERNAME": 0.9}]},
    "/v2/models/toxicity/infer": v2(0.1, 0.9),
}
DETECTORS: dict[str, dict[str, Any]] = {
    "openai": {"adapter": "openai-moderation"},
    "azure": {"adapter": "azure-content-safety"},
    "dlp": {"adapter": "google-dlp", "options": {"project": "p"}},
    "bedrock": {"adapter": "aws-bedrock-guardrails-pii", "options": {"region": "eu-west-1", "guardrail": "g"}},
    "guard-two": {"adapter": "llama-guard", "version": "2-8b", "vocabulary": "llama-guard"},
    "guard-three": {"adapter": "llama-guard"},
    "trusty": {"adapter": "trustyai-detectors", "options": {"detector_id": "ner"}, "vocabulary": "presidio"},
    "trusty-three": {
        "adapter": "trustyai-detectors",
        "options": {"detector_id": "ner"},
        "vocabulary": "presidio",
        "version": "3",
    },
    "toxic": {
        "adapter": "kserve-v1",
        "options": {"model": "toxicity"},
        "vocabulary": "detoxify",
        "vocabulary_version": "unbiased",
    },
    "toxic-two": {
        "adapter": "kserve-v2",
        "options": {"model": "toxicity", "classes": ["toxicity", "insult"]},
        "vocabulary": "detoxify-original",
    },
}
MODELS = {"mine": {"vocabulary": "detoxify", "version": "original"}, "keys": {"vocabulary": "starpii"}}


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        yield started


@pytest.fixture
async def mapper() -> AsyncIterator[Subscriber]:
    """The mapper with its real vocabularies, without a model."""
    taxonomy, store = load(), MemoryStore("1")
    rules = Rules(Vocabularies(read_all(Settings().vocabularies)), taxonomy)
    real = Mapper(
        rules=rules,
        cache=store,
        reviews=MemoryReviews(),
        versions=Versions(taxonomy=taxonomy.version, mapper="1"),
    )
    app = create_server(real, store, Settings())

    async def behave(received: Received) -> Answer:
        headers = {name: received.headers[name] for name in ("content-type", "x-tenant-id")}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mapper") as inside:
            answer = await inside.post(received.path, content=received.body, headers=headers)
        return Answer(answer.status_code, JSON, answer.content)

    async with listening(behave) as started:
        yield started


@pytest.fixture
async def vendor() -> AsyncIterator[Subscriber]:
    async def behave(received: Received) -> Answer:
        return Answer(200, JSON, json.dumps(SAID[received.path]).encode())

    async with listening(behave) as started:
        yield started


@pytest.fixture
async def client(
    services: Services, mapper: Subscriber, vendor: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    entries = {
        name: {
            "url": vendor.url,
            "secret_env": "VENDOR_KEY" if name != "bedrock" else "AWS_KEYS",
            **said,
        }
        for name, said in DETECTORS.items()
    }
    monkeypatch.setenv("VENDOR_KEY", "key-1")
    monkeypatch.setenv("AWS_KEYS", "AKID:secret")
    monkeypatch.setenv("ORCHESTRATION_HTTP_DETECTORS", json.dumps(entries))
    servers = {name: f"{vendor.url}/v1/models/{name}:predict" for name in MODELS}
    monkeypatch.setenv("ORCHESTRATION_MODEL_SERVERS", json.dumps(servers))
    monkeypatch.setenv("ORCHESTRATION_MODEL_VOCABULARIES", json.dumps(MODELS))
    monkeypatch.setenv("ORCHESTRATION_DEADLINE_SECONDS", "30")
    monkeypatch.setenv("ORCHESTRATION_MAPPER_BUDGET_SECONDS", "20")
    monkeypatch.setenv("ORCHESTRATION_DETECT_URL", services.url)
    monkeypatch.setenv("ORCHESTRATION_ANALYZE_URL", services.url)
    monkeypatch.setenv("ORCHESTRATION_MAPPER_URL", mapper.url)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


async def ask(client: httpx.AsyncClient, *names: str) -> httpx.Response:
    return await client.post(
        "/api/v1/orchestrate", json={"content": CONTENT, "detector_types": list(names)}, headers=DEMO
    )


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("openai", {"HARM.Violence", "HARM.Violence.Graphic"}),
        ("azure", {"HARM.Hate", "HARM.Violence"}),
        ("dlp", {"PII.Contact.Email", "PII.Person.Name"}),
        ("bedrock", {"PII.Contact.Email", "PII.Person.Name", "OTHER.Unknown"}),
        ("guard-two", {"HARM.SpecializedAdvice"}),
        ("guard-three", {"HARM.Speech.Defamation"}),
        ("trusty", {"PII.Person.Name"}),
        ("trusty-three", {"PII.Person.Name"}),
        ("toxic", {"HARM.Speech.Insult"}),
        ("toxic-two", {"HARM.Speech.Insult"}),
        ("keys", {"PII.Online.Username"}),
        ("mine", {"HARM.Speech.Insult"}),
    ],
)
async def test_a_vendors_words_become_canonical_labels(
    client: httpx.AsyncClient, services: Services, name: str, labels: set[str]
) -> None:
    response = await ask(client, name)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert {one["label"] for one in answer["findings"]} == labels
    assert [(one["detector"], one["status"]) for one in answer["detectors"]] == [(name, "ok")]
    (event,) = services.came(BROKER)
    assert "a@b.org" not in response.text + event.body.decode()


async def test_they_stand_in_the_directory_and_in_their_family(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/v1/detectors", headers=DEMO)).json()["detectors"]
    assert set(DETECTORS) <= {one["id"] for one in listed}
    health = await client.get("/api/v1/detectors/azure/health", headers=DEMO)
    assert (health.status_code, health.json()["version"]) == (200, "2024-09-01")
    asked = {one["detector"] for one in (await ask(client, "pii")).json()["detectors"]}
    assert asked == {"words", "numbers", "dlp", "bedrock"}


async def test_a_vendor_that_says_nonsense_is_a_failed_detector_beside_the_others(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "/v1/moderations", {"error": CONTENT})
    response = await ask(client, "openai", "azure")
    assert response.status_code == 206
    answer = response.json()
    assert {one["detector"]: one["status"] for one in answer["detectors"]} == {"openai": "failed", "azure": "ok"}
    assert answer["degraded"] == ["detector.openai.failed"]
    assert "a@b.org" not in response.text
