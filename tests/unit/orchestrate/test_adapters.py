"""The services orchestrate calls, over a transport in this process."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from functions.orchestrate.adapters import WORDS_AT_ONCE, AnalyzeService, DetectService, Hasher, MapperService
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.detection import Span
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.problems import DetectorCommunicationFailed, RequestTimeout, Unavailable
from tests.fakes.findings import found
from tests.fakes.mapping import finding
from tests.fakes.orchestration import ANALYSIS, DEMO, mapping, report

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler))


def settings() -> Settings:
    return Settings(detect_url="http://detect/", mapper_url="http://mapper", analyze_url="http://analyze")


async def test_detect_is_asked_for_its_detectors_once_in_a_while() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"detectors": [{"id": "a", "version": "1", "family": "pii", "loaded": True}]})

    async with client(answer) as http:
        detect = DetectService(settings(), http, AsyncCircuitBreakerFactory())
        assert [one.id for one in await detect.known()] == ["a"]
        await detect.known()
    assert asked == ["http://detect/api/v1/detectors"]


async def test_an_old_list_is_better_than_none_and_a_detect_that_fails_is_left_alone_for_a_while() -> None:
    listed = {"detectors": [{"id": "a", "version": "1", "family": "pii", "loaded": True}]}
    answers = [httpx.Response(200, json=listed), httpx.Response(503)]
    async with client(lambda _: answers.pop(0)) as http:
        detect = DetectService(settings(), http, AsyncCircuitBreakerFactory(), known_for_seconds=0.0)
        assert [[one.id for one in await detect.known()] for _ in range(3)] == [["a"]] * 3
    assert answers == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"detectors": [{"id": "NOT AN ID"}]}'])
async def test_a_detect_that_never_answered_well_is_unavailable(body: bytes) -> None:
    async with client(lambda _: httpx.Response(503, content=body)) as http:
        with pytest.raises(Unavailable):
            await DetectService(settings(), http, AsyncCircuitBreakerFactory()).known()


async def test_reports_are_handed_on() -> None:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content) | {"tenant": request.headers["x-tenant-id"]})
        return httpx.Response(200, json={"reports": [report("a", "EMAIL").model_dump(mode="json")]})

    async with client(answer) as http:
        detect = DetectService(settings(), http, AsyncCircuitBreakerFactory())
        assert await detect.detect("text", [DetectorId("a")], -3.0, DEMO) == (report("a", "EMAIL"),)
    assert sent == [{"content": "text", "detectors": ["a"], "timeout_seconds": 0.05, "tenant": "demo"}]


def mapped(request: httpx.Request) -> httpx.Response:
    items = json.loads(request.content)["items"]
    rows = [
        {"index": i, "status": 200, "mapping": mapping(finding(item["label"]), "PII").model_dump(mode="json")}
        for i, item in enumerate(items)
    ]
    return httpx.Response(200, json={"results": rows, "latency_ms": 1.0})


@pytest.mark.parametrize("count", [1, WORDS_AT_ONCE, WORDS_AT_ONCE + 1, 600])
async def test_any_number_of_words_is_mapped_in_order_and_in_requests_the_mapper_takes(count: int) -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sizes.append(len(request.content))
        return mapped(request)

    words = [finding(f"WORD{'é' * 190}{i}") for i in range(count)]
    async with client(answer) as http:
        mappings = await MapperService(settings(), http, AsyncCircuitBreakerFactory()).map(words, 5.0, DEMO)
    assert [one.provenance.vendor_label for one in mappings] == [word.label for word in words]
    assert max(sizes) < 65_536


async def test_a_mapper_that_leaves_a_word_out_is_not_believed() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"results": [], "latency_ms": 1.0})

    async with client(answer) as http:
        with pytest.raises(DetectorCommunicationFailed):
            await MapperService(settings(), http, AsyncCircuitBreakerFactory()).map([finding("A")], 5.0, DEMO)


async def test_a_mapper_that_hangs_is_a_timeout() -> None:
    def hang(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    async with client(hang) as http:
        with pytest.raises(RequestTimeout):
            await MapperService(settings(), http, AsyncCircuitBreakerFactory()).map([finding("A")], 5.0, DEMO)


async def test_analyze_is_told_what_was_found_and_not_where() -> None:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, content=ANALYSIS.model_dump_json())

    one = found().model_copy(update={"spans": (Span(start=1, end=2),)})
    async with client(answer) as http:
        analyze = AnalyzeService(settings(), http, AsyncCircuitBreakerFactory())
        assert await analyze.analyze([one], 0.5, 5.0, DEMO) == ANALYSIS
    assert sent[0]["coverage"] == 0.5
    assert [(said["label"], said["spans"]) for said in sent[0]["findings"]] == [("PII.Contact.Email", [])]


def test_without_a_key_there_is_no_hash_and_tenants_cannot_be_compared() -> None:
    assert Hasher("")(DEMO, "text") is None
    hashed = Hasher("key")
    assert hashed(DEMO, "text") == hashed(DEMO, "text")
    assert hashed(DEMO, "text") != hashed(TenantId("other"), "text")
    assert hashed(DEMO, "text") != Hasher("another")(DEMO, "text")
