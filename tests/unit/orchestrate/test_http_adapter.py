import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from purgatory import AsyncCircuitBreakerFactory

from functions.orchestrate.detectors.http_adapter import read_adapter
from functions.orchestrate.detectors.http_detectors import HttpDetectors
from functions.orchestrate.detectors.http_setup import HttpDetector
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.identifiers import DetectorId

ROOT = Path(__file__).parents[3]
ADAPTERS = ROOT / "functions" / "orchestrate" / "http_adapters"
VOCABULARIES = ROOT / "inference-services" / "mapper" / "vocabularies"
GOOD: dict[str, Any] = {
    "name": "my-api",
    "reference": "https://vendor.example/docs",
    "family": "classifiers",
    "vocabulary": "openai-moderation",
    "options": {"model": None},
    "request": {
        "path": "/check",
        "headers": {"Authorization": "Bearer {secret}"},
        "body": {"text": "{content}", "model": "{model}"},
    },
    "response": {"expects": ["hits"], "findings": [{"each": "hits", "label": "kind", "labels": {"h": "hate"}}]},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(GOOD))
    place: Any = document
    *way, last = path.split(".")
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    return document


def write(folder: Path, document: Any) -> Path:
    path = folder / "my-api.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def make(folder: Path, environment: dict[str, str] | None = None, **said: Any) -> HttpDetectors:
    given = {"adapter": "my-api", "url": "https://vendor.example", "secret_env": "KEY", "options": {"model": "m"}}
    one = HttpDetector.model_validate(given | said)
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    try:
        return HttpDetectors(
            {DetectorId("mine"): one},
            client,
            AsyncCircuitBreakerFactory(),
            (ADAPTERS, folder),
            VOCABULARIES,
            {"KEY": "k", "BROKEN": "a\nb"} if environment is None else environment,
        )
    finally:
        asyncio.run(client.aclose())


def test_a_good_adapter_becomes_a_detector(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (info,) = make(tmp_path).infos
    assert (info.id, info.family, info.version, info.loaded) == ("mine", "classifiers", "served", True)
    assert make(tmp_path).vocabularies == {"mine": "openai-moderation"}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("unheard_of", 1, "unheard_of"),
        ("request.unheard_of", 1, "request.unheard_of"),
        ("name", "another", "name"),
        ("family", "unheard-of", "family"),
        ("request.method", "GET", "request.method"),
        ("request.path", "check", "request.path"),
        ("request.path", "/check?key=1", "request.path"),
        ("request.path", "/check/{unheard_of}", "no such option: unheard_of"),
        ("request.body", {"text": "no content"}, "{content}"),
        ("request.body", {"text": "please judge {content}"}, "{content}"),
        ("request.body", {"text": "{content}", "model": "{unheard_of}"}, "no such option"),
        ("request.body", {"text": "{content}", "key": "{secret}"}, "no such option: secret"),
        ("request.headers", {"X-Key": "a\nb"}, "request.headers.X-Key"),
        ("response.expects", [], "response.expects"),
        ("response.findings", [], "response.findings"),
        ("response.findings.0.each", "hits[", "response.findings.0.each"),
        ("response.findings.0.each", "unheard_of(hits)", "no such function"),
        ("response.findings.0.label", None, "label or fixed_label"),
        ("response.findings.0.fixed_label", "hate", "label or fixed_label"),
        ("response.findings.0.labels", {"h": "hatred"}, "response.findings.0.labels.h"),
        ("response.findings.0.scores", {"HIGH": 1.5}, "response.findings.0.scores.HIGH"),
        ("response.findings.0.span", {"start": "a"}, "start and end, or text"),
        ("response.findings.0.span", {"start": "a", "end": "b", "unit": "bytes"}, "response.findings.0.span.unit"),
        ("vocabulary", "unheard-of", "none is called unheard-of"),
        ("signing", {"service": "bedrock"}, "signing needs the option region"),
        ("options", {"secret": "x", "model": None}, "secret and content are no options"),
    ],
)
def test_a_wrong_adapter_is_refused_with_its_file_and_field(tmp_path: Path, path: str, value: Any, named: str) -> None:
    write(tmp_path, changed(path, value))
    with pytest.raises(SettingsError) as refused:
        make(tmp_path)
    assert "my-api.yaml" in str(refused.value)
    assert named in str(refused.value)


@pytest.mark.parametrize("text", [":\n  - [", "- 1", "", "\x00"])
def test_what_is_no_adapter_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "my-api.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"my-api\.yaml"):
        read_adapter(path)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"adapter": "unheard-of"}, "mine.adapter"),
        ({"options": {}}, "mine.options.model"),
        ({"options": {"model": "m", "unheard_of": 1}}, "mine.options.unheard_of"),
        ({"secret_env": "OTHER"}, "mine.secret_env"),
        ({"secret_env": "BROKEN"}, "mine.secret_env"),
        ({"secret_env": None}, "secret_env or secret_file"),
        (
            {"adapter": "aws-comprehend-pii", "options": {"region": "eu-west-1"}},
            "the key must be id:secret or id:secret:token",
        ),
        (
            {"adapter": "trustyai-detectors", "vocabulary": "presidio", "options": {"detector_id": "a\nb"}},
            "what goes into detector-id",
        ),
        ({"secret_env": None, "secret_file": "/nowhere/at/all"}, "mine.secret_file"),
        (
            {"adapter": "kserve-v1", "vocabulary": "detoxify", "options": {"model": "m"}},
            "detoxify has several editions",
        ),
    ],
)
def test_settings_that_do_not_fit_the_adapter_are_refused(tmp_path: Path, said: dict[str, Any], named: str) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(SettingsError, match="HTTP_DETECTORS: mine") as refused:
        make(tmp_path, **said)
    assert named in str(refused.value)


def test_a_general_adapter_wants_its_vocabulary_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mine\.vocabulary"):
        make(tmp_path, adapter="kserve-v1")


@pytest.mark.parametrize(
    "said",
    [
        {"url": "http://vendor.example"},
        {"url": "https://user:key@vendor.example"},
        {"url": "https://vendor.example/?key=1"},
        {"url": "ftp://vendor.example"},
        {"secret": "inline"},
        {"secret_env": "not a name"},
        {"secret_file": "/run/key"},  # beside secret_env
        {"concurrency": 0},
        {"at_least": 1.5},
    ],
)
def test_what_the_setting_may_not_say(said: dict[str, Any]) -> None:
    given = {"adapter": "my-api", "url": "https://vendor.example", "secret_env": "KEY"}
    with pytest.raises(ValueError, match="HttpDetector"):
        HttpDetector.model_validate(given | said)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9", "http://[::1]:9", "http://localhost", "http://guard.models.svc", "https://a.example/v"],
)
def test_plain_http_is_for_this_machine_and_the_cluster(url: str) -> None:
    assert HttpDetector.model_validate({"adapter": "my-api", "url": url})
