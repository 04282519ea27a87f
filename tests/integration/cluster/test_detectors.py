"""Labelled Services become detectors, by the official client over real HTTP."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from kubernetes.client import ApiClient, Configuration

from functions.orchestrate.registration.discovery import Discovery, described
from functions.orchestrate.registration.outbound import Guard, GuardedTransport
from functions.orchestrate.registration.registered_detector import RegisteredDetector, Workshop
from llama_mapper.cluster.detectors import DetectorService, DetectorServices
from llama_mapper.cluster.errors import Denied, Stale, Unreachable
from llama_mapper.contracts.identifiers import DetectorId
from tests.fakes.kubernetes_api import ApiServer
from tests.fakes.kubernetes_http import TOKEN, serving

ROOT = Path(__file__).parents[3]
WORKSHOP = Workshop(
    GuardedTransport(Guard()),
    (ROOT / "functions/orchestrate/http_adapters",),
    ROOT / "inference-services/mapper/vocabularies",
)
JUDGE = DetectorId("judge")
SAID = {"version": "1.0", "family": "classifiers", "vocabulary": "hatesonar"}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    server.rules = [
        rule | {"apiGroups": [""]}
        for rule in yaml.safe_load((ROOT / "kustomize/components/detector-discovery/role.yaml").read_text())["rules"]
    ]
    with serving(server):
        yield server


def services(api: ApiServer) -> DetectorServices:
    configuration = Configuration(host=api.url, api_key={"authorization": f"Bearer {TOKEN}"})
    configuration.retries = False
    return DetectorServices(ApiClient(configuration), "llama-mapper")


def service(name: str = "judge", said: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "llama-mapper",
            "labels": {"llama-mapper.io/detector": "true"},
            "annotations": {f"llama-mapper.io/{key}": value for key, value in (SAID | (said or {})).items()},
        },
        "spec": {"type": "ClusterIP", "ports": [{"port": 8080}]} | more,
    }


class Watched(Discovery):
    """Tells of everything it takes in."""

    def __init__(self, api: ApiServer) -> None:
        super().__init__(lambda: services(api), WORKSHOP, watch_seconds=5, pause_seconds=0.01)
        self.taken: queue.Queue[dict[DetectorId, RegisteredDetector]] = queue.Queue()

    def _take(self, found: dict[str, DetectorService]) -> None:
        super()._take(found)
        self.taken.put(dict(self.current()))

    def next(self) -> dict[DetectorId, RegisteredDetector]:
        return self.taken.get(timeout=20)


@pytest.fixture
def discovery(api: ApiServer) -> Iterator[Watched]:
    watched = Watched(api)
    yield watched
    watched.stop()


def test_services_are_listed_by_their_label(api: ApiServer) -> None:
    api.add(service(), "services")
    other = service("plain")
    other["metadata"]["labels"] = {"app": "plain"}
    api.add(other, "services")
    (found,), _ = services(api).listed()
    assert (found.name, found.ports, found.said["version"]) == ("judge", (8080,), "1.0")


def test_what_comes_changes_and_goes_is_followed(api: ApiServer, discovery: Watched) -> None:
    discovery.start()
    assert discovery.next() == {}
    api.add(service(), "services")
    first = discovery.next()[JUDGE]
    assert first.kept.definition.url == "http://judge.llama-mapper.svc.cluster.local:8080/api/v1/detect"
    assert first.origin == "discovered"
    api.change("", "services", "judge", {"metadata": {"x": 1}, "spec": {"ports": [{"port": 9090}]}})
    assert discovery.next()[JUDGE].kept.definition.url.endswith(":9090/api/v1/detect")
    api.delete(("", "services", "llama-mapper", "judge"), {})
    assert discovery.next() == {}


def test_who_lost_the_label_is_no_detector(api: ApiServer) -> None:
    made = api.add(service(), "services")
    client = services(api)
    made["metadata"]["labels"] = {}
    api.objects["", "services", "llama-mapper", "judge"]["metadata"]["labels"] = {}
    _, version = client.listed()
    api.change("", "services", "judge", {"spec": {"ports": [{"port": 1}]}})
    kind, _ = next(client.watch(version, 5))
    assert kind == "DELETED"


def test_what_did_not_change_keeps_its_breaker(api: ApiServer, discovery: Watched) -> None:
    api.add(service(), "services")
    discovery.start()
    first = discovery.next()[JUDGE]
    api.add(service("another", {"id": "another"}), "services")
    assert discovery.next()[JUDGE] is first


def test_while_the_api_server_is_away_the_last_known_stay(api: ApiServer, discovery: Watched) -> None:
    api.add(service(), "services")
    discovery.start()
    discovery.next()
    api.rules = []
    api.close()
    assert list(discovery.current()) == [JUDGE]


def test_a_watch_from_too_long_ago_lists_again(api: ApiServer) -> None:
    api.add(service(), "services")
    api.compact()
    with pytest.raises(Stale):
        next(services(api).watch("1", 1))


def test_without_the_role_nothing_is_seen(api: ApiServer) -> None:
    api.rules = []
    with pytest.raises(Denied):
        services(api).listed()


def test_an_api_server_that_is_away_is_said_so() -> None:
    away = ApiServer()
    away.url = "http://127.0.0.1:1"
    with pytest.raises(Unreachable):
        services(away).listed()


@pytest.mark.parametrize(
    "change",
    [
        {"said": {"version": ""}},
        {"said": {"family": "another"}},
        {"said": {"vocabulary": "nobodys"}},
        {"said": {"adapter": "nobodys"}},
        {"said": {"adapter": "openai-moderation"}},
        {"said": {"options": "{"}},
        {"said": {"port": "0"}},
        {"said": {"path": "//evil"}},
        {"ports": []},
        {"type": "ExternalName"},
    ],
    ids=str,
)
def test_a_service_that_says_too_little_or_wrong_is_left_out(
    api: ApiServer, discovery: Watched, change: dict[str, Any]
) -> None:
    said = change.pop("said", None)
    api.add(service("wrong", said, **change), "services")
    api.add(service(), "services")
    discovery.start()
    assert list(discovery.next()) == [JUDGE]


def test_of_two_that_claim_one_id_the_first_has_it(api: ApiServer, discovery: Watched) -> None:
    api.add(service("b-first", {"id": "judge"}), "services")
    api.objects["", "services", "llama-mapper", "b-first"]["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    api.add(service("a-second", {"id": "judge"}), "services")
    discovery.start()
    assert "b-first" in discovery.next()[JUDGE].kept.definition.url


def test_the_description_of_an_adapter_is_a_registration(api: ApiServer) -> None:
    api.add(service("v1", {"adapter": "kserve-v1", "options": '{"model": "toxicity"}', "id": "judge"}), "services")
    (found,), _ = services(api).listed()
    kept = described(found)
    assert (kept.definition.adapter, kept.definition.options) == ("kserve-v1", {"model": "toxicity"})
    assert httpx.URL(kept.definition.url).path == "/"
