"""A stream over HTTP as functions-framework serves it: on a socket, read while it is sent, and cut at every place."""

import asyncio
import io
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from llama_mapper.cli.scan_stream import Passing, passed, summary
from llama_mapper.client import AsyncLlamaMapper, NoAnswer, ProblemError
from llama_mapper.client.streams import StreamOptions
from llama_mapper.contracts.redaction import RedactionOperator
from llama_mapper.contracts.streams import StreamFinal, StreamVerdict
from tests.fakes.free_ports import free_port
from tests.fakes.functions import serving
from tests.fakes.mapping import finding
from tests.fakes.orchestration import mapping
from tests.fakes.services import BROKER, JSON, Services, running
from tests.fakes.subscriber import Answer, Received
from tests.fakes.words import said

PATH = "/api/v1/orchestrate/stream"
NDJSON = {"X-Tenant-ID": "demo", "Content-Type": "application/x-ndjson"}
CANARY = "KEY-canary7f3"
TEXT = "Dear Ada, thank you for the letter. We have read it with care, and here is what we found in it. " * 3
WITH_SECRET = TEXT + f"The key is {CANARY}. " + TEXT
OPTIONS: dict[str, Any] = {"detector_types": ["words"]}


def detected(received: Received) -> Answer:
    asked = json.loads(received.body)
    reports = [said(name, asked["content"]).model_dump(mode="json", exclude_none=True) for name in asked["detectors"]]
    return Answer(200, JSON, json.dumps({"reports": reports}).encode())


def mapped(received: Received) -> Answer:
    labels = {"EMAIL": "PII.Contact.Email", "KEY": "SECRET.Key"}
    items = json.loads(received.body)["items"]
    given = [mapping(finding(one["label"], one["detector"]), labels[one["label"]], severity=3) for one in items]
    rows = [
        {"index": i, "status": 200, "mapping": one.model_dump(mode="json", exclude_none=True)}
        for i, one in enumerate(given)
    ]
    return Answer(200, JSON, json.dumps({"results": rows, "latency_ms": 1.0}).encode())


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with running() as started:
        started.answers |= {"/api/v1/detect": detected, "/api/v1/map/batch": mapped}
        yield started


@asynccontextmanager
async def door_to(
    services: Services, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("DETECT", "MAPPER", "ANALYZE"):
        monkeypatch.setenv(f"ORCHESTRATION_{name}_URL", services.url)
    for name, value in settings.items():
        monkeypatch.setenv(f"ORCHESTRATION_{name}", value)
    monkeypatch.setenv("K_SINK", services.url + BROKER)
    async with serving("orchestrate") as (client, _):
        yield client


@pytest.fixture
async def door(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    async with door_to(services, monkeypatch) as client:
        yield client


@asynccontextmanager
async def listening(door: httpx.AsyncClient) -> AsyncIterator[str]:
    """The same application on a socket."""
    transport = door._transport
    assert isinstance(transport, httpx.ASGITransport)
    listener = socket.create_server(("127.0.0.1", free_port()))
    config = uvicorn.Config(transport.app, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def url(door: httpx.AsyncClient) -> AsyncIterator[str]:
    async with listening(door) as at:
        yield at


def body(*chunks: str, options: dict[str, Any] | None = None, end: bool = True) -> bytes:
    lines: list[Any] = [
        OPTIONS | (options or {}),
        *({"chunk": chunk} for chunk in chunks),
        *([{"end": True}] if end else []),
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def events(services: Services) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in services.came(BROKER)]


async def test_lines_go_in_and_out_and_one_event_is_sent(door: httpx.AsyncClient, services: Services) -> None:
    answer = await door.post(PATH, content=body(*TEXT), headers=NDJSON)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert [line["type"] for line in lines] == ["verdict"] * (len(lines) - 1) + ["final"]
    assert lines[-1]["hold_back"] == lines[-2]["hold_back"] == len(TEXT)
    assert lines[-1]["correlation_id"] == answer.headers["x-correlation-id"]
    assert len(events(services)) == 1


async def test_as_events_where_the_caller_wants_events(door: httpx.AsyncClient) -> None:
    answer = await door.post(PATH, content=body(TEXT), headers=NDJSON | {"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = answer.text.strip().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["event: verdict"] * (len(blocks) - 1) + ["event: final"]
    assert all(json.loads(block.splitlines()[1].removeprefix("data: ")) for block in blocks)


async def test_verdicts_come_while_the_text_is_still_being_written(url: str) -> None:
    heard = asyncio.Event()

    async def answering() -> AsyncIterator[str]:
        yield TEXT
        await heard.wait()  # the rest is only written once a verdict was read
        yield TEXT

    lines = []
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        async for line in mapper.stream(answering(), detector_types=["words"]):
            lines.append(line)
            heard.set()
    assert isinstance(lines[0], StreamVerdict)
    assert isinstance(lines[-1], StreamFinal)
    assert lines[-1].characters == 2 * len(TEXT)


async def test_a_block_ends_the_stream_while_the_text_goes_on(url: str, services: Services) -> None:
    async def endless() -> AsyncIterator[str]:
        yield WITH_SECRET
        await asyncio.Event().wait()

    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        lines = [line async for line in mapper.stream(endless(), detector_types=["words"])]
    last = lines[-1]
    assert isinstance(last, StreamFinal)
    assert (last.ended_by, last.decision.action) == ("block", "block")
    assert last.hold_back <= WITH_SECRET.index(CANARY)
    assert len(events(services)) == 1


async def test_a_caller_who_goes_away_ends_the_work_and_what_was_judged_is_recorded(
    url: str, services: Services
) -> None:
    async def endless() -> AsyncIterator[str]:
        yield TEXT + "Write to MAIL-bob@x, please, and to nobody else but him. " + TEXT
        await asyncio.Event().wait()

    recorded = asyncio.Event()

    def taken(_: Received) -> Answer:
        recorded.set()
        return Answer(202)

    services.answers[BROKER] = taken
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        stream = mapper.stream(endless(), detector_types=["words"])
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
    await recorded.wait()
    assert [found["label"] for found in events(services)[0]["findings"]] in ([], ["PII.Contact.Email"])


async def test_a_slow_reader_of_windows_holds_the_sender_back(door: httpx.AsyncClient, services: Services) -> None:
    gate, taken = asyncio.Event(), 0

    async def writing() -> AsyncIterator[bytes]:
        nonlocal taken
        yield body(end=False)
        for _ in range(60):
            taken += 1
            yield json.dumps({"chunk": TEXT}).encode() + b"\n"
        yield b'{"end": true}\n'

    real = services.answers["/api/v1/detect"]
    seen: list[int] = []

    def slow(received: Received) -> Answer:
        seen.append(taken)
        gate.set()
        return real(received)

    services.answers["/api/v1/detect"] = slow
    answer = await door.post(PATH, content=writing(), headers=NDJSON)
    assert answer.status_code == 200
    assert seen[0] <= 8  # the reader takes a few messages ahead, not all of them


async def test_redacted_pieces_are_the_text_without_what_was_found(url: str) -> None:
    text = TEXT + "Write to MAIL-bob@x, please, and to nobody else but him. " + TEXT
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        lines = [line async for line in mapper.stream(list(text), detector_types=["words"], redaction="mask")]
    shown = "".join(line.redaction.content for line in lines if isinstance(line, StreamVerdict) and line.redaction)
    assert shown == text.replace("MAIL-bob@x", "*" * 10)


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (body(TEXT), {"Content-Type": "application/json"}, 400, "INVALID_REQUEST"),
        (body(TEXT, options={"detector_types": ["nobody"]}), {}, 400, "INVALID_REQUEST"),
        (b"", {}, 400, "INVALID_REQUEST"),
        (b'{"chunk": "canary7f3"}\n', {}, 400, "INVALID_REQUEST"),
        (b"canary7f3\n", {}, 400, "INVALID_REQUEST"),
        (body(TEXT, options={"redaction": "token"}), {}, 400, "INVALID_REQUEST"),
        (body(TEXT), {"X-Tenant-ID": "nobody"}, 401, "UNAUTHORIZED"),
        (body(TEXT), {"Content-Length": "999999999"}, 413, "CONTENT_TOO_LARGE"),
        (b"{" + b" " * 800_000, {}, 413, "CONTENT_TOO_LARGE"),
    ],
)
async def test_what_cannot_begin_is_refused_with_a_status(
    door: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await door.post(PATH, content=content, headers=NDJSON | headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    ("late", "code"),
    [
        (b'{"chunk": "canary7f3", "more": 1}\n', "INVALID_REQUEST"),
        (b"canary7f3\n", "INVALID_REQUEST"),
        (b'{"chunk": "\\ud83d"}\n', "INVALID_REQUEST"),
        (b'{"chunk": "' + "é".encode()[:1] + b'"}\n', "INVALID_REQUEST"),
        (b"", "INVALID_REQUEST"),
    ],
    ids=["unknown field", "no JSON", "half a surrogate pair", "no UTF-8", "no end"],
)
async def test_what_goes_wrong_later_is_the_last_line(door: httpx.AsyncClient, late: bytes, code: str) -> None:
    answer = await door.post(PATH, content=body(TEXT, end=False) + late, headers=NDJSON)
    last = json.loads(answer.text.splitlines()[-1])
    assert (answer.status_code, last["type"], last["problem"]["error_code"]) == (200, "problem", code)
    assert "canary" not in answer.text


async def test_a_stream_for_which_nothing_comes_is_ended(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> AsyncIterator[str]:
        yield TEXT
        await asyncio.Event().wait()

    async with (
        door_to(services, monkeypatch, STREAM_IDLE_SECONDS="0.2") as door,
        listening(door) as at,
        AsyncLlamaMapper(at, tenant="demo") as mapper,
    ):
        with pytest.raises(ProblemError) as ended:
            [line async for line in mapper.stream(silent(), detector_types=["words"])]
    assert (ended.value.error_code, ended.value.retryable) == ("REQUEST_TIMEOUT", True)


async def test_one_stream_too_many_is_told_to_come_again(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> AsyncIterator[str]:
        yield TEXT
        await asyncio.Event().wait()

    async with (
        door_to(services, monkeypatch, STREAMS="1") as door,
        listening(door) as at,
        AsyncLlamaMapper(at, tenant="demo") as mapper,
    ):
        first = mapper.stream(silent(), detector_types=["words"])
        await anext(first)
        with pytest.raises(ProblemError) as refused:
            [line async for line in mapper.stream([TEXT], detector_types=["words"])]
        await first.aclose()  # type: ignore[attr-defined]
    assert (refused.value.status, refused.value.error_code) == (429, "DETECTOR_OVERLOADED")


async def test_where_nobody_listens_the_client_says_so() -> None:
    async with AsyncLlamaMapper(f"http://127.0.0.1:{free_port()}", tenant="demo") as mapper:
        with pytest.raises(NoAnswer) as nobody:
            [line async for line in mapper.stream([TEXT])]
    assert nobody.value.unsent


async def test_what_the_writer_raises_is_raised(url: str) -> None:
    async def failing() -> AsyncIterator[str]:
        yield TEXT
        raise KeyError("the model is away")

    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        with pytest.raises(KeyError, match="the model is away"):
            [line async for line in mapper.stream(failing(), detector_types=["words"])]


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
async def test_no_content_reaches_logs_or_events_in_any_end(
    url: str, services: Services, caplog: pytest.LogCaptureFixture, level: int, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(level)
    ends: list[Callable[[], list[str]]] = [lambda: [WITH_SECRET], lambda: list(WITH_SECRET), lambda: [CANARY]]
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        for end in ends:
            [line async for line in mapper.stream(end(), detector_types=["words"], redaction="mask")]
        async with httpx.AsyncClient(base_url=url) as client:
            await client.post(PATH, content=body(WITH_SECRET, end=False) + CANARY.encode(), headers=NDJSON)
    assert len(events(services)) == 4
    kept = json.dumps(events(services)) + caplog.text + "".join(capfd.readouterr())
    assert "canary7f3" not in kept


@pytest.mark.parametrize("redact", [None, "mask"])
async def test_the_command_passes_on_what_may_be_shown(url: str, redact: RedactionOperator | None) -> None:
    text = TEXT + "Grüße an MAIL-bob@x 😀, und an sonst niemanden. " + TEXT
    shown, last = await piped(url, text, redact)
    assert shown == (text.replace("MAIL-bob@x", "*" * 10) if redact else text)
    assert summary(last) == "redact: PII.Contact.Email"


async def test_the_command_holds_back_from_a_secret_on(url: str) -> None:
    shown, last = await piped(url, WITH_SECRET, None)
    assert WITH_SECRET.startswith(shown)
    assert CANARY not in shown
    assert last.decision.action == "block"
    assert summary(last).startswith("block: SECRET.Key; ")


async def piped(url: str, text: str, redact: RedactionOperator | None) -> tuple[str, StreamFinal]:
    reads, writes = os.pipe()
    out = io.StringIO()

    def write() -> None:
        with os.fdopen(writes, "wb") as pipe:
            pipe.write(text.encode())

    options: StreamOptions = {"detector_types": ["words"]}
    if redact:
        options["redaction"] = redact
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        with os.fdopen(reads, "rb") as source:
            last, _ = await asyncio.gather(passed(mapper, Passing(source, out), options), asyncio.to_thread(write))
    return out.getvalue(), last
