import asyncio
import copy
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from purgatory import AsyncCircuitBreakerFactory

from functions.orchestrate.detectors.http_detectors import MAX_ANSWER_BYTES, HttpDetectors, _joined, _parts
from functions.orchestrate.detectors.http_reading import Reading
from functions.orchestrate.detectors.http_setup import HttpDetector
from llama_mapper.contracts.detection import Detection, DetectorReport
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import (
    DetectorCommunicationFailed,
    DetectorOverloaded,
    Problem,
    RequestTimeout,
    Unavailable,
)
from tests.fakes.vendors import CONTENT, OPENAI, VENDORS, chat

ROOT = Path(__file__).parents[3]
ADAPTERS = ROOT / "functions" / "orchestrate" / "http_adapters"
VOCABULARIES = ROOT / "inference-services" / "mapper" / "vocabularies"
ENVIRONMENT = {"VENDOR_KEY": "key-1", "AWS_KEYS": "AKID:secret:session"}
ASKED = DetectorId("asked")
CANARY = "canary someone@example.org"
Handler = Callable[[httpx.Request], httpx.Response]


def said(vendor: str, **more: Any) -> HttpDetector:
    known = VENDORS[vendor]
    return HttpDetector.model_validate(
        {"adapter": known.adapter, "url": "https://vendor.example", **known.settings, **more}
    )


async def ask(
    handler: Any, vendor: str = "openai", content: str = CONTENT, seconds: float = 5.0, **more: Any
) -> DetectorReport:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler), follow_redirects=True) as client:
        made = HttpDetectors(
            {ASKED: said(vendor, **more)}, client, AsyncCircuitBreakerFactory(), (ADAPTERS,), VOCABULARIES, ENVIRONMENT
        )
        return await made.detect(ASKED, content, seconds)


def answering(answer: Any) -> Handler:
    return lambda _: httpx.Response(200, content=json.dumps(answer))


def shown(report: DetectorReport) -> tuple[Any, ...]:
    return tuple(
        (one.label, one.score, one.severity, (one.span.start, one.span.end) if one.span else None)
        for one in report.detections
    )


@pytest.mark.parametrize("vendor", VENDORS)
async def test_each_vendors_answer_becomes_its_detections(vendor: str) -> None:
    report = await ask(answering(VENDORS[vendor].answer), vendor)
    assert shown(report) == VENDORS[vendor].found
    assert (report.status, report.version, report.windows) == ("ok", VENDORS[vendor].version, 1)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_nothing_flagged_is_nothing_found(vendor: str) -> None:
    assert (await ask(answering(VENDORS[vendor].nothing), vendor)).detections == ()


def _dicts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _dicts(each, (*path, key))


@pytest.mark.parametrize("vendor", [v for v in VENDORS if v not in ("openai", "model-armor", "kserve-v1")])
async def test_a_field_more_anywhere_changes_nothing(vendor: str) -> None:
    """But in the three whose objects are lists of labels, where another key is another label."""
    answer = copy.deepcopy(VENDORS[vendor].answer)
    for path in list(_dicts(answer)):
        place = answer
        for key in path:
            place = place[key]
        place["unheard_of"] = {"text": CANARY}
    assert shown(await ask(answering(answer), vendor)) == VENDORS[vendor].found


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("answer", [{}, [], None, 1, "text", {"error": {"message": CANARY}}, [[1]], {"result": 1}])
async def test_another_shape_is_a_failed_detector(vendor: str, answer: Any) -> None:
    with pytest.raises(DetectorCommunicationFailed) as failed:
        await ask(answering(answer), vendor)
    assert "canary" not in failed.value.detail
    assert failed.value.__cause__ is None


def _openai(categories: Any, scores: Any) -> Any:
    return {"model": "m", "results": [{"categories": categories, "category_scores": scores}]}


@pytest.mark.parametrize(
    ("vendor", "answer"),
    [
        ("openai", _openai({"hate": "yes"}, {"hate": 0.9})),
        ("openai", _openai({"hate": None}, {"hate": 0.9})),
        ("openai", _openai({"hate": True}, {})),
        ("openai", _openai({"hate": True}, {"hate": "0.9"})),
        ("openai", _openai({"hate": True}, {"hate": 1.01})),
        ("openai", _openai({"hate": True}, {"hate": True})),
        ("openai", _openai({CANARY: True}, {CANARY: 0.9})),
        ("openai", _openai([True], [0.9])),
        ("azure", {"categoriesAnalysis": [{"category": "Hate"}]}),
        ("azure", {"categoriesAnalysis": [{"severity": 2}]}),
        ("azure", {"categoriesAnalysis": [{"category": "Hate", "severity": "2"}]}),
        ("azure", {"categoriesAnalysis": [{"category": "Hate", "severity": 2000}]}),
        ("azure", {"categoriesAnalysis": {"category": "Hate"}}),
        (
            "bedrock-content",
            {
                "action": "NONE",
                "assessments": [{"contentPolicy": {"filters": [{"type": "HATE", "confidence": "EXTREME"}]}}],
            },
        ),
        ("comprehend", {"Entities": [{"Type": "EMAIL", "Score": 0.9}]}),
        ("comprehend", {"Entities": [{"Type": "EMAIL", "Score": 0.9, "BeginOffset": 3, "EndOffset": 3}]}),
        ("comprehend", {"Entities": [{"Type": "EMAIL", "Score": 0.9, "BeginOffset": 3, "EndOffset": 99}]}),
        ("comprehend", {"Entities": [{"Type": "EMAIL", "Score": 0.9, "BeginOffset": -1, "EndOffset": 3}]}),
        ("comprehend", {"Entities": [{"Type": "EMAIL", "Score": 0.9, "BeginOffset": 0.5, "EndOffset": 3}]}),
        ("comprehend", {"Entities": [{"Type": 7, "Score": 0.9, "BeginOffset": 0, "EndOffset": 3}]}),
        ("model-armor", {"sanitizationResult": {"invocationResult": "PARTIAL", "filterResults": {}}}),
        ("dlp", {"result": {"findings": [{"infoType": {"name": "X"}, "likelihood": "LIKELY", "location": {}}]}}),
        ("dlp", {"result": {"findings": [{"likelihood": "LIKELY"}]}}),
        ("llama-guard", chat("unsafe")),
        ("llama-guard", chat("unsafe\nS1 because of " + CANARY)),
        ("llama-guard", chat("I cannot help with that")),
        ("llama-guard", chat("")),
        ("llama-guard", chat(None)),
        ("llama-guard", {"choices": []}),
        ("trustyai", [[{"start": 0, "end": 3, "detection": "EMAIL"}]]),
        ("kserve-v1", {"predictions": [1]}),
        ("kserve-v1", {"predictions": [{"label": "toxicity", "score": 0.7}]}),
        ("kserve-v2", {"outputs": [{"data": [0.9]}]}),
        ("kserve-v2", {"outputs": [{"data": [0.9, 1.7]}]}),
    ],
)
async def test_a_near_miss_is_a_failed_detector(vendor: str, answer: Any) -> None:
    with pytest.raises(DetectorCommunicationFailed) as failed:
        await ask(answering(answer), vendor)
    assert "canary" not in failed.value.detail


async def test_a_label_that_no_vocabulary_has_is_said_as_it_is() -> None:
    assert shown(await ask(answering(_openai({"new/kind": True}, {"new/kind": 0.7})))) == (
        ("new/kind", 0.7, None, None),
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>canary</html>", b"{", b'{"results": NaN}', b"[" * 100_000, b"\xff\xfe\x00"]
)
async def test_what_is_no_json_is_a_failed_detector(body: bytes) -> None:
    with pytest.raises(DetectorCommunicationFailed):
        await ask(lambda _: httpx.Response(200, content=body))


async def test_an_answer_over_the_limit_is_not_read_to_its_end() -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 65_536
            yield b" " * 65_536

    with pytest.raises(DetectorCommunicationFailed, match="too much"):
        await ask(lambda _: httpx.Response(200, content=endless()))
    assert read < MAX_ANSWER_BYTES + 4 * 65_536


@pytest.mark.parametrize(
    ("answer", "problem", "wait", "calls"),
    [
        (httpx.Response(401, text=CANARY), Unavailable, None, 1),
        (httpx.Response(403, text=CANARY), Unavailable, None, 1),
        (httpx.Response(404), Unavailable, None, 1),
        (httpx.Response(204), Unavailable, None, 1),
        (httpx.Response(429, headers={"retry-after": "17"}), DetectorOverloaded, 17, 1),
        (httpx.Response(429, headers={"retry-after": "99999"}), DetectorOverloaded, 3600, 1),
        (httpx.Response(429, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), DetectorOverloaded, 1, 1),
        (httpx.Response(429), DetectorOverloaded, 1, 1),
        (httpx.Response(302, headers={"location": "https://elsewhere.example/"}), Unavailable, None, 1),
        (httpx.Response(307, headers={"location": "https://elsewhere.example/"}), Unavailable, None, 1),
        (httpx.Response(500, text=CANARY), Unavailable, 1, 3),
        (httpx.Response(503), Unavailable, 1, 3),
        (httpx.ConnectError(CANARY), Unavailable, 1, 3),
        (httpx.RemoteProtocolError(CANARY), Unavailable, 1, 3),
    ],
)
async def test_every_refusal_is_one_problem(
    answer: httpx.Response | Exception, problem: type[Problem], wait: int | None, calls: int
) -> None:
    asked: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(problem) as failed:
        await ask(handler)
    assert (failed.value.retry_after_seconds, len(asked)) == (wait, calls)
    assert {url.host for url in asked} == {"vendor.example"}
    assert "canary" not in str(failed.value)
    assert failed.value.__cause__ is None


async def test_the_second_try_can_be_the_good_one() -> None:
    answers = [httpx.Response(502), httpx.Response(200, json=OPENAI)]
    assert len((await ask(lambda _: answers.pop(0))).detections) == 2


async def test_who_never_answers_is_a_timeout() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        return await asyncio.Future()

    with pytest.raises(RequestTimeout):
        await ask(never, seconds=0.05)


@pytest.mark.parametrize("way", [500, 429, 401, "never"])
async def test_after_five_failures_nobody_is_asked(way: int | str) -> None:
    asked = 0

    async def handler(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(way) if isinstance(way, int) else await asyncio.Future()

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        made = HttpDetectors(
            {ASKED: said("openai", attempts=1)},
            client,
            AsyncCircuitBreakerFactory(),
            (ADAPTERS,),
            VOCABULARIES,
            ENVIRONMENT,
        )
        for _ in range(8):
            with pytest.raises((Unavailable, RequestTimeout, DetectorOverloaded)):
                await made.detect(ASKED, CONTENT, 0.05 if way == "never" else 1.0)
    assert asked == 5


async def test_no_more_calls_at_once_than_the_settings_allow() -> None:
    running = most = 0
    gate = asyncio.Event()

    async def handler(_: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            gate.set()
        await gate.wait()
        running -= 1
        return httpx.Response(200, json=OPENAI)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        made = HttpDetectors(
            {ASKED: said("openai", concurrency=2)},
            client,
            AsyncCircuitBreakerFactory(),
            (ADAPTERS,),
            VOCABULARIES,
            ENVIRONMENT,
        )
        await asyncio.gather(*(made.detect(ASKED, CONTENT, 5.0) for _ in range(6)))
    assert most == 2


SENT: Mapping[str, tuple[str, Any, Mapping[str, str]]] = {
    "openai": (
        "/v1/moderations",
        {"model": "omni-moderation-latest", "input": CONTENT},
        {"authorization": "Bearer key-1"},
    ),
    "azure": (
        "/contentsafety/text:analyze?api-version=2024-09-01",
        {"text": CONTENT, "outputType": "EightSeverityLevels"},
        {"ocp-apim-subscription-key": "key-1"},
    ),
    "bedrock-pii": (
        "/guardrail/gr1/version/DRAFT/apply",
        {"source": "INPUT", "outputScope": "FULL", "content": [{"text": {"text": CONTENT}}]},
        {"x-amz-security-token": "session"},
    ),
    "comprehend": (
        "/",
        {"Text": CONTENT, "LanguageCode": "en"},
        {"x-amz-target": "Comprehend_20171127.DetectPiiEntities", "content-type": "application/x-amz-json-1.1"},
    ),
    "model-armor": (
        "/v1/projects/p/locations/eu/templates/t:sanitizeUserPrompt",
        {"userPromptData": {"text": CONTENT}},
        {"authorization": "Bearer key-1"},
    ),
    "dlp": (
        "/v2/projects/p/locations/eu/content:inspect",
        {
            "item": {"value": CONTENT},
            "inspectConfig": {"infoTypes": [], "minLikelihood": "POSSIBLE", "includeQuote": False},
        },
        {},
    ),
    "llama-guard": (
        "/v1/chat/completions",
        {
            "model": "meta-llama/Llama-Guard-3-8B",
            "messages": [{"role": "user", "content": CONTENT}],
            "temperature": 0,
            "max_tokens": 64,
        },
        {},
    ),
    "trustyai": ("/api/v1/text/contents", {"contents": [CONTENT], "detector_params": {}}, {"detector-id": "pii"}),
    "kserve-v1": ("/v1/models/toxicity:predict", {"instances": [CONTENT]}, {}),
    "kserve-v2": (
        "/v2/models/toxicity/infer",
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [CONTENT]}]},
        {},
    ),
}


@pytest.mark.parametrize("vendor", SENT)
async def test_each_vendor_is_asked_as_it_wants(vendor: str) -> None:
    sent: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content=json.dumps(VENDORS[vendor].answer))

    await ask(keep, vendor)
    path, body, headers = SENT[vendor]
    assert (sent[0].method, sent[0].url.raw_path.decode()) == ("POST", path)
    assert json.loads(sent[0].content) == body
    assert {name: sent[0].headers[name] for name in headers} == dict(headers)
    assert "x-correlation-id" in sent[0].headers


async def test_aws_is_asked_with_a_signature_over_body_and_target() -> None:
    sent: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"Entities": []})

    await ask(keep, "comprehend")
    signed = sent[0].headers["authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-west-1/comprehend/aws4_request" in signed
    assert "content-type;host;x-amz-date;x-amz-security-token;x-amz-target" in signed
    assert "secret" not in signed
    # As AWS checks it: sign what came, at its own time, and compare.
    names = signed.split("SignedHeaders=")[1].split(",")[0].split(";")
    again = AWSRequest(
        method="POST",
        url=str(sent[0].url),
        data=sent[0].content,
        headers={name: sent[0].headers[name] for name in names},
    )
    again.context["timestamp"] = sent[0].headers["x-amz-date"]
    judge = SigV4Auth(Credentials("AKID", "secret", "session"), "comprehend", "eu-west-1")
    wanted = judge.signature(judge.string_to_sign(again, judge.canonical_request(again)), again)
    assert signed.endswith(f"Signature={wanted}")


async def test_a_key_in_a_file_is_read_at_every_call(tmp_path: Path) -> None:
    key = tmp_path / "token"
    key.write_text("first\n")
    sent: list[str] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        key.write_text("second\n")
        return httpx.Response(200, json=OPENAI)

    settings_of = {"secret_env": None, "secret_file": str(key)}
    async with httpx.AsyncClient(transport=httpx.MockTransport(keep)) as client:
        made = HttpDetectors(
            {ASKED: said("openai", **settings_of)}, client, AsyncCircuitBreakerFactory(), (ADAPTERS,), VOCABULARIES, {}
        )
        await made.detect(ASKED, CONTENT, 5.0)
        await made.detect(ASKED, CONTENT, 5.0)
    assert sent == ["Bearer first", "Bearer second"]


async def test_long_content_goes_out_in_parts_and_places_are_on_the_whole() -> None:
    content = "x" * 24_990 + " someone@example.org " + "y" * 20_000

    def find(request: httpx.Request) -> httpx.Response:
        text = json.loads(request.content)["Text"]
        start = text.find("someone@example.org")
        found = [{"Type": "EMAIL", "Score": 0.9, "BeginOffset": start, "EndOffset": start + 19}] if start >= 0 else []
        return httpx.Response(200, json={"Entities": found})

    report = await ask(find, "comprehend", content)
    assert (report.windows, shown(report)) == (2, (("EMAIL", 0.9, None, (24_991, 25_010)),))


@given(st.integers(1, 3_000), st.integers(100, 1_000))
def test_parts_cover_the_whole_and_fit(length: int, size: int) -> None:
    parts = _parts("x" * length, size)
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert all(0 < end - start <= size for start, end in parts)
    assert all(start < end for (_, end), (start, _) in itertools.pairwise(parts))


def test_what_two_parts_both_found_is_said_once_at_its_best() -> None:
    both = [Reading(None, (Detection(label="toxic", score=score),)) for score in (0.6, 0.9)]
    assert _joined(both, [0, 100]) == (Detection(label="toxic", score=0.9),)


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="abcXYZ0123456789@. ", min_size=24, max_size=60).filter(lambda text: len(set(text)) > 6),
    st.sampled_from(sorted(VENDORS)),
    st.sampled_from(["label", "text", "error", "html", "status", "key"]),
)
def test_no_problem_ever_holds_content(content: str, vendor: str, way: str) -> None:
    bodies: dict[str, Any] = {
        "label": _openai({content: True}, {content: 0.9}),
        "text": chat(content),
        "error": {"error": {"message": content}},
        "key": {content: content},
        "html": f"<html>{content}",
        "status": content,
    }
    answer = httpx.Response(400 if way == "status" else 200, content=json.dumps(bodies[way]))
    try:
        asyncio.run(ask(lambda _: answer, vendor, content))
    except Problem as problem:
        assert content not in problem.detail + str(problem.errors) + repr(problem)  # noqa: PT017 - it may well answer
        assert problem.__cause__ is None  # noqa: PT017
